"""The four phases and the norm of the output layer (li22, section 3), on a real run of a network.

Both are about a network with a linear output layer of one output under squared error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from eostheory.check.context import Context
from eostheory.check.finding import Outcome, failed, not_applicable, passed, unknown
from eostheory.check.predictions_sharpening import on_a_run
from eostheory.check.registry import check
from eostheory.check.run import RealRun
from eostheory.curvature import Products
from eostheory.numeric.dynamics import checked
from eostheory.numeric.events import NumericEvent
from eostheory.training.phases import four_phases

NEEDS = ("smooth", "simple-top-eigenvalue")
NUMERALS = ("-", "I", "II", "III", "IV")

MOST = 300
"""Steps of the run, each with its top eigenpair."""

NEAR = 0.01
"""Two steps with a factor this near to one tell neither growth nor decay."""

ROUNDINGS = 64 * 2.0**-52
"""Rounding of a sharpness or a norm, relative to it."""

CONFIDENCE = 1.96
"""Standard deviations: intervals of 95 %."""


@dataclass(frozen=True, eq=False)
class Told:
    """A run of gradient descent through the edge, one entry per step.

    Args:
        sharpness, loss: as they were.
        top: ``|grad L . u| / sqrt(S)``, which is proportional to ``|D . v_1|``: by the duality of
            section 2 the top eigenvector of the Gram matrix is ``dF u``.
        norm: of the output layer.
        phases: 1 to 4.
        noise: how far the sharpness may be off: the residual of its eigenpair.
    """

    sharpness: list[float]
    loss: list[float]
    top: list[float]
    norm: list[float]
    phases: list[int]
    noise: list[float]


_KNOWN: WeakKeyDictionary[RealRun, Told] = WeakKeyDictionary()


def no_network(ctx: Context) -> str:
    """Why li22 says nothing about this loss, or ''."""
    subject = ctx.subject
    objective = subject.objective
    if objective.predictors is None or subject.targets is None:
        return "it is about the outputs of a network, and this loss is a plain function"
    if objective.layout is None or objective.layout.output is None:
        return "the network has no output layer with a weight matrix"
    with torch.no_grad():
        outputs = objective.predictions(subject.start)
        value = float(objective(subject.start))
    targets = torch.as_tensor(subject.targets)
    if not targets.is_floating_point():
        return "it is about squared error, and the targets are classes"
    if outputs.numel() != len(outputs) or targets.numel() != outputs.numel():
        return "it is about one output per example"
    error = outputs.reshape(-1) - targets.reshape(-1).to(outputs)
    mean = float(torch.mean(error**2))
    if abs(mean - value) > 1e-6 * max(abs(mean), abs(value)):
        return "it is about the mean squared error, and the loss is something else"
    return ""


def tell(ctx: Context) -> Told:
    """Gradient descent from shortly before the edge, every step measured.

    Raises:
        NumericEvent: it ends before there are rows.
    """
    if ctx.run in _KNOWN:
        return _KNOWN[ctx.run]
    run, objective = ctx.run, ctx.run.objective
    layout = objective.layout
    if layout is None or layout.output is None:
        raise ValueError("the loss has no output layer; ask no_network() first")
    place, eta = layout.slice(layout.output), run.eta
    w, follow = run.launch, run.tracker()
    rows: list[tuple[float, ...]] = []
    for step in range(min(run.steps, MOST)):
        try:
            with Products(objective, w, step=step) as products:
                pair = follow(products)
                u, top = pair.vectors[0], float(pair.values[0])
                value, gradient = float(products.value), products.gradient
            w_next = checked(w - eta * gradient, step)
        except NumericEvent:
            if len(rows) < 8:
                raise
            break
        along = abs(float(torch.dot(gradient, u)))
        size = along / math.sqrt(top) if top > 0 else math.nan
        off = float(pair.residuals[0]) + ROUNDINGS * abs(top)
        rows.append((top, value, size, _norm(w[place]), off))
        w = w_next
    columns = [list(column) for column in zip(*rows, strict=True)]
    phases = [int(k) for k in four_phases(columns[0], columns[1], eta)]
    _KNOWN[ctx.run] = Told(columns[0], columns[1], columns[2], columns[3], phases, columns[4])
    return _KNOWN[ctx.run]


def _norm(x: Tensor) -> float:
    return float(torch.linalg.vector_norm(x))


def interval(share: float, count: float) -> tuple[float, float]:
    """Wilson's interval of a share of ``count`` independent cases."""
    if count <= 0:
        return 0.0, 1.0
    z = CONFIDENCE**2 / count
    middle = (share + z / 2) / (1 + z)
    half = CONFIDENCE / (1 + z) * math.sqrt(share * (1 - share) / count + z / (4 * count))
    return middle - half, middle + half


def _growth(told: Told, eta: float, above: bool) -> tuple[int, int]:
    """Pairs of steps above the edge, or below, and at how many the top residual grew, or shrank.

    By (3) it is multiplied by ``|1 - eta Lambda|`` in a step.  Two steps at a time, so that the
    oscillation of the sharpness does not count; those whose factor is within ``NEAR`` of one are
    left out, for the lemma asks for a margin (erratum to definition 3.1.III).
    """
    spoken = held = 0
    for t in range(len(told.top) - 2):
        a, b = told.sharpness[t : t + 2]
        factor = abs((1 - eta * a) * (1 - eta * b))
        grew = told.top[t + 2] > told.top[t]
        if above and factor > 1 + NEAR and min(a, b) > 1 / eta:
            spoken += 1
            held += grew
        elif not above and factor < 1 - NEAR:
            spoken += 1
            held += not grew
    return spoken, held


