"""What damian23 says about figure 4, beside what the records say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eostheory.experiments.experiment import Finding
from eostheory.experiments.results import Results
from eostheory.training import Records

if TYPE_CHECKING:
    from eostheory.experiments.damian23.predicted_dynamics import DynamicsSettings

Array = npt.NDArray[np.float64]
LARGER_PART = 0.5
"""The paper says "accurately", without a number.  A prediction tracks when it explains the larger
part of the variation, which a constant, or the constrained trajectory alone, does not."""


def two_step(values: Array) -> Array:
    """The mean with the value a step before; NaN where there is none."""
    found = np.full(len(values), np.nan)
    found[1:] = (values[1:] + values[:-1]) / 2
    return found


def rises(y: Array) -> list[int]:
    """Rows at which y comes back above zero: each closes a cycle."""
    return [int(row) + 1 for row in np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))]


def first_cycle(y: Array) -> tuple[int, int]:
    """First and last row of the first cycle: from the edge until y comes back above zero (or to the
    end, when it does not)."""
    closed = rises(y)
    return 0, closed[0] if closed else len(y) - 1


def explained(true: Array, predicted: Array) -> float:
    """The share of the variation of ``true`` that ``predicted`` explains: one less the squared
    error over the variance."""
    known = np.isfinite(true) & np.isfinite(predicted)
    true, predicted = true[known], predicted[known]
    if len(true) < 2 or float(np.var(true)) == 0:
        return float("nan")
    return 1 - float(np.mean((true - predicted) ** 2) / np.var(true))


def findings(settings: DynamicsSettings, results: Results) -> list[Finding]:
    """Tracking over the first cycle, closeness throughout, the flow, and the fixed point."""
    if "deviation" not in results or len(results["deviation"].rows) < 4:
        return []  # the edge is not reached yet
    found, eta = results["deviation"], settings.eta
    _, end = first_cycle(found["y"])
    closed = len(rises(found["y"]))
    cycle = slice(0, end + 1)
    delta, epsilon = float(found["delta"][0]), float(np.nanmax(found["epsilon"][cycle]))
    excess = found["constrained loss"]
    sharp = np.abs(found["sharpness"] - found["predicted sharpness"])[cycle].max()
    lost = np.abs(found["loss"] - found["predicted loss"])[cycle].max()
    off = found["error"][cycle].max()
    pairs = (
        ("loss above the constrained trajectory's", found["loss"] - excess,
         found["predicted loss"] - excess,
         f"largest error {lost:.2g} = {lost * eta / (epsilon * delta**2):.2g} epsilon delta^2/eta"),
        ("sharpness (mean of two steps)", found["mean sharpness"],
         two_step(found["predicted sharpness"]),
         f"largest error of single steps {sharp:.2g} = {sharp * eta / epsilon**2:.2g} "
         "epsilon^2/eta"),
        ("distance from the constrained trajectory", found["deviation"],
         found["predicted deviation"],
         f"|v - v*| at most {off:.2g} = {off / (epsilon * delta):.2g} epsilon delta, "
         f"{off / found['deviation'][cycle].max():.2g} of the largest |v|"),
    )  # fmt: skip
    said = "accurately predicted; theorem 1: O({})"
    orders = ("epsilon delta^2/eta", "epsilon^2/eta", "epsilon delta")
    made = [
        Finding(
            f"share of the variation of the {name} over the first cycle that is predicted",
            said.format(order),
            share := explained(true[cycle], predicted[cycle]),
            share > LARGER_PART,
            f"{end} steps, epsilon = {epsilon:.2g}, delta = {delta:.3g}; {note}",
        )
        for (name, true, predicted, note), order in zip(pairs, orders, strict=True)
    ]
    whole = [explained(true, predicted) for _, true, predicted, _ in pairs]
    made.append(
        Finding(
            "the least of these shares over the whole run",
            "the lower row shows the whole run tracked; theorem 1: for O(1/epsilon) steps",
            min(whole),
            min(whole) > LARGER_PART if closed else None,
            f"loss {whole[0]:.3g}, sharpness {whole[1]:.3g}, distance {whole[2]:.3g} over "
            f"{int(found['step'][-1]) * epsilon:.3g}/epsilon steps; errors add up over cycles",
        )
    )
    made += [_oscillation(settings, found["mean sharpness"], closed), _closeness(found, closed)]
    made += [_fixed_point(found, closed), *_flow(settings, results, found["deviation"])]
    ended = found.end
    made.append(
        Finding(
            "what ended the run",
            f"the second eigenvalue reached {settings.stop:g}/eta",
            "not over" if ended is None else str(ended["end"]),
            None,
            f"after {int(found['step'][-1])} steps; second eigenvalue at most "
            f"{float(found['next eigenvalue'].max()) * eta:.3g}/eta, {closed} cycles",
        )
    )
    return made


def _oscillation(settings: DynamicsSettings, mean: Array, closed: int) -> Finding:
    edge = 2 / settings.eta
    known = mean[np.isfinite(mean)]
    below, above = float(known.min()) / edge, float(known.max()) / edge
    return Finding(
        "two-step mean of the sharpness over 2/eta",
        "hovers around 1: self-stabilization brings it back",
        f"{below:.3f} to {above:.3f}",
        bool(below < 1 < above) if closed else None,
        "" if closed else "no cycle has closed yet: take more steps",
    )


def _closeness(found: Records, closed: int) -> Finding:
    """The largest distance of the last third of the run against that of the first."""
    v = found["deviation"]
    third = max(1, len(v) // 3)
    early, late = float(v[:third].max()), float(v[-third:].max())
    return Finding(
        "largest distance from the constrained trajectory, last third of the run over first",
        "remain close throughout training",
        late / early,
        late <= early if closed else None,
        "" if closed else "no cycle has closed yet: take more steps",
    )


def _fixed_point(found: Records, closed: int) -> Finding:
    """Mean of |log(|v|/delta)| over the cycles: how far the distance is from delta."""
    kept = found["delta"] > 0
    if kept.sum() < 4:
        return Finding(
            "mean |log(distance/delta)|, second half of the run over first",
            "the distance converges to delta after a few cycles: below 1",
            "no delta",
            None,
            "alpha is negative: the sharpness does not rise",
        )
    off = np.abs(np.log(found["deviation"][kept] / found["delta"][kept]))
    half = len(off) // 2
    first, last = float(np.mean(off[1:half])), float(np.mean(off[half:]))
    ratio = float(np.mean(found["deviation"][kept][half:] / found["delta"][kept][half:]))
    # "After a few cycles": two at least.
    enough = closed >= 2
    return Finding(
        "mean |log(distance/delta)|, second half of the run over first",
        "the distance converges to delta after a few cycles: below 1",
        last / first,
        last < first if enough else None,
        f"{closed} cycles; distance/delta is {ratio:.3g} on average in the second half"
        + ("" if enough else "; judged from two cycles on"),
    )


def _flow(settings: DynamicsSettings, results: Results, deviation: Array) -> list[Finding]:
    if "flow" not in results or len(results["flow"].rows) < 4:
        return []
    flow = results["flow"]
    t, distance = flow["time"] / settings.eta, flow["distance"]
    later = t >= t[-1] / 4  # the exponent is that of growth, not of how it begins
    exponent = float(np.polyfit(np.log(t[later]), np.log(distance[later]), 1)[0])
    return [
        Finding(
            "distance of gradient flow from gradient descent at the end, over the largest |v|",
            "diverges, while the constrained trajectory remains close: above 1",
            float(distance[-1] / deviation.max()),
            bool(distance[-1] > deviation.max()),
        ),
        Finding(
            "exponent with which that distance grows with time",
            "1: at a linear rate",
            exponent,
            None,
            "the paper shows it on other data",
        ),
    ]
