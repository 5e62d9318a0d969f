"""The set of minimizers: a manifold on which the Hessian has the rank of its codimension, with the
local Polyak-Lojasiewicz inequality that follows (lyu22, assumption 4.5 and B.11, theorem D.3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eostheory.check.bounds import bounded
from eostheory.check.charts import chart_arity, jacobian_of
from eostheory.check.finding import (
    Counterexample,
    Outcome,
    Recipe,
    Status,
    Undecided,
    Violated,
    failed,
    passed,
    unknown,
)
from eostheory.check.inputs import written_out
from eostheory.check.minimizer_search import DENSE, Minimizer, Search
from eostheory.check.registry import check
from eostheory.check.spectra import spectrum
from eostheory.numeric.autodiff import gradient
from eostheory.numeric.events import NumericEvent

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from eostheory.check.context import Context


@check(
    "minimizer-manifold",
    group="structure",
    summary="the minimizers are a manifold, and rank Hess L is its codimension everywhere on it",
    needs=("hessian",),
    claims=("lyu22/assumption-4.5", "lyu22/assumption-B.11"),
)
def minimizer_manifold(ctx: Context) -> Outcome:
    """On a declared chart at drawn points; else around minimizers found from several starts.

    For scale-invariant losses on the unit sphere.  An isolated non-degenerate minimizer is a
    manifold of dimension 0.  Components of different dimension may exist beside each other (the
    theorems speak of one); the rank may not change along one.
    """
    if ctx.subject.declared.manifold is not None:
        return _declared(ctx)
    found = ctx.structure.search
    if found.deficient is not None:
        point, text, details = found.deficient
        return failed(
            f"{text}; the theorems ask for rank = codimension at every minimizer",
            counterexample=Counterexample({"w": written_out(point)}, details),
            measured=details.get("rank"),
            examples=len(found.found) + 1,
        )
    if not found.found:
        return unknown(_no_minimizer(found))
    return _regular(ctx, found)


def _no_minimizer(found: Search) -> str:
    why = found.reasons[0] if found.reasons else "no start"
    return f"no minimizer was found: {why}; declare manifold=, or give start= near a minimizer"


def _regular(ctx: Context, found: Search) -> Outcome:
    sphere = ctx.structure.scale_invariant
    less = 1 if sphere else 0
    dimensions = sorted({m.nullity - less for m in found.found})
    m = found.found[0]
    dimension = m.nullity - less
    what = "isolated (dimension 0)" if dimension == 0 else f"a manifold of dimension {dimension}"
    text = (
        f"the minimizers next to the start are {what}{' on the unit sphere' * sphere}: rank "
        f"{m.rank} of {len(m.point)}, eigenvalues across it from {m.smallest:.4g} to "
        f"{m.largest:.4g}"
    )
    if len(dimensions) > 1:
        text += f"; from other starts there are components of dimensions {dimensions}"
    if not m.gap > 1e-9 * m.largest and m.rank > 1:
        text += "; the top eigenvalue there is repeated"
    return passed(text, measured=float(dimension), examples=len(found.found))


# --------------------------------------------------------------------- declared manifolds
def _declared(ctx: Context) -> Outcome:
    chart = ctx.subject.declared.manifold
    assert chart is not None
    like = ctx.subject.start
    arity = chart_arity(ctx.subject)
    if arity is None:
        return failed(
            f"the declared manifold gives no point: called with a tensor (k,), k = 1 .. "
            f"{len(like)}, it returns no tensor of shape ({len(like)},); manifold= maps t of shape "
            "(k,) to a minimizer (D,)"
        )
    if len(like) > DENSE:
        return unknown(
            f"ranks of Hessians of more than {DENSE} parameters are not computed; a smaller "
            "instance of the loss would tell"
        )
    ranks: dict[int, str] = {}

    def body(t: Tensor) -> float:
        return _at_chart(ctx, chart, t, ranks)

    found = ctx.property(body, name="minimizer-manifold", t=_parameters(arity, like))
    if found.status is not Status.PASS:
        return found
    (dimension,) = ranks or {0: ""}
    sphere = ctx.structure.scale_invariant
    return passed(
        f"the declared manifold consists of minimizers at {found.examples} drawn points, has "
        f"dimension {dimension - sphere}{' on the unit sphere' * sphere}, and the Hessian has "
        f"rank {len(like) - dimension} there",
        measured=float(dimension - sphere),
        examples=found.examples,
    )


def _parameters(arity: int, like: Tensor) -> SearchStrategy[Recipe]:
    """Points t of the chart, few digits."""
    from hypothesis import strategies as st

    entry = st.one_of(
        st.integers(-2, 2).map(float), st.integers(-30, 30).map(lambda k: k / 10)
    )  # fmt: skip
    return st.lists(entry, min_size=arity, max_size=arity).map(
        lambda values: written_out(torch.tensor(values, dtype=like.dtype, device=like.device))
    )


def _at_chart(ctx: Context, chart: Any, t: Tensor, ranks: dict[int, str]) -> float:
    try:
        w = chart(t).detach()
        jacobian = jacobian_of(chart, t)
    except (ArithmeticError, IndexError, RuntimeError) as error:
        raise Undecided(f"the chart raises {type(error).__name__}") from error
    if not bool(torch.isfinite(w).all()) or not bool(torch.isfinite(jacobian).all()):
        raise Undecided("the chart is not finite")
    if w not in ctx.subject.domain:
        raise Undecided("the chart leaves the domain")
    sphere = ctx.structure.scale_invariant
    if sphere:
        length = torch.linalg.vector_norm(w)
        w, jacobian = w / length, jacobian / length
        jacobian = torch.cat([jacobian, w[:, None]], 1)
    here = spectrum(ctx.loss, w, False)
    slope = bounded(lambda x: gradient(ctx.loss, x), w, 3)
    eps = torch.finfo(w.dtype).eps
    # The chart rounds its point as well, by a few ulps, which the Hessian carries over.
    room = slope.error + 16 * eps * here.size * float(w.abs().max()) * math.sqrt(len(w))
    left = float(slope.value.abs().max())
    if left > room:
        raise Violated(
            f"the chart's point is no critical point: the gradient is {left:.3g} in coordinate "
            f"{int(slope.value.abs().argmax())}, where rounding explains {room:.1g}; correct "
            "manifold=",
            measured=left,
            expected=0.0,
            tolerance=room,
        )
    lowest = float(here.values[0])
    slack = max(8 * here.noise, 1e-9 * here.size)
    if lowest < -slack:
        raise Violated(
            f"the chart's point is a saddle or a maximum: the Hessian has the eigenvalue "
            f"{lowest:.4g}; correct manifold=",
            measured=lowest,
            expected=">= 0",
            tolerance=slack,
        )
    sizes = torch.linalg.svdvals(jacobian)
    dimension = int((sizes > 1e-9 * max(1.0, float(sizes.max()))).sum())
    rank = int((here.values > slack).sum())
    expected = len(w) - dimension
    if rank != expected:
        smallest = float(here.values[len(w) - expected]) if expected else float(here.values[-1])
        raise Violated(
            f"the Hessian has rank {rank} where the declared manifold has codimension {expected}: "
            f"its eigenvalue number {expected} is {smallest:.3g}",
            measured=float(rank),
            expected=float(expected),
            dimension=dimension,
            eigenvalue=smallest,
        )
    ranks.setdefault(dimension, "")
    if len(ranks) > 1:
        raise Violated(
            f"the chart has rank {dimension} here and {min(set(ranks) - {dimension})} at other "
            "points",
            measured=float(dimension),
        )
    return left


# ---------------------------------------------------------------------------- local PL
@check(
    "local-pl",
    group="structure",
    summary="|grad L|^2 >= 2 mu (L - L*) next to the minimizers, mu near the smallest eigenvalue",
    needs=("minimizer-manifold", "gradient"),
    claims=("lyu22/sec4.2.1.pl", "lyu22/thm-D.3", "lyu22/thm-D.5"),
)
def local_pl(ctx: Context) -> Outcome:
    """The constant at shrinking distances from minimizers.

    As the distance tends to 0 it tends to the smallest non-zero eigenvalue of the Hessian, with an
    error of the order of the distance, which is what is compared.
    """
    minimizers = _for_pl(ctx)
    if isinstance(minimizers, Outcome):
        return minimizers
    least: tuple[float, float, float, Minimizer] | None = None
    count = 0
    for m in minimizers:
        if m.rank == 0:
            continue
        rows, tried = _constants(ctx, m)
        count += tried
        if len(rows) < 2:
            continue
        (_, coarse), (radius, mu) = rows[-2], rows[-1]
        # First order: from one radius to the next, a quarter, the error falls by three quarters.
        room = max(2 * abs(coarse - mu), 1e-3 * m.smallest)
        if not mu > 0 or mu < m.smallest - room:
            return failed(
                f"next to the minimizer |grad L|^2 / (2 (L - L*)) falls to {mu:.4g} at distance "
                f"{radius:.2g}, where the smallest non-zero eigenvalue is {m.smallest:.4g}: no "
                "constant mu > 0 is seen to hold",
                counterexample=Counterexample({"w": written_out(m.point)}, {"radius": radius}),
                measured=mu,
                expected=m.smallest,
                tolerance=room,
                examples=count,
            )
        if least is None or mu < least[0]:
            least = (mu, radius, room, m)
            series = {"radius": [r for r, _ in rows], "mu": [v for _, v in rows]}
    if least is None:
        if all(m.rank == 0 for m in minimizers):
            return passed("the loss is constant next to the minimizers: every mu will do")
        return unknown(
            "differences of the loss next to the minimizers are lost in rounding; scale the loss "
            "so that its minimum is 0"
        )
    mu, radius, room, m = least
    return passed(
        f"mu = {mu:.6g} at distance {radius:.2g} of the minimizers, smallest non-zero eigenvalue "
        f"{m.smallest:.6g}",
        measured=mu,
        expected=m.smallest,
        tolerance=room,
        examples=count,
        series=series,
    )


def _for_pl(ctx: Context) -> list[Minimizer] | Outcome:
    found = list(ctx.structure.found_minimizers[:2])
    if found:
        return found
    return unknown(_no_minimizer(ctx.structure.search))


def _constants(ctx: Context, m: Minimizer) -> tuple[list[tuple[float, float]], int]:
    """(distance, smallest ratio over directions), distances falling; and the number of points."""
    w = m.point
    sphere = ctx.structure.scale_invariant
    draw = torch.Generator().manual_seed(2)
    length = max(1.0, float(torch.linalg.vector_norm(w)))
    ways = [m.slowest]
    for _ in range(6):
        step = torch.randn(len(w), generator=draw, dtype=torch.float64).to(w)
        if sphere:
            step = step - torch.dot(step, w) * w
        ways.append(step / torch.linalg.vector_norm(step))
    rows: list[tuple[float, float]] = []
    tried = 0
    noise = bounded(lambda x: ctx.loss(x).detach().reshape(1), w, 3).error
    for k in range(10):
        radius = 0.1 * length * 4.0**-k
        # Two thousand roundings of the loss: a ratio is then known to a thousandth.
        if m.smallest * radius**2 / 2 < 2e3 * noise:
            break
        ratios = []
        for v in ways:
            for sign in (1, -1):
                p = w + sign * radius * v
                if sphere:
                    p = p / torch.linalg.vector_norm(p)
                try:
                    slope = gradient(ctx.loss, p)
                    with torch.no_grad():
                        rise = float(ctx.loss(p)) - m.value
                except NumericEvent:
                    continue
                if rise > 2e3 * noise:
                    tried += 1
                    ratios.append(float(torch.dot(slope, slope)) / (2 * rise))
        if ratios:
            rows.append((radius, min(ratios)))
    return rows, tried
