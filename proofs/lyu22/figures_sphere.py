r"""Figures 4 and 6: the way over the sphere, and the potential well.

Setting:  gradient descent with weight decay on the 3-D loss of appendix F; the flow of eq. (16)
          with K = 2 and C_b = 1.
Claims:   what the text says of figure 4's path, at every step of it; that the orbits of figure 6
          conserve the energy and close.
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 4.2, appendices F and H.2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from eostheory.agree.facts import ONCE, always, line, observe_counts
from eostheory.claims import Claim
from eostheory.experiments.evidence import gather
from eostheory.formula import Equation, Expr, exp, scalar

from ._energy import Well, period, states_at
from ._figures import edge

if TYPE_CHECKING:
    from eostheory.agree import Sample

# ------------------------------------------------------------------------------ figure 4
closer = always("closer", r"t<t_1", r"|x-y|\ \text{falls}")
rate_rises = always("rate_rises", r"0<t<t_1", r"\tilde\eta_t\ \text{rises}")
farther = always("farther", r"t>t_1", r"|x-y|\ \text{above that at}\ t_1")
crosses = always("crosses", r"t>t_1", r"x-y\ \text{changes sign}")
downward = always("downward", r"t>t_1", r"z\ \text{falls}")
arrives = always("arrives", r"t\ \text{late}", r"|z|\ \text{below a tenth of that at}\ t_1")
FIGURE_4 = {
    "first goes close to a local minimizer": closer,
    "the effective LR rises to the edge": rate_rises,
    "moves a bit away": farther,
    "oscillates around the manifold": crosses,
    "which pushes it downward persistently": downward,
    "until it approaches the flattest minimizer": arrives,
}


def figure_4(sample: Sample) -> None:
    """Every step of the direction; the sharpness of the minimizer near by is autograd's."""
    found = gather(sample, "lyu22/fig-4")
    run = found.parts["descent"]
    step = run["step"]
    points = np.stack([run[name] for name in "xyz"], axis=1)
    length = np.linalg.norm(points, axis=1)
    x, y, z = (points / length[:, None]).T
    rate, sharp = edge(found.settings, length), np.array([_sharpness(float(h)) for h in z])
    begin = int(np.argmax(rate < sharp))
    off = x - y
    facts = {
        closer: np.diff(np.abs(off[: begin + 1])) < 0,
        rate_rises: np.diff(rate[1 : begin + 1]) < 0,
        farther: np.abs(off[begin + 1 :]) > abs(off[begin]),
        crosses: off[begin + 1 :] * off[begin:-1] < 0,
        downward: np.diff(z[begin:]) < 0,
        arrives: np.abs(z[-len(z) // 10 :]) < abs(z[begin]) / 10,
    }
    observe_counts(sample, facts, {})
    sample.note(f"the edge begins at step t_1 = {step[begin]:.0f}, at z = {z[begin]:.3f}")
    path = line("direction", np.degrees(np.arctan2(y, x)), z)
    gamma = {"label": "minimizers", "x": [45, 45], "y": [0, 0.8]}
    sample.plot("On the sphere", "angle of (x, y) in degrees", "z", [gamma, path])
    two = {"2 / effective LR": rate, "spherical sharpness of the minimizer near by": sharp}
    lines = [line(name, step, values) for name, values in two.items()]
    sample.plot("The edge of stability", "step", "value", lines)


def _sharpness(height: float) -> float:
    """The top eigenvalue at the point (s, s, z) of the sphere, a minimizer."""
    import torch

    from eostheory.numeric.autodiff import hessian

    from ._example_3d_runs import figure_loss, on_gamma

    turn = torch.eye(3, dtype=torch.float64)
    found = hessian(lambda v: figure_loss(turn, v), on_gamma(height))
    return float(torch.linalg.eigvalsh(found)[-1])


# ------------------------------------------------------------------------------ figure 6
position, velocity = scalar("x"), scalar("minus_u", "-u")
position_0, velocity_0 = scalar("x_0", "x_0"), scalar("minus_u_0", "-u_0")
position_T, velocity_T = scalar("x_T", "x_T"), scalar("minus_u_T", "-u_T")
K_SQUARED, C_B = 4.0, 1.0


def _potential(x: Expr) -> Expr:
    return 4 * exp(2 * x) - x


FIGURE_6 = {
    "(a) no energy is lost in the well": Equation(
        velocity**2 / 2 + _potential(position), velocity_0**2 / 2 + _potential(position_0)
    ),
    "(b) the orbits close": Equation(position_T, position_0),
    "(b) with the same velocity": Equation(velocity_T, velocity_0),
}


def figure_6(sample: Sample) -> None:
    """Four orbits of the flow, each over the time it needs to come back."""
    from eostheory.agree import evaluate
    from eostheory.formula import absolute, log

    size = scalar("h", nonzero=True)
    lines = []
    for start in (0.45, 0.25, 0.1, 0.03):
        well = Well(K_SQUARED, C_B, start, 0.0)
        eighth = period(well) / 8
        # from an eighth of the period on: at the start itself u is zero
        states = states_at(well, [eighth * k / 5 for k in range(46)])
        seen = [(evaluate(log(absolute(size)), {size: h}), -u) for h, u, _ in states]
        begin, end = seen[5], seen[45]
        for now in seen[10:45:7]:
            table = dict(zip((position, velocity), now, strict=True))
            table |= dict(zip((position_0, velocity_0), begin, strict=True))
            sample.observe(table | dict(zip((position_T, velocity_T), end, strict=True)))
        x, v = (np.array([float(s[i].value) for s in seen]) for i in (0, 1))
        lines.append(line(f"from h = {start}", x, v))
    well_x = np.linspace(-4, 0.2, 100)
    well_u = K_SQUARED * np.exp(2 * well_x) - C_B * well_x
    sample.plot("(a) Potential well", "log|h|", "U", [line("U", well_x, well_u)])
    sample.plot("(b) Phase portrait", "log|h|", "-u", lines)
    sample.note(f"the well's bottom: log|h| = {math.log(C_B / (2 * K_SQUARED)) / 2:.3f}")


CLAIMS = [
    Claim(
        id="lyu22/fig-4",
        statement=FIGURE_4,
        simulate=figure_4,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/appF.loss", "lyu22/appF.setup"),
        reading="t_1 is the first step at which 2/eta is below the sharpness of the minimizer "
        "(s, s, z) near by; the effective LR is followed from the first step on, which the large "
        "gradient at the start makes long; 'approaches': in the last tenth of 100 steps. The "
        "appendix' random rotation changes nothing, as the figure shows the coordinates before it.",
    ),
    Claim(
        id="lyu22/fig-6",
        statement=FIGURE_6,
        simulate=figure_6,
        examples=ONCE,
        since="default",
        rests_on=("lyu22/eq-16", "lyu22/appH2.potential"),
        reading="Periodic: after some time position and velocity are what they were. K = 2 and "
        "C_b = 1 are written out in the potential.",
    ),
]