def _series(told: Told) -> dict[str, list[float]]:
    return {
        "step": [float(t) for t in range(len(told.loss))], "sharpness": told.sharpness,
        "loss": told.loss, "top residual": told.top, "output norm": told.norm,
        "phase": [float(k) for k in told.phases],
    }  # fmt: skip


@check(
    "four-phases",
    group="prediction",
    summary="phases I to IV follow each other, and the residual along the top eigenvector grows "
    "above 2/eta and shrinks below",
    needs=NEEDS,
    claims=("li22/def-3.1.I", "li22/def-3.1.II", "li22/def-3.1.III", "li22/def-3.1.IV",
            "li22/lemma-3.2.a"),
)  # fmt: skip
@on_a_run
def phases(ctx: Context) -> Outcome:
    """Growth and decay are counted where the corrected lemma speaks."""
    why = no_network(ctx)
    if why:
        return not_applicable(f"li22: {why}")
    run = ctx.run
    if run.edge is None or not run.edge.reached:
        return unknown(f"the sharpness does not reach 2/eta, only phase I is seen: {run.missing}")
    told = tell(ctx)
    counts = {"growth": _growth(told, run.eta, True), "decay": _growth(told, run.eta, False)}
    order = [k for i, k in enumerate(told.phases) if k and (i == 0 or told.phases[i - 1] != k)]
    seen = "-".join(NUMERALS[k] for k in order[:9]) + ("-..." if len(order) > 9 else "")
    shares = {name: held / max(1, spoken) for name, (spoken, held) in counts.items()}
    message = (
        f"phases {seen} in {len(told.loss)} steps at eta = {run.eta:g}; over pairs of steps the "
        f"top residual grows {counts['growth'][1]} of {counts['growth'][0]} times above the edge "
        f"and shrinks {counts['decay'][1]} of {counts['decay'][0]} times below"
    )
    more: dict[str, Any] = {
        "measured": min(shares.values()), "expected": "> 0.5", "tolerance": 0.0,
        "examples": sum(spoken for spoken, _ in counts.values()), "series": _series(told),
    }  # fmt: skip
    return _by_majority([(shares[k], counts[k][0] / 2) for k in shares], message, more,
                        missing=sorted({1, 2, 3, 4} - set(order)))  # fmt: skip


@check(
    "output-norm",
    group="prediction",
    summary="sharpness and norm of the output layer rise and fall together",
    needs=NEEDS,
    claims=("li22/assumption-3.1", "li22/fig-2"),
)
@on_a_run
def output_norm(ctx: Context) -> Outcome:
    """Means of two steps, so that the oscillation of period two does not count."""
    why = no_network(ctx)
    if why:
        return not_applicable(f"li22: {why}")
    told = tell(ctx)
    rises, norms = _changes(told.sharpness), _changes(told.norm)
    # Where the run has come to rest the last changes are those of rounding, and of eigenpairs: that
    # of a mean of two steps is half that of the ends.
    off = [(a + b) / 2 for a, b in zip(told.noise, told.noise[2:], strict=False)]
    least = [ROUNDINGS * a for a in told.norm]
    moving = [k for k in range(len(rises)) if abs(rises[k]) > off[k] and abs(norms[k]) > least[k]]
    rises, norms = [rises[k] for k in moving], [norms[k] for k in moving]
    together = [a * b > 0 for a, b in zip(rises, norms, strict=True)]
    share = sum(together) / max(1, len(together))
    # Steps of one stretch in which the sharpness only rises or falls are no independent cases.
    stretches = 1 + sum(a * b < 0 for a, b in pairwise(rises))
    message = (
        f"sharpness and output norm move the same way at {share:.1%} of {len(together)} steps, in "
        f"which the sharpness turns {stretches - 1} times"
    )
    more: dict[str, Any] = {
        "measured": share, "expected": "> 0.5", "tolerance": 0.0, "examples": len(together),
        "series": _series(told),
    }  # fmt: skip
    return _by_majority([(share, float(stretches))], message, more)


def _changes(values: list[float]) -> list[float]:
    """Changes of the mean of two steps."""
    means = [(a + b) / 2 for a, b in pairwise(values)]
    return [b - a for a, b in pairwise(means)]


def _by_majority(
    cases: list[tuple[float, float]],
    message: str,
    more: dict[str, Any],
    missing: list[int] | None = None,
) -> Outcome:
    """pass where every share is above one half beyond doubt, fail where one is below.

    li22 has no error term here, only a direction: what it can be held to is that it is right more
    often than chance, which would be right half of the time.
    """
    ranges = [interval(share, count) for share, count in cases]
    if any(high < 0.5 for _, high in ranges):
        return failed(f"{message}: that is not most of them", **more)
    if missing:
        lacking = ", ".join(NUMERALS[k] for k in missing)
        return unknown(f"{message}; phase {lacking} is not seen: more steps would show", **more)
    if all(low > 0.5 for low, _ in ranges):
        return passed(message, **more)
    return unknown(f"{message}: too few to tell from chance; more steps would", **more)
