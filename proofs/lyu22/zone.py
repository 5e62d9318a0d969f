"""States that stay in the working zone (lemmas H.9, H.11 and H.20)."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Inequality,
    Statement,
    norm,
    norm2,
    scalar,
    vector,
)

from ._edge import draw_edge
from ._notation import (
    P0,
    D,
    H,
    T,
    eps0,
    eta,
    foot,
    h0,
    nzt2,
    phi0,
    place1,
    place2,
    v1,
    zeta,
)
from ._states import contraction, two
from ._valley import Array
from .drift import CONSTANT, EQUATIONS, EXAMPLES, GAP, HYPOTHESES, LOOSE, SIGN

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.formula import Symbol
    from eostheory.symbolic import Model

Parts = dict[str, Statement]
reach = scalar("reach", r"C\alpha\eta", positive=True)
away = vector("away", D, "x_t")
hop = vector("hop", D)
rest = vector("rest", D, r"(\phi_t-\zeta)")

ZONE = {"small": "the state is alpha-bounded and eta is small: C alpha eta <= epsilon_0/4"}
ROOM = {"*- zeta) x1.001": "the landing is within 3/4 epsilon_0: a thousandth more is no matter"}
INNER = {"inner": "phi_t is within epsilon_0/2 of the flow's path, as it is along the whole proof"}


def _zone(m: Model, land: Symbol, case: dict[Any, Any]) -> None:
    """Where a state lands whose displacement stays O(alpha eta); ``case`` completes an example."""
    m.step("Before and after, the state is O(alpha eta) from phi_t (Lemma J.1, zeroth order).")
    m.uses("lyu22/lemma-J.1.a")
    m.define(land, phi0 + hop)
    m.define(phi0, zeta + rest)
    m.assume(Inequality(norm2(hop), "<=", reach**2))
    m.assume(Inequality(4 * reach, "<=", eps0), by="small")
    m.assume(Inequality(4 * norm2(rest), "<=", eps0**2), by="inner")
    m.step(
        "Where sharpness is constant along the valley (a^2, or a^2/|w|^2 on the sphere) the flow "
        "rests, and the zone is a ball. With u < 0 each step lengthens the displacement, so that "
        "a state just inside the zone's edge leaves it. This happens at every eta."
    )
    if "inner" in m.withheld:
        m.assume(Inequality(norm2(away), "<=", reach**2))
        m.assume(Inequality(norm2(rest + away), "<", eps0**2))
        m.example({**(_edge_of_sphere() if foot in case else _edge_of_plane()), **case})


def _edge_of_plane() -> dict[Any, Any]:
    """One exact step of the moment (99/100)^2 where the edge's moment is 1, across the edge."""
    rate, out = 1 / Fraction(99, 100), Fraction(99, 10000)
    landed = {away: (out, 0), hop: ((1 - 2 * rate) * out, 0)}
    places = {zeta: (0, 0), rest: (0, Fraction(19999, 20000))}
    return {**places, **landed, reach: Fraction(1, 50), eps0: 1}


def _edge_of_sphere() -> dict[Any, Any]:
    """The loss a^2/|w|^2 on the sphere: the angle to the valley grows from q to q' = 100/99 q."""
    here, there = (_lifted(Fraction(1, q)) for q in (100, 99))
    places = {zeta: (0, 1, 0), rest: (0, Fraction(-2, 5), Fraction(4, 5))}
    between = Fraction(8945626, 10**7)
    return {**places, away: here, hop: there, reach: Fraction(1, 20), eps0: between}


def _lifted(q: Fraction) -> tuple[Fraction, ...]:
    """The displacement from (0, 3/5, 4/5) to the unit vector lifted by the angle 2 arctan q."""
    drop = (1 - q**2) / (1 + q**2) - 1
    return (2 * q / (1 + q**2), drop * Fraction(3, 5), drop * Fraction(4, 5))


def _inside(land: Symbol) -> Inequality:
    return Inequality(norm(land - zeta), "<", eps0)


