"""The predicted dynamics beside gradient descent, and the limiting sharpness (damian23)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eostheory.check.context import Context
from eostheory.check.finding import Outcome, failed, not_applicable, passed, unknown
from eostheory.check.orbit import REST, Orbit, cycle, find_orbit
from eostheory.check.orders import (
    QUARTER,
    Order,
    all_met,
    measure_order,
    told,
    until_settled,
)
from eostheory.check.predictions_sharpening import on_a_run
from eostheory.check.registry import check
from eostheory.check.tilted import Compared, compare, lowest
from eostheory.numeric.events import BecameNaN, Diverged

EPSILONS = 0.04, 0.1
"""The largest epsilon of a comparison: that of the loss where it lies between these."""

COUNT = 3
"""Scales, each half of the one before."""

MORE = 2
"""Scales more, on a small loss, where the orders have not settled."""

TIME = 1.0
"""Steps times epsilon: theorem 1 speaks of ``O(1/epsilon)`` steps."""

GROWTH = 2 * math.log(2) * QUARTER
"""Logarithm g by which negative curvature may stretch errors at the smallest epsilon: half of it at
twice that, so that the slope between them changes by ``g / (2 log 2)``."""


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
    bottom = lowest(center)

    def grows(runs: Sequence[Compared]) -> bool:
        return -eta * bottom * TIME > GROWTH * runs[-1].epsilon

    runs: list[Compared] = []
    orders: dict[str, Order] = {}
    # Smaller scales take more steps, over which negative curvature stretches errors the more.
    for most in (COUNT,) if run.large else (COUNT, COUNT + MORE):
        runs, orders = until_settled(
            lambda s: compare(run.objective, center, eta, s, TIME),
            scales,
            lambda done: judged(done, eta),
            most,
            runs,
        )
        if all_met(orders) or grows(runs):
            break
    epsilons = [one.epsilon for one in runs]
    message = (
        f"at epsilon = {', '.join(f'{e:.3g}' for e in epsilons)} (the loss with its gradient at "
        f"the edge lowered): {told(orders)}"
    )
    more: dict[str, Any] = {
        "measured": str(orders["deviation"]), "expected": "order 2 or more, in epsilon",
        "tolerance": QUARTER, "examples": len(runs), "series": runs[0].series,
    }  # fmt: skip
    if all_met(orders):
        return passed(message, **more)
    if grows(runs):
        return not_applicable(
            f"{message}. Assumption 5 does not hold: the smallest eigenvalue of the Hessian is "
            f"{bottom:.3g}, where -epsilon/eta = {-epsilons[-1] / eta:.3g}: in 1/epsilon steps "
            f"every error grows exponentially",
            **more,
        )
    # Predictions with what assumptions leave out say whether that is the reason.
    others: dict[str, Order] = {}
    for general, complete in WITHOUT[2:] if run.large else WITHOUT:
        better = [
            compare(run.objective, center, eta, one.scale, TIME, general=general, complete=complete)
            for one in runs[:COUNT]
        ]
        others = judged(better, eta)
        if all_met(others) or _most_of(orders, runs[COUNT - 1], better[-1]):
            return not_applicable(
                f"{message}. {_lacking(general, complete)}: {told(others)}", **more
            )
    # Both the theorem and what it is an approximation of.
    if any(orders[k].kind == others[k].kind == "breaks" for k in orders):
        return failed(f"{message}: gradient descent does not do what eq. (6) says", **more)
    return unknown(
        f"{message}: the orders have not settled; a smaller epsilon (an edge met later, or a "
        f"smaller learning_rate=) would decide",
        **more,
    )


WITHOUT = (True, False), (False, True), (True, True)
"""The loss along u as it is; third derivatives off u; both."""


def _most_of(orders: dict[str, Order], plain: Compared, better: Compared) -> bool:
    """Whether most of each error that is not of the order claimed is gone at the same epsilon: then
    it was that of the terms which were put back."""
    pairs = zip(orders.values(), plain.errors, better.errors, strict=True)
    return all(b < a / 2 for order, a, b in pairs if order.kind not in ("meets", "exact"))


def _lacking(general: bool, complete: bool) -> str:
    texts = []
    if general:
        texts.append(
            "Assumption 3 does not hold: the loss along u is no parabola, and with it as it is "
            "(the generalized predicted dynamics, appendix F)"
        )
    if complete:
        texts.append(
            "Assumption 5 does not hold: theorem 1 leaves out third derivatives off u, with which"
        )
    return ". ".join(texts) + " most of the error is gone"


def judged(runs: list[Compared], eta: float) -> dict[str, Order]:
    """The orders of the three errors of theorem 1."""
    epsilons = [one.epsilon for one in runs]
    bounds = {
        "deviation": (2, [one.epsilon * one.delta for one in runs]),
        "sharpness": (2, [one.epsilon**2 / eta for one in runs]),
        "loss": (3, [one.epsilon * one.delta**2 / eta for one in runs]),
    }
    return {
        name: measure_order(
            epsilons, [one.errors[k] for one in runs], bound, claimed,
            [one.noise[k] for one in runs],
        )
        for k, (name, (claimed, bound)) in enumerate(bounds.items())
    }  # fmt: skip


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
    It holds where the Hessian does not damp ``grad S`` (section 4 has it in the kernel): where it
    does the orbit is not at delta, in the same order.
    """
    run = ctx.run
    center, eta = run.center, run.eta
    if center is None:
        return unknown(f"there is no point of the constrained trajectory: {run.missing}")
    epsilon = center.coefficients(eta).epsilon
    first = _scales(epsilon)[0]
    # What F damps falls with the square of the drive: at half of it four times as many cycles.
    few = 24 if ctx.subject.size <= 64 else 4
    slow = max(few * cycle(first * epsilon), ctx.profile.steps)
    orbits: list[Orbit] = []
    for scale, steps in ((first, slow), (first / 2, 4 * slow)):
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
    first_one, last = orbits[0], orbits[-1]
    message = (
        f"limiting sharpness {last.sharpness:.8g}, predicted {last.limit.sharpness:.8g} at "
        f"epsilon = {last.epsilon:.3g} (2/eta {last.change:+.4g})"
    )
    more: dict[str, Any] = {
        "measured": last.sharpness, "expected": last.limit.sharpness,
        "tolerance": last.epsilon**2 / eta, "examples": len(orbits), "series": last.series,
    }  # fmt: skip
    if last.kind == "approaches":
        return unknown(
            f"gradient descent is not at rest after {last.steps} steps: more steps would decide "
            f"(profile='thorough')",
            **more,
        )
    left, tolerance = extrapolated(*(_relative(one, eta) for one in orbits))
    said = (
        f"{message}; as the drive falls the error tends to {abs(left):.1%} of the correction, or "
        f"of epsilon^2/eta where that is larger (known to {tolerance:.1%})"
    )
    if abs(left) <= tolerance:
        return passed(said, **more)
    gone = [1 - one.amplitude / one.limit.x for one in orbits]
    away, known = extrapolated(gone[0], gone[1], REST)
    if abs(away) > known and last.damping > 0:
        return not_applicable(
            f"{message}. The Hessian damps grad S (by {last.damping:.3g}), where the formula has "
            f"it in the kernel (section 4): the amplitude of the orbit is "
            f"{last.amplitude / last.limit.x:.3f} delta, however small the drive, and the limit "
            f"of the sharpness another one",
            **more,
        )
    # A wrong coefficient leaves the same error relative to the correction.
    errors = [abs(_relative(one, eta)) for one in (first_one, last)]
    if errors[1] > errors[0] / math.sqrt(2):
        return failed(f"{said}, so that the correction to 2/eta is wrong", **more)
    return unknown(f"{said}: a smaller epsilon would decide", **more)


def _relative(orbit: Orbit, eta: float) -> float:
    """Error relative to the correction, or to the error term ``epsilon^2/eta`` of theorem 1."""
    return orbit.error / max(abs(orbit.change), orbit.epsilon**2 / eta)


def extrapolated(first: float, half: float, noise: float = 2 * REST) -> tuple[float, float]:
    """What a quantity tends to as the drive goes to zero, and how well that is known.

    Corrections are in powers of ``s^2``: of ``a + b s^2 + c s^4`` (4 half - first)/3 leaves
    a - c/4, where ``|c| <= |b|`` is no more than (first - half)/6.  An amplitude at rest is known
    to ``REST``, the sharpness, which depends on its square, to twice that.
    """
    return (4 * half - first) / 3, 5 / 3 * noise + abs(first - half) / 6
