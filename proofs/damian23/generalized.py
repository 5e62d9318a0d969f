r"""The generalised predicted dynamics: any loss along the unstable direction (appendix F).

Setting:  F_t(x) = L(theta^dagger + x u) - L(theta^dagger) - x^2/eta is arbitrary; moving along
          grad S changes the sharpness by y.
Claims:   the update of x with the slope of F; the generalised dynamics and their closed form
          (Lemma 5, eq. 11); their orbit of period two, its y and its sharpness; on which side of
          2/eta the sharpness settles.
Source:   Damian, Nichani, Lee, arXiv:2209.15594, appendix F.

Found: the displayed update has the wrong sign before its last term; Lemma 5 drops the initial
displacement as Lemma 4 does; the fixed point of the standard dynamics has sharpness 2/eta, not 0;
the criterion needs F'' - F'/delta where the paper has F'' - delta F'; and the sign of F alone
decides neither the curvature of F nor the side on which the sharpness settles.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    Statement,
    Symbol,
    as_expr,
    dot,
    norm2,
    scalar,
    sign,
    substitute,
    to_latex,
    vector,
)

from . import _excess as ex
from . import _predicted as p
from ._common import D, beta, eta, gradL, hess, sharpness, u, x, x_next, y
from ._excess import (
    base,
    bend,
    delta,
    excess,
    first_pull,
    grad_line,
    grad_there,
    line,
    rho4,
    slope,
)
from ._predicted import after, now, responses
from .unfolding import FEW, INDUCTION, START, closed

if TYPE_CHECKING:
    from eostheory.symbolic import Model

zero = as_expr(0)
edge = 2 / eta
model = base + x**2 / eta

# -------------------------------------------------------------------------------- statements
excess_defined = Equation(excess, line - base - x**2 / eta)
sides = {
    "sub-quadratic": Equation(sign(excess), sign(line - model)),
    "super-quadratic": Equation(-sign(excess), sign(model - line)),
}
overestimates: dict[str, Statement] = {
    "loss": Inequality(line, "<", base + x**2 / eta),
    "sharpness": Inequality(2 / eta + bend, "<", 2 / eta),
}
not_the_line: dict[str, Statement] = {
    "step": Equation(x_next, x - eta * dot(u, grad_there)),
    "differs": Inequality(x - eta * dot(u, grad_there), "!=", x - eta * dot(u, grad_line)),
}
x_update = Equation(x_next, -(1 + eta * y) * x - eta * slope)
kicked = -(1 + eta * now.y) * now.x - eta * first_pull
update_printed: dict[str, Statement] = {
    "v": Equation(after.v, p.update(now, after, -(after.x * after.u))),
    "x": Equation(after.x, kicked),
}
update_true: dict[str, Statement] = {
    **update_printed,
    "v": Equation(after.v, p.update(now, after, after.x * after.u)),
}
reduces_printed = Equation(p.update(now, after, -(after.x * after.u)), p.update(now, after))
reduces_true = Equation(p.update(now, after, after.x * after.u), p.update(now, after))
closed_general: dict[str, Statement] = {**closed, "x": Equation(after.x, kicked)}
orbit_x = Equation(x, delta)
orbit_y = Equation(y, -slope / delta)
quadratic_orbit = {"x": Equation(x, delta), "y": Equation(y, zero)}
limiting_sharpness = Equation(sharpness, 2 / eta - slope / delta + bend)
sharpness_zero = Equation(sharpness, zero)
sharpness_edge = Equation(sharpness, 2 / eta)
quartic: dict[str, Statement] = {
    "limit": Equation(sharpness, 2 / eta + rho4 * delta**2 / 6 - rho4 * delta**2 / 2),
    "sum": Equation(
        2 / eta + rho4 * delta**2 / 6 - rho4 * delta**2 / 2, 2 / eta - rho4 * delta**2 / 3
    ),
    "below": Inequality(2 / eta - rho4 * delta**2 / 3, "<", 2 / eta),
}
above = Inequality(sharpness, ">", 2 / eta)
criterion = Equation(sign(bend - delta * slope), sign(sharpness - 2 / eta))
criterion_true = Equation(sign(bend - slope / delta), sign(sharpness - 2 / eta))


# -------------------------------------------------------------------------------- derivation
def derive_line(m: Model) -> None:
    """Taylor's formula along u at a point with u . grad L = 0 on the edge."""
    m.relation(norm2(u), 1, by="unit eigenvector")
    m.relation(hess @ u, edge * u, by="edge of stability")
    m.relation(dot(u, gradL), 0, by="the stable set")
    m.define(line, base + x * dot(gradL, u) + x**2 * dot(u, hess @ u) / 2 + excess)
    m.step("F is what Taylor's formula to second order leaves out along u")


