"""The predicted dynamics beside gradient descent, and the limiting sharpness (damian23)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from eostheory.check.context import Context
from eostheory.check.finding import Outcome, failed, not_applicable, passed, unknown
from eostheory.check.orbit import Orbit, cycle, find_orbit
from eostheory.check.orders import Order, measure_order
from eostheory.check.predictions_sharpening import on_a_run
from eostheory.check.registry import check
from eostheory.check.tilted import Compared, compare, lowest
from eostheory.numeric.events import BecameNaN, Diverged

EPSILONS = 0.04, 0.1
"""The largest epsilon of a comparison: that of the loss where it lies between these."""

COUNT = 3
"""Scales, each half of the one before."""

TIME = 1.0
"""Steps times epsilon: theorem 1 speaks of ``O(1/epsilon)`` steps."""

SHARE = 0.3
"""The terms that assumption 5 excludes explain an error of which they are this part."""

GROWTH = 0.5
"""Logarithm by which negative curvature may stretch errors over the time that is looked at."""

CLEAR = 0.05
"""A limiting sharpness is wrong by more than this part of what it differs from 2/eta."""


def _scales(epsilon: float) -> list[float]:
    low, high = EPSILONS
    first = min(max(epsilon, low), high) / epsilon
    return [first / 2**k for k in range(COUNT)]


@check(
    "predicted-dynamics",
    group="prediction",
    summary="theorem 1: deviation, sharpness and loss of gradient descent are as predicted, with "
    "errors O(epsilon delta), O(epsilon^2 / eta) and O(epsilon delta^2 / eta)",
    needs=("small-epsilon",),
    claims=(
        "damian23/thm-1.deviation", "damian23/thm-1.sharpness", "damian23/thm-1.loss",
        "damian23/lemma-4", "damian23/appF.update",
    ),
)  # fmt: skip
@on_a_run
def predicted_dynamics(ctx: Context) -> Outcome:
    """Gradient descent beside eq. (6), with the drive lowered to see the order of the errors."""
    run = ctx.run
    center, eta = run.center, run.eta
    if center is None:
        return unknown(f"there is no constrained trajectory to start from: {run.missing}")
    scales = _scales(center.coefficients(eta).epsilon)
    runs = [compare(run.objective, center, eta, s, TIME) for s in scales]
    orders = judged(runs, eta)
    epsilons = [one.epsilon for one in runs]
    text = "; ".join(f"{name} {order}" for name, order in orders.items())
    message = (
        f"at epsilon = {', '.join(f'{e:.3g}' for e in epsilons)} (the loss with its gradient at "
        f"the edge lowered): {text}"
    )
    deviation = orders["deviation"]
    more: dict[str, Any] = {
        "measured": str(deviation), "expected": "order 2 or more, in epsilon", "tolerance": 0.25,
        "examples": COUNT, "series": runs[0].series,
    }  # fmt: skip
    kinds = [order.kind for order in orders.values()]
    if "breaks" not in kinds:
        if all(k in ("meets", "exact") for k in kinds):
            return passed(message, **more)
        # A slope that has not settled does not tell; the bound itself, with constant one, does.
        vague = [order for order in orders.values() if order.kind == "unclear"]
        if deviation.kind != "unclear" and all(order.worst <= 1 for order in vague):
            return passed(
                f"{message}; where the order is not settled the error is within "
                f"{max(order.worst for order in vague):.2g} of the bound at every epsilon",
                **more,
            )
    bottom = lowest(center)
    if -eta * bottom * TIME > GROWTH * epsilons[-1]:
        return not_applicable(
            f"{message}. Assumption 5 does not hold: the smallest eigenvalue of the Hessian is "
            f"{bottom:.3g}, where -epsilon/eta = {-epsilons[-1] / eta:.3g}: in 1/epsilon steps "
            f"every error grows exponentially",
            **more,
        )
    again = compare(run.objective, center, eta, scales[-1], TIME, terms=True)
    share = again.excluded / max(again.errors[0], 1e-300)
    if share >= SHARE:
        return not_applicable(
            f"{message}. Assumption 5 does not hold: third derivatives off u move gradient descent "
            f"by {share:.2g} of what the prediction is off, and theorem 1 leaves them out",
            **more,
        )
    # Where the loss along u is no parabola the generalized dynamics say what is to be expected.
    others = judged(
        [compare(run.objective, center, eta, s, TIME, general=True) for s in scales], eta
    )
    if all(order.kind in ("meets", "exact") for order in others.values()):
        found = "; ".join(f"{name} {order}" for name, order in others.items())
        return not_applicable(
            f"{message}. Assumption 3 does not hold: with the loss along u as it is, no parabola, "
            f"the generalized predicted dynamics (appendix F) are right: {found}",
            **more,
        )
    if "breaks" in kinds:
        return failed(f"{message}: gradient descent does not do what eq. (6) says", **more)
    return unknown(
        f"{message}: the slopes have not settled; a smaller epsilon (an edge met later) would "
        f"decide",
        **more,
    )


def judged(runs: list[Compared], eta: float) -> dict[str, Order]:
    """The orders of the three errors of theorem 1."""
    epsilons = [one.epsilon for one in runs]
    bounds = {
        "deviation": (2, [one.epsilon * one.delta for one in runs]),
        "sharpness": (2, [one.epsilon**2 / eta for one in runs]),
        "loss": (3, [one.epsilon * one.delta**2 / eta for one in runs]),
    }
    return {
        name: measure_order(epsilons, [one.errors[k] for one in runs], bound, claimed)
        for k, (name, (claimed, bound)) in enumerate(bounds.items())
    }


@check(
    "limiting-sharpness",
    group="prediction",
    summary="where the orbit of period two attracts, the sharpness comes to rest at "
    "2/eta - F'(delta)/delta + F''(delta)",
    needs=("small-epsilon",),
    claims=("damian23/lemma-5", "damian23/appF.standard-sharpness", "damian23/appF.criterion"),
)
@on_a_run
def limiting(ctx: Context) -> Outcome:
    """Gradient descent near a point of the constrained trajectory that is held still.

    The corrected formula: with the even part of F, and the sharpness along u.  What it misses is
    of fourth order in the drive, what it adds to 2/eta of second: a wrong coefficient shows.
    """
    run = ctx.run
    center, eta = run.center, run.eta
    if center is None:
        return unknown(f"there is no point of the constrained trajectory: {run.missing}")
    epsilon = center.coefficients(eta).epsilon
    first = _scales(epsilon)[0]
    slow = max(4 * cycle(first * epsilon), ctx.profile.steps)
    orbits: list[Orbit] = []
    for scale, steps in ((first, slow), (first / 2, 2 * slow)):
        try:
            orbit = find_orbit(run.objective, center, eta, scale, steps)
        except (BecameNaN, Diverged):
            return not_applicable("the orbit of period two does not attract: descent runs away")
        if orbit.kind == "leaves":
            return not_applicable(
                f"the orbit of period two does not attract: amplitudes go away from delta = "
                f"{orbit.limit.x:.3g} (damped it is where F'(x)/x falls, or the Hessian damps "
                f"grad S)",
                series=orbit.series,
            )
        orbits.append(orbit)
        if orbit.kind == "approaches":
            break
    last = orbits[-1]
    tolerance = last.epsilon**2 / eta
    message = (
        f"limiting sharpness {last.sharpness:.8g}, predicted {last.limit.sharpness:.8g} at "
        f"epsilon = {last.epsilon:.3g} (2/eta {last.change:+.4g})"
    )
    more: dict[str, Any] = {
        "measured": last.sharpness, "expected": last.limit.sharpness, "tolerance": tolerance,
        "examples": len(orbits), "series": last.series,
    }  # fmt: skip
    if last.kind == "approaches":
        return unknown(
            f"gradient descent is not at rest after {last.steps} steps: more steps would decide "
            f"(profile='thorough')",
            **more,
        )
    error, size = abs(last.error), max(abs(last.change), tolerance)
    order = _order(orbits)
    if error <= 0.01 * size or (order > 2.5 and error <= tolerance):
        return passed(f"{message}; the error falls with order {order:.2g} of the drive", **more)
    if error > CLEAR * size and order < 2.5:
        return failed(
            f"{message}: the error falls with order {order:.2g} only, so that the correction to "
            f"2/eta is wrong",
            **more,
        )
    return unknown(f"{message}: error of order {order:.2g}; a smaller epsilon would decide", **more)


def _order(orbits: list[Orbit]) -> float:
    """Exponent of the error in the scale, NaN where there is none."""
    found = math.nan
    for a, b in pairwise(orbits):
        if a.error and b.error:
            found = math.log(abs(a.error / b.error)) / math.log(a.scale / b.scale)
    return found
