r"""The predicted dynamics unfolded: Lemma 4 and eqs. (9), (10) of appendix C.

Setting:  v_0 given and v_{t+1} = P A_t v_t + eta P grad S_t^perp (delta_t^2 - x_t^2)/2
          - (1 + eta y_t) x_t u_{t+1}, eq. (6), along any sequence of Taylor data.
Claims:   the unfolded form (9); the closed form of x and y (Lemma 4, eq. 5); the two forms of
          beta_{s->t}; what they become when beta_{s->t} is constant.
Source:   Damian, Nichani, Lee, arXiv:2209.15594, section 5 and appendix C.

Sums and products are written out at times 0 to 3; one step of the induction from eq. (9) at t - 1
to eq. (9) at t carries them to every time.

Found: unfolding eq. (6) leaves P A_t ... A_1 A_0 v_0, which eq. (9) and Lemma 4 drop.  They hold
for a start along u_0 (as on the toy loss of appendix B), which the paper does not assume: theta_0
is the first point whose projection is on the edge, and oversteps it along grad S by up to one step,
which is as much as one step of eq. (5) moves y.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import Equation, Statement, dot

from . import _predicted as p
from ._common import eta
from ._predicted import after, first, fourth, now, response, responses, second, third, whole_sum

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# -------------------------------------------------------------------------------- statements
flip = Equation(after.x, -(1 + eta * now.y) * now.x)
unfolded: dict[str, Statement] = {
    "t = 0": Equation(
        second.v,
        eta * first.drive * (second.P @ first.perp) - (1 + eta * first.y) * first.x * second.u,
    ),
    "t = 2": Equation(
        fourth.v,
        eta * first.drive * (fourth.P @ third.A @ second.A @ first.perp)
        + eta * second.drive * (fourth.P @ third.A @ second.perp)
        + eta * third.drive * (fourth.P @ third.perp)
        - (1 + eta * third.y) * third.x * fourth.u,
    ),
    "step": Equation(after.v, eta * (after.P @ whole_sum) - (1 + eta * now.y) * now.x * after.u),
}
closed: dict[str, Statement] = {
    "x": flip,
    "y, t = 0": Equation(second.y, eta * response[0, 0] * first.drive),
    "y, t = 2": Equation(
        fourth.y,
        eta
        * (
            response[0, 2] * first.drive
            + response[1, 2] * second.drive
            + response[2, 2] * third.drive
        ),
    ),
    "y, step": Equation(after.y, eta * responses),
}
response_as_printed: dict[str, Statement] = {
    "s = t": Equation(response[0, 0], dot(second.perp, first.perp)),
    "t = s + 1": Equation(response[0, 1], dot(third.perp, second.A @ first.perp)),
    "t = s + 2": Equation(response[0, 2], dot(fourth.perp, third.A @ second.A @ first.perp)),
}


# -------------------------------------------------------------------------------- derivation
def derive_unfolded(m: Model) -> None:
    """Eq. (6) iterated, and the step of the induction."""
    m.uses("damian23/def-7")
    p.iterate(m)
    p.induction(m)


def derive_closed(m: Model) -> None:
    """The same, with the response coefficients of definition 4."""
    derive_unfolded(m)
    p.define_responses(m)
    m.define(responses, dot(after.perp, whole_sum))
    m.step("grad S_{t+1}^perp applied to the terms of the sum gives beta_{s->t}, term by term")


def derive_read_off(m: Model) -> None:
    """Coordinates of eq. (9)."""
    m.uses("damian23/eq-9")
    derive_closed(m)


def derive_response(m: Model) -> None:
    """Definition 4 against eq. (10)."""
    p.frame(m, *p.at_times)
    p.define_responses(m)


# -------------------------------------------------------------------------------- claims
START = {"start along u": "the displacement starts along the top eigenvector: P_{u_0}^perp v_0 = 0"}
INDUCTION = (
    "Sums and products are written out for t = 0 and t = 2; 'step' is the step of the induction, "
    "where the sum over s <= t is A_t times the sum over s < t, plus the new term. "
)
FEW = {"quick": 3, "default": 10, "thorough": 40}
SYMMETRIC = {
    "simulation:*transposed": "u is an eigenvector of the Hessian, so that A = (I - eta H) P is "
    "symmetric; the derivation does not use that"
}

CLAIMS = [
    Claim(
        "damian23/eq-9",
        unfolded,
        derive=derive_unfolded,
        simulate=p.observe_run,
        waive=SYMMETRIC,
        corrected_hypotheses=START,
        reading=INDUCTION,
        examples=FEW,
    ),
    Claim(
        "damian23/lemma-4",
        closed,
        derive=derive_closed,
        simulate=p.observe_run,
        corrected_hypotheses=START,
        reading=INDUCTION,
        examples=FEW,
    ),
    Claim(
        "damian23/lemma-4.p1",
        closed,
        derive=derive_read_off,
        simulate=p.observe_run,
        corrected_hypotheses=START,
        reading=INDUCTION,
        examples=FEW,
    ),
    Claim(
        "damian23/eq-10",
        response_as_printed,
        derive=derive_response,
        simulate=partial(p.observe_run, start_matters=False),
        waive=SYMMETRIC,
        reading="The product is empty for s = t.",
        examples=FEW,
    ),
]
