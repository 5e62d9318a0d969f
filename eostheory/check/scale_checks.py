"""Scale invariance, ``L(c w) = L(w)``, and everything that the theory draws from it (lyu22)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eostheory.check.bounds import Bounded, bounded
from eostheory.check.finding import (
    Counterexample,
    Outcome,
    Status,
    Undecided,
    Violated,
    failed,
    not_applicable,
    passed,
)
from eostheory.check.inputs import written_out
from eostheory.check.registry import check
from eostheory.check.structure import FACTORS, exact_scale_invariance
from eostheory.check.subject import Domain
from eostheory.numeric.autodiff import gradient, hessian_vector
from eostheory.numeric.dynamics import gd_step

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from eostheory.check.context import Context

REMEDY = (
    "leave out what depends on |w| (a penalty, an epsilon inside a normalisation, parameters "
    "that no normalisation follows), or do not declare scale_invariant"
)


def factors() -> SearchStrategy[float]:
    """Factors c > 0; powers of two first, which round nothing."""
    from hypothesis import strategies as st

    return st.sampled_from(FACTORS)


@check(
    "scale-invariant",
    group="structure",
    summary="L(c w) = L(w) for every c > 0, where declared or found",
    needs=("evaluates", "deterministic", "pure", "double-precision"),
    claims=("lyu22/sec1.scale-invariance",),
)
def scale_invariant(ctx: Context) -> Outcome:
    """Fails only where the loss was declared scale-invariant and is not."""
    declared = ctx.subject.declared.scale_invariant
    if declared is False:
        return not_applicable("the loss is declared not to be scale-invariant")
    if declared is None:
        seen = ctx.structure.scale_difference
        if seen is None:
            return not_applicable("not declared, and no random point tells: the values there "
                                  "are not finite")  # fmt: skip
        if seen.relative > 1e-6:
            return not_applicable(
                f"not declared, and not so: {seen.text} at the random point of length "
                f"{seen.norm:.3g}"
            )
    exact = exact_scale_invariance(ctx.subject)
    if exact is True:
        how = "detected" if declared is None else "as declared"
        return passed(f"{how}; exact: L(c w) - L(w) simplifies to 0", measured=0.0, expected=0.0)
    found = ctx.property(
        _invariant(ctx), name="scale-invariant", w=ctx.points(), c=factors()
    )  # fmt: skip
    if found.status is Status.FAIL:
        if declared is None:
            return not_applicable(f"not declared, and not so: {found.message.split(';')[0]}")
        return found
    if exact is False:
        text = (
            "the expression is not scale-invariant: L(c w) - L(w) does not vanish identically, "
            "though no point was found at which the difference exceeds rounding"
        )
        return not_applicable(text) if declared is None else failed(f"{text}; {REMEDY}")
    if found.status is Status.PASS and declared is None:
        return passed(f"detected: {found.message}", **_numbers(found))
    return found


def _numbers(found: Outcome) -> dict[str, object]:
    return {"measured": found.measured, "expected": found.expected, "examples": found.examples}


def _invariant(ctx: Context) -> Callable[[Tensor, float], float]:
    samples = _samples(ctx)

    def body(w: Tensor, c: float) -> float:
        there = _inside(ctx, w, c)
        with torch.no_grad():
            far = bounded(lambda x: ctx.loss(c * x).detach().reshape(1), w, samples)
            near = bounded(lambda x: ctx.loss(x).detach().reshape(1), w, samples)
        off = float(far.value - near.value)
        room = far.error + near.error
        if not math.isfinite(off):
            raise Undecided("the loss is not finite")
        if abs(off) > room:
            norm = float(torch.linalg.vector_norm(w))
            raise Violated(
                f"L({c:g} w) - L(w) = {off:.3g} at |w| = {norm:.3g}, where {near.how} {room:.1g}; "
                f"{REMEDY}",
                measured=off,
                expected=0.0,
                tolerance=room,
                loss=float(near.value),
                loss_scaled=float(far.value),
                norm=norm,
                norm_scaled=float(torch.linalg.vector_norm(there)),
            )
        return abs(off)

    return body


@check(
    "gradient-degree",
    group="structure",
    summary="grad L(c w) = grad L(w) / c, and <grad L(w), w> = 0",
    needs=("scale-invariant", "gradient"),
    claims=("lyu22/sec1.grad-homogeneity", "lyu22/sec3.grad-properties"),
)
def gradient_degree(ctx: Context) -> Outcome:
    """The gradient is homogeneous of degree -1 and tangent to the sphere."""
    samples = _samples(ctx)

    def body(w: Tensor, c: float) -> float:
        _inside(ctx, w, c)
        near = bounded(lambda x: gradient(ctx.loss, x), w, samples)
        far = bounded(lambda x: c * gradient(ctx.loss, c * x), w, samples)
        off = _compare("c grad L(c w)", "grad L(w)", far, near)
        radial = bounded(lambda x: torch.dot(gradient(ctx.loss, x), x).reshape(1), w, samples)
        inward = float(radial.value.abs())
        if inward > radial.error:
            raise Violated(
                f"<grad L(w), w> = {float(radial.value):.3g}, not 0 (Euler), where {radial.how} "
                f"{radial.error:.1g}",
                measured=float(radial.value),
                expected=0.0,
                tolerance=radial.error,
            )
        return off

    return ctx.property(
        body, name="gradient-degree", w=ctx.points(), c=factors(), examples=_fewer(ctx)
    )


@check(
    "hessian-degree",
    group="structure",
    summary="Hess L(c w) = Hess L(w) / c^2",
    needs=("scale-invariant", "hessian"),
    claims=("lyu22/sec1.hess-homogeneity",),
)
def hessian_degree(ctx: Context) -> Outcome:
    """The Hessian is homogeneous of degree -2."""
    samples = _samples(ctx)

    def body(w: Tensor, c: float, u: Tensor) -> float:
        _inside(ctx, w, c)
        near = bounded(lambda x: hessian_vector(ctx.loss, x, u), w, samples)
        far = bounded(lambda x: c * c * hessian_vector(ctx.loss, c * x, u), w, samples)
        return _compare("c^2 Hess L(c w) u", "Hess L(w) u", far, near)

    return ctx.property(
        body,
        name="hessian-degree",
        w=ctx.points(),
        c=factors(),
        u=ctx.directions(),
        examples=_fewer(ctx),
    )


@check(
    "hessian-radial",
    group="structure",
    summary="Hess L(w) w = -grad L(w)",
    needs=("scale-invariant", "hessian"),
    claims=("lyu22/sec3.grad-properties", "lyu22/sec1.grad-homogeneity"),
)
def hessian_radial(ctx: Context) -> Outcome:
    """What follows from the degree -1 of the gradient, differentiated along w."""
    samples = _samples(ctx)

    def body(w: Tensor) -> float:
        _inside(ctx, w, 1.0)
        along = bounded(lambda x: hessian_vector(ctx.loss, x, x), w, samples)
        slope = bounded(lambda x: -gradient(ctx.loss, x), w, samples)
        return _compare("Hess L(w) w", "-grad L(w)", along, slope)

    return ctx.property(body, name="hessian-radial", w=ctx.points(), examples=_fewer(ctx))


@check(
    "spherical-sharpness",
    group="structure",
    summary="lambda_1(Hess L(w/|w|)) = |w|^2 lambda_1(Hess L(w))",
    needs=("scale-invariant", "hessian"),
    claims=("lyu22/def-1.1",),
)
def spherical_sharpness(ctx: Context) -> Outcome:
    """Both sides by an eigensolver of their own start."""
    large = ctx.subject.size > 200

    def body(w: Tensor) -> float:
        _inside(ctx, w, 1.0)
        square = float(torch.dot(w, w))
        theta = _inside(ctx, w, 1 / math.sqrt(square))
        here, there = ctx.structure.top(w), ctx.structure.top(theta)
        left, right = there.value, square * here.value
        room = there.error + square * here.error + 1e-15 * abs(right)
        if abs(left - right) > room:
            raise Violated(
                f"lambda_1(Hess L(w/|w|)) = {left:.9g}, but |w|^2 lambda_1(Hess L(w)) = "
                f"{right:.9g} (residuals and rounding explain {room:.1g})",
                measured=left,
                expected=right,
                tolerance=room,
            )
        return abs(left - right)

    return ctx.property(
        body,
        name="spherical-sharpness",
        w=ctx.points(),
        examples=3 if large else _fewer(ctx),
    )


@check(
    "effective-learning-rate",
    group="structure",
    summary="GD+WD is projected descent with the effective learning rate, which evolves as GWSI",
    needs=("scale-invariant", "gradient"),
    claims=("lyu22/lemma-3.1", "lyu22/thm-B.7"),
)
def effective_learning_rate(ctx: Context) -> Outcome:
    """Every step of a real run against both statements, with what one step may round.

    The statements hold for eta lambda < 1 (not asked for in the paper; ERRATA).
    """
    rates = _rates(ctx)
    if isinstance(rates, Outcome):
        return rates
    eta, decay, how = rates
    steps = 30 if ctx.subject.size <= 200 else 8
    w = ctx.structure.base
    moment = float(_moment(w, eta, decay))
    worst, room, modelled = 0.0, 0.0, True
    real: list[float] = []
    recursion: list[float] = []
    for step in range(steps):
        real.append(float(_moment(w, eta, decay)) ** -0.5)
        recursion.append(moment**-0.5)
        found = bounded(lambda x: _gaps(ctx, x, eta, decay), w, 1)
        # All are relative to numbers of size one, whose constants are rounded as well.
        allowed = found.error + 64 * torch.finfo(w.dtype).eps
        off = float(found.value.abs().max())
        if not off <= allowed:
            last = int(found.value.abs().argmax()) == len(w)
            name = "effective learning rate" if last else "direction"
            return _broken(name, step, off, allowed, eta, decay, w)
        worst, room = max(worst, off), max(room, allowed)
        modelled = modelled and found.modelled
        g = gradient(ctx.loss, w / torch.linalg.vector_norm(w))
        moment = float(_recursion(g, w.new_tensor(moment), eta, decay))
        w = gd_step(ctx.loss, w, eta, decay)
    return passed(
        f"{steps} steps of GD+WD ({how}) are steps of projected descent with the effective "
        f"learning rate, which follows the recursion of GWSI, up to {worst:.1g} (relative; "
        f"rounding {'explains at most' if modelled else 'is estimated as'} {room:.1g})",
        measured=worst,
        expected=0.0,
        tolerance=room,
        examples=steps,
        series={
            "step": [float(k) for k in range(steps)],
            "effective learning rate": real,
            "by the recursion": recursion,
        },
    )


def _rates(ctx: Context) -> tuple[float, float, str] | Outcome:
    """Learning rate and weight decay of the run, and where they come from."""
    eta, decay = ctx.subject.learning_rate, ctx.subject.weight_decay
    if eta is not None and decay and not eta * decay < 1:
        return not_applicable(
            f"learning_rate * weight_decay = {eta * decay:.3g}: both statements need it below 1 "
            "(with more the direction is reversed); give a smaller weight_decay"
        )
    w = ctx.structure.base
    how = []
    if eta is None:
        top = ctx.structure.top(w).value
        eta = float(f"{1 / top if top > 0 else 0.1 * float(torch.dot(w, w)):.3g}")
        how.append(f"eta = {eta:g}, chosen as 1/sharpness")
    else:
        how.append(f"eta = {eta:g}")
    if not decay:
        decay = float(f"{0.01 / eta:.3g}")
        how.append(f"lambda = {decay:g}, chosen as 0.01/eta")
    else:
        how.append(f"lambda = {decay:g}")
    if not eta * decay < 1:
        return not_applicable(
            f"eta * lambda = {eta * decay:.3g} with the chosen eta = {eta:g}: both statements need "
            "it below 1; give learning_rate"
        )
    return eta, decay, ", ".join(how)


def _gaps(ctx: Context, w: Tensor, eta: float, decay: float) -> Tensor:
    """(D + 1,): the direction after a step less that of projected descent (lemma 3.1), and the
    next moment by the recursion over that of the real run, less one (theorem B.7)."""
    after = gd_step(ctx.loss, w, eta, decay)
    square = torch.dot(w, w)
    theta = w / torch.sqrt(square)
    keep = 1 - torch.as_tensor(eta, dtype=w.dtype, device=w.device) * decay
    g = gradient(ctx.loss, theta)
    moved = theta - eta / (keep * square) * g
    turned = moved / torch.sqrt(torch.dot(moved, moved))
    direction = after / torch.sqrt(torch.dot(after, after)) - turned
    found = _recursion(g, _moment(w, eta, decay), eta, decay)
    return torch.cat([direction, (found / _moment(after, eta, decay) - 1).reshape(1)])


def _moment(w: Tensor, eta: float, decay: float) -> Tensor:
    """``(1 - eta lambda)^2 |w|^4 / eta^2`` (thm B.7)."""
    keep = 1 - torch.as_tensor(eta, dtype=w.dtype, device=w.device) * decay
    root = keep * torch.dot(w, w) / eta
    return root * root


def _recursion(g: Tensor, v: Tensor, eta: float, decay: float) -> Tensor:
    """The next moment of GWSI from the moment v and the gradient g on the sphere (def. B.6)."""
    log = 4 * math.log1p(-eta * decay)
    beta, rest = math.exp(log), -math.expm1(log)
    # gbar^2 with eta_B^2 = (1/beta - 1)/2.
    square = torch.dot(g, g) * (2 * beta / rest)
    return beta * v + rest * square + rest * rest * square * square / (4 * beta * v)


def _broken(
    name: str, step: int, off: float, room: float, eta: float, decay: float, w: Tensor
) -> Outcome:
    which = "lemma 3.1" if name == "direction" else "the recursion of GWSI"
    return failed(
        f"at step {step} of GD+WD the {name} misses {which} by {off:.3g}, where rounding explains "
        f"{room:.1g}",
        counterexample=Counterexample(
            {"w": written_out(w), "eta": eta, "decay": decay}, {"step": step, "error": off}
        ),
        measured=off,
        expected=0.0,
        tolerance=room,
        examples=step + 1,
    )


def _samples(ctx: Context) -> int:
    return 4 if ctx.subject.size <= 1000 else 2


def _fewer(ctx: Context) -> int:
    """Inputs of a property whose every input costs many derivatives."""
    return min(20, ctx.profile.inputs(ctx.subject.size))


def _inside(ctx: Context, w: Tensor, c: float) -> Tensor:
    """``c w``, in the domain."""
    if not bool(w.any()):
        raise Undecided("w = 0 has no direction")
    there = c * w
    domain = ctx.subject.domain
    if not domain.declared:  # only where we look: the property is about every c
        domain = Domain(contains=domain.contains, hole=domain.hole)
    if there not in domain:
        raise Undecided("c w is outside of the domain")
    return there


def _compare(left: str, right: str, a: Bounded, b: Bounded) -> float:
    """The largest entry of the difference; raises Violated where rounding does not explain it."""
    gaps = (a.value - b.value).abs()
    off, index = float(gaps.max()), int(gaps.argmax())
    room = a.error + b.error
    if off > room:
        raise Violated(
            f"{left} misses {right} by {off:.3g} in coordinate {index}, where {a.how} {room:.1g}",
            measured=float(a.value[index]),
            expected=float(b.value[index]),
            tolerance=room,
            coordinate=index,
            error=off,
        )
    return off
