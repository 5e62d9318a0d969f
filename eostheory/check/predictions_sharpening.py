"""Progressive sharpening, and the small parameter of the theory (damian23, section 4 and 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from eostheory.check.context import Context
from eostheory.check.edge import EdgePoint
from eostheory.check.finding import (
    Counterexample,
    Outcome,
    Recipe,
    failed,
    not_applicable,
    passed,
    unknown,
)
from eostheory.check.inputs import written_out
from eostheory.check.registry import check
from eostheory.numeric.events import NumericEvent

NEEDS = ("smooth", "third-derivative", "simple-top-eigenvalue")
"""Every prediction differentiates the sharpness."""

LARGE = 1.0
"""At this epsilon no step is small: one step changes the sharpness by its distance to the edge."""


def on_a_run(body: Callable[[Context], Outcome]) -> Callable[[Context], Outcome]:
    """A check on real runs: what ends a run before anything is known makes it unknown."""

    @wraps(body)
    def guarded(ctx: Context) -> Outcome:
        try:
            return body(ctx)
        except NumericEvent as event:
            return unknown(f"the run ended: {event}; give another start= or learning_rate=")

    return guarded


def place(w: Tensor) -> Recipe:
    """A point of a run, to six digits where there are few numbers."""
    if len(w) <= 16:
        w = torch.tensor([float(f"{x:.6g}") for x in w.tolist()], dtype=w.dtype)
    return written_out(w)


def _noise(at: EdgePoint) -> float:
    """What rounding and the eigenvector's residual may make of alpha."""
    gradient = float(torch.linalg.vector_norm(at.gradient))
    scale = float(torch.linalg.vector_norm(at.slope)) + 1e-3 * abs(at.sharpness)
    return 1e-9 * gradient * scale


def _verdict(alphas: Sequence[float], noise: Sequence[float]) -> str:
    if all(a > n for a, n in zip(alphas, noise, strict=True)):
        return "positive"
    if all(abs(a) <= n for a, n in zip(alphas, noise, strict=True)):
        return "zero"
    if all(a <= n for a, n in zip(alphas, noise, strict=True)):
        return "negative"
    return "mixed"


@check(
    "progressive-sharpening",
    group="prediction",
    summary="alpha = -grad L . grad S is positive on the constrained trajectory",
    needs=NEEDS,
    claims=("damian23/def-2", "damian23/assumption-1"),
)
@on_a_run
def progressive_sharpening(ctx: Context) -> Outcome:
    """Along the constrained trajectory where the edge is met, else along gradient flow.

    Assumption 1 asks for ``alpha > 0``, so that alpha = 0 (a quadratic) breaks it as well.
    """
    run = ctx.run
    edge = run.edge
    if edge is None:
        return not_applicable(f"there is no edge of stability: {run.missing}")
    points = run.constrained if edge.reached else ()
    if points:
        alphas = [at.coefficients.alpha for at in points]
        noise, places = [_noise(at) for at in points], [at.point for at in points]
        steps = [float(at.step) for at in points]
        where, axis = f"on the constrained trajectory at 2/eta = {2 / run.eta:.4g}", "step"
    else:
        way = [at for at in run.way if at.sharpness > 0]
        alphas, noise = [at.alpha for at in way], [at.noise for at in way]
        places, steps = [at.w for at in way], [at.time for at in way]
        where, axis = "along gradient flow", "time"
    series = {axis: steps, "alpha": alphas}
    kind = _verdict(alphas, noise)
    more: dict[str, Any] = {
        "measured": min(alphas), "expected": "> 0", "tolerance": max(noise),
        "examples": len(alphas), "series": series,
    }  # fmt: skip
    if kind == "positive":
        return passed(
            f"alpha is at least {min(alphas):.4g} {where} ({len(alphas)} points; {run.why})", **more
        )
    k = min(range(len(alphas)), key=lambda i: alphas[i])
    if kind in ("negative", "zero"):
        if kind == "zero" and all(float(n) == 0 for n in noise):
            what = "the sharpness does not change, or the gradient is zero"
        elif kind == "zero":
            what = "the sharpness does not change to first order"
        else:
            what = "the sharpness falls, so that gradient descent leaves the edge"
        shown = alphas[k] if kind == "negative" else 0.0
        return failed(
            f"alpha = {shown:.4g} {where}, where progressive sharpening asks for alpha > 0: {what}",
            counterexample=Counterexample(
                {"w": place(places[k])},
                {"alpha": shown, axis: steps[k]},
                _python(run.decay),
            ),
            **more,
        )
    lasted = next((k for k, (a, n) in enumerate(zip(alphas, noise, strict=True)) if a <= n), 0)
    if points and lasted >= 2:
        return passed(
            f"alpha is at least {min(alphas[:lasted]):.4g} {where} for {steps[lasted - 1]:.0f} "
            f"steps ({run.why}); then the trajectory leaves the edge",
            **{**more, "measured": min(alphas[:lasted])},
        )
    rising = sum(a > n for a, n in zip(alphas, noise, strict=True))
    return unknown(
        f"alpha is positive at {rising} of {len(alphas)} points {where} and not at the others "
        f"(from {min(alphas):.3g} to {max(alphas):.3g}): a learning_rate= or start= at which the "
        f"edge is met where the sharpness rises would decide",
        **more,
    )


def _python(decay: float) -> str:
    """Lines that show alpha at the point ``w``."""
    loss = "loss" if decay == 0 else f"lambda w: loss(w) + {decay:g} / 2 * w @ w"
    return (
        "from eostheory.curvature import Products, Tracker\n"
        f"with Products({loss}, w) as products:\n"
        "    u = Tracker(1)(products).vectors[0]\n"
        "    print(-products.gradient @ products.third(u, u))  # alpha\n"
    )


@check(
    "small-epsilon",
    group="prediction",
    summary="epsilon = eta sqrt(alpha) is small at the edge of stability",
    needs=("progressive-sharpening",),
    claims=("damian23/def-6", "damian23/assumption-3"),
)
@on_a_run
def small_epsilon(ctx: Context) -> Outcome:
    """The theorems hold as epsilon tends to zero; how far from it the run is, in numbers.

    With epsilon >= 1 the sharpness changes in one step by as much as it may be off the edge, and
    there is no slow motion to predict; that fails.  Otherwise errors of relative size epsilon are
    to be expected, which :func:`predicted_dynamics` measures.
    """
    run = ctx.run
    points = [at for at in run.constrained if at.reached]
    if not points:
        return unknown(f"gradient descent met no edge to measure epsilon at: {run.missing}")
    found = [at.coefficients.epsilon for at in points]
    known = [e for e in found if not math.isnan(e)]
    if not known:
        return unknown("alpha is not positive on the constrained trajectory")
    worst = max(known)
    series = {"step": [float(at.step) for at in points], "epsilon": found}
    more: dict[str, Any] = {
        "measured": worst, "expected": "< 1", "tolerance": 0.0, "examples": len(known),
        "series": series,
    }  # fmt: skip
    where = f"at 2/eta = {2 / run.eta:.4g}"
    if worst >= LARGE:
        at = points[found.index(worst)]
        return failed(
            f"epsilon = eta sqrt(alpha) = {worst:.3g} {where}, not small: a smaller learning rate, "
            f"or an edge that is met later, makes it smaller",
            counterexample=Counterexample({"w": place(at.point)}, {"epsilon": worst}),
            **more,
        )
    return passed(
        f"epsilon = {worst:.3g} {where}: predictions should be off by that part, over some "
        f"{1 / worst:.0f} steps",
        **more,
    )