def _run_zone(sample: Sample, land: Symbol, steps: int, sphere: bool) -> None:
    """Real steps in a valley of constant sharpness, where the sharpness-reduction flow rests."""
    dim = sample.draw(st.integers(3, 6), "dimension")
    rng = np.random.default_rng(sample.draw(st.integers(0, 10**6), "loss"))
    eta_0 = 2.0 ** -sample.draw(st.integers(5, 8), "-log2 eta")
    sharpness, amount = rng.uniform(1, 3), eta_0 * rng.uniform(0.5, 1)
    side = rng.normal(size=(2, dim)) * (np.arange(dim) > 0)
    # On the sphere the valley's point lies within a right angle of the flow's.
    side[1] += 3 * side[0] * sphere
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    center, foot = (side[0], side[1]) if sphere else (1e4 * rng.normal(size=dim), side[1])
    axis = np.eye(dim)[0]
    start = (axis * np.sin(amount) + foot * np.cos(amount)) if sphere else foot + amount * axis
    after = _walk(start, sharpness, eta_0, steps, sphere)
    shift = 0.0 if sphere else center
    before, then = (float(np.linalg.norm(p + shift - center)) for p in (start, after))
    # The zone's edge lies between the distances before and after, or twice as far as phi_t.
    reach_2 = 2 * float(np.linalg.norm(foot + shift - center))
    edge_at = reach_2 if sample.holds("inner") else float(np.sqrt((before**2 + then**2) / 2))
    sample.observe({land: after + shift, zeta: center, eps0: edge_at})


def _walk(start: Array, sharpness: float, eta_0: float, steps: int, sphere: bool) -> Array:
    """Gradient steps with the RMSprop scheduler from u < 0, normalized on the sphere."""

    def loss(point: torch.Tensor) -> torch.Tensor:
        return sharpness * point[0] ** 2 / 2 / ((point @ point) if sphere else 1.0)

    moment, decay = (1 - eta_0) ** 2 * (sharpness / 2) ** 2, 1 - eta_0**2
    point = torch.tensor(start)
    for _ in range(steps):
        slope = torch.func.grad(loss)(point)
        point = point - slope / moment**0.5
        point = point / point.norm() if sphere else point
        moment = decay * moment + (1 - decay) * float(slope @ slope) / eta_0**2
    return np.asarray(point.numpy())


def _spherical(m: Model, sphere: bool, land: Symbol) -> None:
    """Two steps, the non-top part, and the zone."""
    two(m, sphere)
    contraction(m, h0**2 * eta**2, (nzt2, 2))
    _zone(m, land, _case(sphere))


def _case(sphere: bool) -> dict[Any, Any]:
    """A minimizer with one positive curvature, 2; on the sphere, phi is the last axis."""
    names = ("gamma", "curvature", "lam", "K", "shrink", "part_nzt2")
    values = (Fraction(1, 4), 1, 2, 1, 0, 0)
    scalars = {scalar(k): v for k, v in zip(names, values, strict=True)}
    size = 3 if sphere else 2
    axes = [tuple(int(i == j) for j in range(size)) for i in range(size)]
    none = (0,) * size
    table: dict[Any, Any] = {
        v1: axes[0],
        vector("off_axis", D): axes[1],
        H: ((2, *none[1:]), *[none] * (size - 1)),
        P0: (none, *axes[1:]),
    }
    bent: list[list[tuple[Any, ...]]] = [[none] * size for _ in range(size)]
    if sphere:
        phi = (Fraction(0), Fraction(3, 5), Fraction(4, 5))
        table[foot] = phi
        bent[0][0] = (0, -4 * phi[1], -4 * phi[2])
        for k in (1, 2):
            bent[0][k] = bent[k][0] = (-4 * phi[k], 0, 0)
    return scalars | table | {T: tuple(map(tuple, bent))}


def _both(sample: Sample, sphere: bool) -> None:
    """A transition, and a state at the edge of the working zone."""
    _run_zone(sample, place2, 2, sphere)
    draw_edge(sample, sphere)


def _moved(name: str, sphere: bool) -> Claim:
    parts: Parts = {"zone": _inside(place2)} | {str(k): EQUATIONS[k] for k in (22, 23, 24, 25)}
    return Claim(
        f"lyu22/{name}",
        parts,
        HYPOTHESES | GAP | ZONE,
        derive=partial(_spherical, sphere=sphere, land=place2),
        simulate=partial(_both, sphere=sphere),
        corrected_hypotheses=INNER,
        waive=LOOSE | ROOM,
        reading=f"{SIGN} {CONSTANT}",
        examples=EXAMPLES,
    )


CLAIMS = [
    Claim(
        "lyu22/lemma-H.9.zone",
        _inside(place1),
        ZONE,
        derive=partial(_zone, land=place1, case={}),
        simulate=partial(_run_zone, land=place1, steps=1, sphere=False),
        corrected_hypotheses=INNER,
        waive=ROOM,
        reading=(
            "Z^{epsilon_0} is the epsilon_0-neighbourhood of Z; "
            "zeta is the point of Z nearest phi_t."
        ),
    ),
    _moved("lemma-H.11", False),
    _moved("lemma-H.20", True),
]
