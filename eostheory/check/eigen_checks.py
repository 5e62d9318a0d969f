"""The top eigenpair of the Hessian: simple, with the gradient that the theory says, and the loss
along it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from eostheory.check.finding import (
    Counterexample,
    Outcome,
    Recipe,
    Undecided,
    Violated,
    failed,
    passed,
    unknown,
)
from eostheory.check.inputs import start_itself, written_out
from eostheory.check.registry import check
from eostheory.check.structure import Top
from eostheory.check.valley import excess_bend, valley
from eostheory.curvature import Products
from eostheory.numeric.events import NumericEvent

if TYPE_CHECKING:
    from eostheory.check.context import Context

POINTS = 8
"""Points of the way of gradient descent at which the top eigenvalue is demanded to be simple."""

SIZES = 5
"""Step sizes of the differences, each a quarter of the one before."""


# ------------------------------------------------------------------------ simple eigenvalue
@check(
    "simple-top-eigenvalue",
    group="structure",
    summary="the top eigenvalue of the Hessian is simple at the start and on the way to the edge",
    needs=("hessian",),
    claims=("damian23/assumption-2", "lyu22/assumption-4.6"),
)
def simple_top_eigenvalue(ctx: Context) -> Outcome:
    """Demanded where a run meets it, as the theory does (damian23, assumption 2): at the start (or
    beside it, where the start is stationary) and along gradient descent up to the edge.

    Elsewhere crossings are no fault: in two parameters and more they are isolated, of codimension
    two.  The sign of the eigenvalue does not matter here; the edge asks for a positive one.
    """
    points, note = _way(ctx)
    least: tuple[float, int, Top] | None = None
    gaps: list[float] = []
    for number, (where, w) in enumerate(points):
        try:
            top = ctx.structure.top(w.tensor, least[2] if least else None)
        except NumericEvent as event:
            if number == 0:
                return unknown(
                    f"the top eigenpair {where} is not known: {event}; another start may tell"
                )
            continue
        if not top.simple:
            return _repeated(where, *_short(ctx, w, top), number + 1)
        gaps.append(top.gap)
        share = top.gap / top.size if top.size > 0 else math.inf
        if least is None or share < least[0]:
            least = (share, number, top)
    if least is None:
        return unknown("no point was found at which the Hessian is finite; give start=")
    _, number, top = least
    first = ctx.structure.top(points[0][1].tensor)
    if top.next_value == -math.inf:
        text = "one parameter, one eigenvalue"
    else:
        text = (
            f"simple at {len(gaps)} point{'s' * (len(gaps) > 1)} ({note}); smallest eigengap "
            f"{top.gap:.4g} ({top.value:.6g} over {top.next_value:.6g}) {points[number][0]}"
        )
    if not first.value > 0:
        text += (
            f"; the sharpness {points[0][0]} is {first.value:.4g}, not positive: there is no edge "
            "until it is"
        )
    return passed(
        text,
        measured=top.gap if math.isfinite(top.gap) else None,
        tolerance=top.gap_error,
        examples=len(gaps),
        series={"point": [float(k) for k in range(len(gaps))], "eigengap": gaps},
    )


def _short(ctx: Context, w: Recipe, top: Top) -> tuple[Recipe, Top]:
    """The point with few digits, if the eigenvalue is repeated there as well."""
    if w.code == "start":
        return w, top
    for digits in (1, 2, 3):
        near = torch.round(w.tensor, decimals=digits)
        try:
            there = ctx.structure.top(near)
        except NumericEvent:
            continue
        if not there.simple and near in ctx.subject.domain:
            return written_out(near), there
    return w, top


def _repeated(where: str, w: Recipe, top: Top, examples: int) -> Outcome:
    if top.size == 0.0:
        text = f"the Hessian {where} is zero, so that all its eigenvalues are equal"
    else:
        text = (
            f"the top eigenvalue {where} is repeated: {top.value:.9g} and {top.next_value:.9g} "
            f"differ by {top.gap:.2g}, rounding explains {top.gap_error:.1g}"
        )
    return failed(
        f"{text}; sharpness has no gradient there. Take another start=, or break the symmetry "
        "that makes the eigenvalues equal",
        counterexample=Counterexample(
            {"w": w}, {"first": top.value, "second": top.next_value, "gap": top.gap}
        ),
        measured=top.gap,
        expected="> 0",
        tolerance=top.gap_error,
        examples=examples,
    )


def _way(ctx: Context) -> tuple[list[tuple[str, Recipe]], str]:
    """Points, where they are, and a note on what they are."""
    start = ctx.structure.base
    first = ("at the start", start_itself(ctx.subject))
    if not torch.equal(start, ctx.subject.start):
        first = ("beside the start, which is stationary,", written_out(start))
    found = [first]
    try:
        way = [at.w for at in ctx.run.way][1:]
        edge = ctx.run.edge
    except (ArithmeticError, ValueError) as event:
        return found, f"gradient descent from there ends at once: {event}"
    most = POINTS if len(start) <= 200 else POINTS // 2
    every = max(1, math.ceil(len(way) / most))
    for k, w in enumerate(way):
        if (k + 1) % every == 0 or k == len(way) - 1:
            found.append(("on the way of gradient descent", written_out(w)))
    if edge is not None and edge.reached:
        found.append(("at the edge", written_out(edge.point)))
        return found, "start, way and edge of gradient descent"
    return found, "start and way of gradient descent"


# ---------------------------------------------------------------------- its gradient
@check(
    "sharpness-gradient",
    group="structure",
    summary="the gradient of the sharpness is D^3 L[u, u, .]",
    needs=("third-derivative", "simple-top-eigenvalue"),
    claims=("damian23/lemma-2",),
)
def sharpness_gradient(ctx: Context) -> Outcome:
    """Differences of the top eigenvalue against the third derivative, at drawn points.

    Points do not tell where the eigenvalue is (nearly) repeated or has a kink.
    """

    def body(w: Tensor, u: Tensor) -> float:
        top = ctx.structure.top(w)
        if not top.simple:
            raise Undecided("the top eigenvalue is repeated at the point")
        with Products(ctx.subject.objective, w) as products:
            slope = products.third(top.vector, top.vector)
        exact = float(torch.dot(slope, u))
        differences = _differences(ctx, w, u, top)
        scale = max(
            float(torch.linalg.vector_norm(slope)),
            1e-3 * top.size / max(1.0, float(torch.linalg.vector_norm(w))),
        )
        turned = top.error / max(top.gap - top.gap_error, 1e-300)
        allowed = differences.allowed + scale * (4 * turned + 1e-12)
        if allowed > 0.03 * scale:
            raise Undecided("differences of the sharpness do not settle: another eigenvalue or a "
                            "kink is near")  # fmt: skip
        off = abs(differences.value - exact)
        if off > allowed:
            raise Violated(
                f"along u the sharpness changes at the rate {differences.value:.6g} (differences), "
                f"but D^3 L[v, v, u] = {exact:.6g} for its eigenvector v; differences and rounding "
                f"explain {allowed:.1g}",
                measured=exact,
                expected=differences.value,
                tolerance=allowed,
                sharpness=top.value,
                gap=top.gap,
            )
        return off / scale if scale > 0 else 0.0

    large = ctx.subject.size > 200
    return ctx.property(
        body,
        name="sharpness-gradient",
        w=ctx.points(),
        u=ctx.directions(),
        examples=1 if large else min(15, ctx.profile.examples),
    )


class _Slope(NamedTuple):
    value: float
    allowed: float


def _differences(ctx: Context, w: Tensor, u: Tensor, top: Top) -> _Slope:
    """Central differences of the sharpness along u, extrapolated, from both sides."""
    step = 0.02 * max(1.0, float(torch.linalg.vector_norm(w)))
    count = SIZES if len(w) <= 200 else 3
    central: list[float] = []
    kinks: list[float] = []
    noise: list[float] = []
    sizes = [step / 4**k for k in range(count)]
    ctx.structure.ahead([w + sign * h * u for h in sizes for sign in (1, -1)], top)
    for step in sizes:
        try:
            up = ctx.structure.top(w + step * u, top)
            down = ctx.structure.top(w - step * u, top)
        except NumericEvent:
            central, kinks, noise = [], [], []
        else:
            central.append((up.value - down.value) / (2 * step))
            kinks.append((up.value + down.value - 2 * top.value) / step)
            noise.append((up.error + down.error + 2 * top.error) / step)
    if len(central) < 3:
        raise Undecided("the Hessian is not finite around the point")
    better = [(16 * b - a) / 15 for a, b in pairwise(central)]
    bends = [(4 * b - a) / 3 for a, b in pairwise(kinks)]
    allowed, best = min(
        (4 * abs(a - b) + 2 * noise[k + 2], k + 1) for k, (a, b) in enumerate(pairwise(better))
    )
    # One-sided slopes that differ: a kink, of which a central difference knows nothing.
    jump = abs(bends[best])
    if jump > allowed + 4 * abs(bends[best] - bends[best - 1]) + 2 * noise[best + 1]:
        raise Undecided("the sharpness has a kink at the point")
    return _Slope(better[best], max(allowed, jump))


# ------------------------------------------------------------------ the loss along it
@check(
    "sub-quadratic",
    group="structure",
    summary="the loss is not super-quadratic along the top eigenvector (damian23, appendix F)",
    needs=("third-derivative", "simple-top-eigenvalue"),
    claims=("damian23/appF.sub-super-definition", "damian23/appF.criterion"),
)
def sub_quadratic(ctx: Context) -> Outcome:
    """The corrected criterion: the sign of ``F''(x) - F'(x)/x`` of the even part of the excess F,
    at ``x = delta`` where the run meets the edge, else for small x at the bottom of the valley
    next to the start.  ``x^2`` drops out of it.

    Exactly quadratic is the case of theorem 1 (F = 0, limit 2/eta).  Where a cubic term makes F
    change sign (it is neither sub- nor super-quadratic) and outweighs the quartic one, ``3 L'''^2
    > L'' L''''``, an oscillation along u is stable all the same.
    """
    where, w, delta = _place(ctx)
    try:
        bottom = valley(ctx.structure, w)
    except Undecided as reason:
        minimizers = ctx.structure.minimizers()
        if not minimizers:
            return unknown(f"{where}: {reason}; a start= next to a minimizer would tell")
        where, delta = "at a minimizer", None
        try:
            bottom = valley(ctx.structure, minimizers[0])
        except Undecided as again:
            return unknown(f"{where}: {again}")
    found = excess_bend(ctx.loss, bottom, delta)
    if found is None:
        return unknown(f"{where}: the loss is not finite along the top eigenvector")
    x, kappa, room, seen = found
    quartic = 3 * kappa / (x * x)
    numbers = {
        "measured": kappa,
        "expected": "<= 0",
        "tolerance": room,
        "examples": len(seen),
        "series": {"x": [s[0] for s in seen], "F'' - F'/x": [s[1] for s in seen]},
    }
    at = f"{where}, at x = {'delta = ' if delta == x else ''}{x:.3g}"
    if abs(kappa) <= room:
        return passed(
            f"quadratic to rounding along the top eigenvector {at}: F'' - F'/x = {kappa:.2g}, "
            f"rounding explains {room:.1g}; the limit of the sharpness is 2/eta",
            **numbers,
        )
    if kappa < 0:
        return passed(
            f"sub-quadratic along the top eigenvector {at}: F'' - F'/x = {kappa:.4g}, so that "
            "the sharpness settles below 2/eta",
            **numbers,
        )
    valley_there = bottom.sharpness > 1e-6 * bottom.scale
    if valley_there and 3 * bottom.cubic**2 > quartic * bottom.sharpness:
        return passed(
            f"neither sub- nor super-quadratic {at}: the even part of the excess bends up "
            f"(F'' - F'/x = {kappa:.4g}), but the cubic term, {bottom.cubic:.4g}, makes it change "
            "sign and outweighs it (3 L'''^2 > L'' L'''')",
            **numbers,
        )
    for digits in (1, 2, 3):
        near = bottom._replace(point=torch.round(bottom.point, decimals=digits))
        seen_near = excess_bend(ctx.loss, near, x)
        if seen_near is not None and seen_near[0] == x and seen_near[1] > seen_near[2]:
            bottom = near
            break
    return failed(
        f"super-quadratic along the top eigenvector {at}: F'' - F'/x = {kappa:.4g} > 0, so that "
        "the sharpness settles above 2/eta; the predicted dynamics do not hold as they are (use "
        "the generalized ones)",
        counterexample=Counterexample(
            {"w": written_out(bottom.point), "u": written_out(bottom.vector), "x": x},
            {
                "F''-F'/x": kappa,
                "sharpness": bottom.sharpness,
                "third": bottom.cubic,
                "fourth": quartic,
            },
        ),
        **numbers,
    )


def _place(ctx: Context) -> tuple[str, Tensor, float | None]:
    """Where to look: the edge of the run, with delta there, or the start."""
    try:
        edge = ctx.run.edge
    except (ArithmeticError, ValueError):
        edge = None
    if edge is None or not edge.reached:
        return "next to the start (the run does not meet the edge)", ctx.structure.base, None
    found = edge.coefficients
    ok = found.alpha > 0 and found.beta > 0 and math.isfinite(found.delta)
    small = ok and found.delta < 10 * max(1.0, float(torch.linalg.vector_norm(edge.point)))
    return "where the run meets the edge", edge.point, found.delta if small else None