def bent(m: Model, side: int) -> dict[Symbol, object]:
    """F = side (t^4 - 19/10 t^6 + t^8) and its derivatives at t = 7/10.

    It has one sign, since (19/10)^2 < 4, but its curvature and its slope over t do not.
    """
    place, wave = Fraction(7, 10), Fraction(19, 10)
    m.step("an excess with one sign that bends both ways", r"\pm(t^4 - \tfrac{19}{10} t^6 + t^8)")
    return {
        excess: side * (place**4 - wave * place**6 + place**8),
        slope: side * (4 * place**3 - 6 * wave * place**5 + 8 * place**7),
        bend: side * (12 * place**2 - 30 * wave * place**4 + 56 * place**6),
    }


def derive_overestimates(m: Model) -> None:
    """An excess that is negative and bends down."""
    derive_line(m)
    m.assume(Inequality(excess, "<", zero), by="loss")
    m.assume(Inequality(bend, "<", zero), by="sharpness")


def derive_step(m: Model) -> None:
    """One gradient step from theta^dagger + x u + w."""
    side, other, rest = (vector(name, D) for name in ("side", "other", "rest"))
    m.relation(norm2(u), 1, by="unit eigenvector")
    for w in (side, other, rest):
        m.relation(dot(u, w), 0, by="orthogonal to u")
    m.step("along u the loss is x^2/eta + F(x); moving along grad S adds y to its curvature")
    m.define(grad_line, (slope + 2 * x / eta) * u + side)
    m.define(grad_there, (slope + 2 * x / eta + y * x) * u + other)
    m.define(x_next, dot(u, x * u + rest - eta * grad_there))
    m.assume(Inequality(x * y, "!=", zero), by="moved")


def derive_update(m: Model) -> None:
    """The vector with this part orthogonal to the next eigenvector and this component along it."""
    p.frame(m, now, after)
    m.define(after.v, p.update(now, after, kicked * after.u))
    m.define(after.x, dot(after.u, after.v))
    m.step("x* is the coordinate of v* along u, as x is that of v")
    axis = {**p.on_axis(now), **p.on_axis(after)}
    m.example({**axis, now.v: (1, 1), now.x: 1, now.y: 1, eta: 1, first_pull: 1})


def derive_reduces(m: Model) -> None:
    """F = 0."""
    p.frame(m, now, after)
    m.define(after.x, -(1 + eta * now.y) * now.x)
    axis = {**p.on_axis(now), **p.on_axis(after)}
    m.example({**axis, now.v: (1, 1), now.x: 1, now.y: 1, eta: 1})


def derive_closed(m: Model) -> None:
    """Lemma 4 with the slope of F in the component along u, which A annihilates."""
    m.uses("damian23/appF.update")

    def tail(t: p.Time, nxt: p.Time) -> Expr:
        return (-(1 + eta * t.y) * t.x - eta * pulls[t.x]) * nxt.u

    pulls = {t.x: scalar(f"pull_{k}") for k, t in enumerate(p.at_times)} | {now.x: first_pull}
    p.iterate(m, tail)
    p.induction(m, tail)
    p.define_responses(m)
    m.define(responses, dot(after.perp, p.whole_sum))


place = scalar("place", "x", positive=True)


def orbit(m: Model) -> None:
    """Period two: y stays, x turns around."""
    m.uses("damian23/lemma-5")
    increment = eta * beta * (delta**2 - place**2) / 2
    m.step("eq. (11) with constant coefficients adds this to y", to_latex(increment))
    m.relation(place**2, m.normal(place**2 + 2 * increment / (eta * beta)), by="period two")
    m.define(x, place)
    height = scalar("rise", "y")
    left = -(1 + eta * height) * place - eta * slope + place
    m.step("x turns around: x_{t+1} = -x_t", to_latex(left))
    per_unit = m.differentiate(left, height, as_expr(1))
    m.define(y, -substitute(left, {height: zero}) / per_unit)
    jet = {} if m.derived(slope) is not None else {slope: 1, bend: 1}
    m.example({place: 2, delta: 2, eta: 1, beta: 1, **jet})


def derive_orbit(m: Model) -> None:
    """Where x and y are, for any slope and curvature of F."""
    orbit(m)
    m.step("S is the curvature of the loss along u there")
    m.define(sharpness, edge + y + bend)


def derive_no_excess(m: Model) -> None:
    """F = 0."""
    m.define(slope, zero)
    m.define(bend, zero)
    derive_orbit(m)


def derive_quartic(m: Model) -> None:
    """F(x) = -rho_4 x^4/24, differentiated."""
    at = scalar("at", "x")
    first_derivative = m.differentiate(-(rho4 * at**4) / 24, at, as_expr(1))
    second_derivative = m.differentiate(first_derivative, at, as_expr(1))
    m.define(slope, substitute(first_derivative, {at: delta}))
    m.define(bend, substitute(second_derivative, {at: delta}))
    derive_orbit(m)


def derive_super(m: Model) -> None:
    """An excess that is positive."""
    derive_orbit(m)
    m.assume(Inequality(excess, ">", zero), by="super")
    m.assume(Inequality(slope, "<", delta * bend), by="convex slope")
    if "convex slope" in m.withheld and "super" not in m.withheld:
        at = Fraction(7, 10)
        m.example({**bent(m, 1), delta: at, place: at, beta: 1, eta: 2})


