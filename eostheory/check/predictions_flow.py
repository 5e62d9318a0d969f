"""The sharpness-reduction flow and the RMS-drift transitions of lyu22, on real runs."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from eostheory.check.context import Context
from eostheory.check.finding import Outcome, failed, not_applicable, passed, unknown
from eostheory.check.orders import Order, all_met, measure_order, told, until_settled
from eostheory.check.predictions_sharpening import on_a_run
from eostheory.check.reduction_runs import Followed, Transition, Valley, follow, transition
from eostheory.check.registry import check
from eostheory.check.run import RealRun
from eostheory.numeric.events import NumericEvent

NEEDS = ("smooth", "third-derivative", "simple-top-eigenvalue", "minimizer-manifold")

RATES = 0.1, 0.05, 0.025
"""Rates eta of the runs; gradient descent has a weight decay of about ``eta^2 / 2``."""

STATES = (0.5, 0.5), (0.8, -0.5)
"""``(h, u)`` before two steps, on both sides of the edge."""

TIME = 0.4
"""Time of the flow over which it is followed."""

MOST = 200
"""Parameters up to which the manifold is followed: its tangent space takes the dense Hessian."""

TRIED = 3
"""Minimizers that are looked at for one on a manifold."""

STILL = 1e-4
"""The flow hardly moves where the logarithm of the sharpness has a slope below this."""


_KNOWN: WeakKeyDictionary[RealRun, Valley | Outcome] = WeakKeyDictionary()
"""Both checks look at one valley."""


def _valley(ctx: Context) -> Valley | Outcome:
    """The manifold to follow, or why there is none."""
    if ctx.subject.size > MOST:
        return unknown(
            f"{ctx.subject.size} parameters: the manifold of minimizers is followed with the dense "
            f"Hessian, up to {MOST} of them; check a smaller model of the kind"
        )
    if ctx.run not in _KNOWN:
        _KNOWN[ctx.run] = _found(ctx)
    return _KNOWN[ctx.run]


def _found(ctx: Context) -> Valley | Outcome:
    spherical = ctx.run.scale_invariant
    minimizers = ctx.structure.found_minimizers
    if not minimizers:
        return unknown("no minimizer was found: a start= near one would help")
    event: NumericEvent | None = None
    isolated = False
    for at in minimizers[:TRIED]:
        try:
            valley = Valley(ctx.subject.objective, at.point, spherical=spherical)
        except NumericEvent as error:
            event = error
            continue
        if valley.dimension >= 1:
            return valley
        isolated = True
    if isolated:
        return not_applicable("minimizers are isolated: there is nothing to move along")
    return unknown(f"no minimizer to start from: {event}")


def _how(valley: Valley) -> str:
    if valley.spherical:
        return "gradient descent with weight decay"
    return "scalar RMSprop (the loss is not scale-invariant)"


@check(
    "sharpness-reduction-flow",
    group="prediction",
    summary="descent at the edge of stability near a manifold of minimizers follows the "
    "sharpness-reduction flow, to O(eta_in^(1/4))",
    needs=NEEDS,
    claims=("lyu22/thm-4.7", "lyu22/thm-B.10", "lyu22/thm-B.13", "lyu22/cor-B.14"),
)
@on_a_run
def sharpness_reduction_flow(ctx: Context) -> Outcome:
    """Gradient descent with weight decay (theorem 4.7), or scalar RMSprop (corollary B.14)."""
    valley = _valley(ctx)
    if isinstance(valley, Outcome):
        return valley
    slope = valley.slope(valley.point).length
    if slope < STILL:
        return not_applicable(
            f"the sharpness is stationary along the manifold of minimizers (slope {slope:.2g}): "
            f"the flow rests"
        )
    runs, orders = until_settled(
        lambda eta: follow(valley, eta, TIME), RATES, _of_flow, len(RATES) + 1
    )
    last = runs[-1]
    message = (
        f"{_how(valley)} follows a flow that moves {last.moved:.3g} on a manifold of dimension "
        f"{valley.dimension}, eta = {', '.join(f'{one.eta:g}' for one in runs)}: {told(orders)}"
    )
    more: dict[str, Any] = {
        "measured": last.drift, "expected": 0.0, "tolerance": last.eta**0.5 * last.moved,
        "examples": len(runs), "series": last.series,
    }  # fmt: skip
    return _verdict(orders, message, "the flow (8) is not what it follows", "smaller rates", more)


@check(
    "rms-drift",
    group="prediction",
    summary="two steps near the manifold of minimizers are an RMS-drift transition: "
    "h' = (1 - 2 eta u) h + O(eta^2), "
    "u' = u + 4 eta h^2 (2 C_b + |grad log lambda_1|^2) - 2 eta C_b + O(eta^2)",
    needs=NEEDS,
    claims=("lyu22/lemma-H.11", "lyu22/lemma-H.20", "lyu22/def-H.2", "lyu22/eq-22", "lyu22/eq-24"),
)
@on_a_run
def rms_drift(ctx: Context) -> Outcome:
    """From several states ``(h, u)``, at ever smaller rates."""
    valley = _valley(ctx)
    if isinstance(valley, Outcome):
        return valley
    runs, orders = until_settled(
        lambda eta: tuple(transition(valley, eta, h, u) for h, u in STATES),
        [eta / 2 for eta in RATES], _of_transitions, len(RATES) + 3,
    )  # fmt: skip
    rates = [pair[0].eta for pair in runs]
    rows = [(one.eta, one.changes[1], one.predicted[1]) for pair in runs for one in pair]
    message = (
        f"two steps of {_how(valley)}, eta = {', '.join(f'{eta:g}' for eta in rates)}: "
        f"{told(orders)}"
    )
    series = {
        name: [row[k] for row in rows] for k, name in enumerate(("eta", "change", "predicted"))
    }
    more: dict[str, Any] = {
        "measured": rows[-1][1], "expected": rows[-1][2], "tolerance": rates[-1] ** 2,
        "examples": len(rows), "series": series,
    }  # fmt: skip
    return _verdict(
        orders, message, "the transition (22), (24) is not what they are", "smaller rates", more
    )


def _of_flow(runs: list[Followed]) -> dict[str, Order]:
    rates = [one.eta for one in runs]
    roots, moved = [eta**0.5 for eta in rates], runs[-1].moved
    return {
        "distance": measure_order(rates, [one.distance for one in runs], roots, 0.5),
        # What the oscillation of size eta hides.
        "distance of the two-step mean": measure_order(
            rates, [one.drift for one in runs], [root * moved for root in roots], 0.5
        ),
    }


def _of_transitions(runs: list[tuple[Transition, ...]]) -> dict[str, Order]:
    rates = [pair[0].eta for pair in runs]
    found = {}
    for n, (h, u) in enumerate(STATES):
        for k, name in enumerate("hu"):
            errors = [abs(pair[n].changes[k] - pair[n].predicted[k]) for pair in runs]
            noise = [pair[n].noise[k] for pair in runs]
            found[f"{name} from ({h:g}, {u:g})"] = measure_order(
                rates, errors, [eta**2 for eta in rates], 2, noise
            )
    return found


def _verdict(
    orders: dict[str, Order], message: str, wrong: str, decides: str, more: dict[str, Any]
) -> Outcome:
    if all_met(orders):
        return passed(message, **more)
    if any(order.kind == "breaks" for order in orders.values()):
        return failed(f"{message}: {wrong}", **more)
    return unknown(f"{message}: the slopes have not settled; {decides} would decide", **more)