# -------------------------------------------------------------------------------- claims
ORBIT = (
    "On the orbit of period two of eq. (11) with constant coefficients, with x > 0. The sharpness "
    "is the curvature of the loss along u, as in S = 2/eta + y + F''. "
)
FAMILY = "F(x) = +-(x^4 - 1.9 x^6 + x^8) has one sign and bends both ways. "
BELOW = {
    f"below:left {change}": "whatever positive number is taken from 2/eta, less is left"
    for change in ("-rho_4*delta**2*3**(-1) x1/2", "delta -> eta")
}
HALF = {"sharpness:left F2 x1/2": "half of a negative curvature is negative, too"}

CLAIMS = [
    Claim(
        "damian23/appF.F-definition",
        excess_defined,
        derive=derive_line,
        simulate=ex.on_the_line,
    ),
    Claim(
        "damian23/appF.sub-super-definition",
        sides,
        derive=derive_line,
        simulate=ex.on_the_line,
        reading="F < 0 (F > 0) where the quadratic model is above (below) the loss.",
    ),
    Claim(
        "damian23/appF.taylor-overestimates",
        overestimates,
        hypotheses={
            "loss": "the quadratic model overestimates the loss: F < 0",
            "sharpness": "it overestimates the sharpness: F'' < 0",
        },
        derive=derive_overestimates,
        simulate=partial(ex.one_sided, side=-1.0),
        waive=HALF,
        reading="The informal definition ('meaning that') of the introduction; super-quadratic has "
        "both signs reversed. Section F.1 then asks for F < 0 alone, which is less: " + FAMILY,
    ),
    Claim(
        "damian23/appF.noneq",
        not_the_line,
        hypotheses={"moved": "x_t and y_t are not zero"},
        derive=derive_step,
        simulate=ex.one_step,
        reading="'Not equal' is said of generic displacements: the sides differ by eta x y.",
    ),
    Claim(
        "damian23/appF.update",
        update_printed,
        derive=derive_update,
        simulate=ex.generalised_step,
        corrected=update_true,
        reading="x* is the coordinate of v* along u.",
    ),
    Claim("damian23/appF.x-update", x_update, derive=derive_step, simulate=ex.one_step),
    Claim(
        "damian23/appF.reduces",
        reduces_printed,
        derive=derive_reduces,
        simulate=partial(ex.generalised_step, pulled=False),
        corrected=reduces_true,
    ),
    Claim(
        "damian23/lemma-5",
        closed_general,
        derive=derive_closed,
        simulate=ex.generalised_run,
        corrected_hypotheses=START,
        reading=INDUCTION + "The update with its sign corrected (appF.update).",
        examples=FEW,
    ),
    Claim(
        "damian23/appF.fixed-point",
        orbit_x,
        derive=derive_orbit,
        simulate=ex.period_two,
        reading=ORBIT,
    ),
    Claim("damian23/appF.limit-y", orbit_y, derive=derive_orbit, simulate=ex.period_two),
    Claim(
        "damian23/appF.limiting-sharpness",
        limiting_sharpness,
        derive=derive_orbit,
        simulate=ex.period_two,
        reading=ORBIT + "The arrow is read as the value on that orbit.",
    ),
    Claim(
        "damian23/appF.quadratic-case",
        quadratic_orbit,
        derive=derive_no_excess,
        simulate=ex.quadratic_orbit,
        reading=ORBIT,
    ),
    Claim(
        "damian23/appF.standard-sharpness",
        sharpness_zero,
        derive=derive_no_excess,
        simulate=ex.quadratic_orbit,
        corrected=sharpness_edge,
        reading=ORBIT + "y = 0 there, so that the sharpness is 2/eta.",
    ),
    Claim(
        "damian23/appF.quartic",
        quartic,
        derive=derive_quartic,
        simulate=ex.quartic_orbit,
        waive=BELOW,
        reading=ORBIT,
    ),
    Claim(
        "damian23/appF.super-quadratic",
        above,
        hypotheses={"super": "the loss is super-quadratic: F > 0 at every x but 0"},
        derive=derive_super,
        simulate=partial(ex.one_sided_orbit, side=1.0),
        corrected_hypotheses={
            "convex slope": "F' is strictly convex on [0, delta], so that F'(delta) < delta F''"
        },
        reading=ORBIT + FAMILY + "Nor would F'' > 0 be enough. For F = +rho_4 x^4/24, the mirror "
        "image of the example printed before, it holds.",
    ),
    Claim(
        "damian23/appF.criterion",
        criterion,
        derive=derive_orbit,
        simulate=ex.power_orbit,
        examples=FEW,
        corrected=criterion_true,
        reading=ORBIT + "'Whether the loss converges to a value above or below 2/eta' is said of "
        "the sharpness.",
    ),
]
