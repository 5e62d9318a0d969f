"""Is the loss a function: one number, the same each time, without side effects, in float64?"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from eostheory.check.context import Context
from eostheory.check.finding import Outcome, Undecided, Violated
from eostheory.check.precision import Precision
from eostheory.check.registry import check
from eostheory.check.subject import Subject

GROUP = "evaluation"
EPS = torch.finfo(torch.float64).eps


def leaf_of(w: Tensor) -> Tensor:
    """A fresh leaf that requires a gradient."""
    return w.detach().clone().requires_grad_(True)


def first_line(error: BaseException) -> str:
    """What an exception says, in one line."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def in_place(error: BaseException) -> bool:
    """Whether autograd complains of a leaf that is changed in place."""
    text = str(error)
    return isinstance(error, RuntimeError) and "leaf Variable" in text and "in-place" in text


@check("evaluates", group=GROUP, summary="The loss is one real number at every point.")
def evaluates(context: Context) -> Outcome:
    """A scalar tensor of floating point, without an exception."""
    loss = context.loss
    given = f" (it was given a float64 tensor of shape ({context.subject.size},) on the CPU)"
    if context.subject.kind == "module":
        given = " (it was run in float64 on the CPU)"

    def body(w: Tensor) -> None:
        try:
            out: Any = loss(leaf_of(w))
        except Exception as error:  # a loss raises what it likes: that is the finding
            if isinstance(error, torch.OutOfMemoryError):
                raise
            # A loss that writes to its input is told by `pure`.
            try:
                out = loss(w.clone())
            except Exception as again:  # as above
                raise Violated(f"the loss raises {first_line(again)}{given}") from error
        if out is None:
            raise Violated("the loss returns None: is a return missing in it?", measured="None")
        if not isinstance(out, Tensor):
            raise Violated(
                f"the loss returns {type(out).__name__}, not a tensor: compute with torch from end "
                "to end, without float(), .item() or numpy",
                measured=type(out).__name__,
                expected="tensor of shape ()",
            )
        if out.dim() != 0:
            remedy = "drop the dimension with .squeeze()" if out.numel() == 1 else "take its mean"
            raise Violated(
                f"the loss returns shape {tuple(out.shape)}, not one number: {remedy}",
                measured=str(tuple(out.shape)),
                expected="()",
            )
        if not out.is_floating_point():
            raise Violated(
                f"the loss returns {out.dtype}, not a real number of floating point",
                measured=str(out.dtype),
                expected="torch.float64",
            )

    return context.property(body, name="evaluates", w=with_corners(context))


@check(
    "pure",
    group=GROUP,
    summary="Evaluating the loss leaves its input as it is.",
    needs=("evaluates",),
)
def pure(context: Context) -> Outcome:
    """Values, version, ``requires_grad`` and ``grad`` of the input stay."""
    loss = context.loss
    remedy = "work on a copy (w.clone()), or use operations without a trailing underscore"

    def untouched(w: Tensor, given: Tensor, version: int) -> None:
        changed = given.detach().view(torch.int64) != w.view(torch.int64)
        if bool(changed.any()):
            i = int(changed.nonzero()[0])
            raise Violated(
                f"the loss changes its input: w[{i}] was {float(w[i])!r} and is "
                f"{float(given[i])!r} afterwards; {remedy}",
                measured=float(given[i]),
                expected=float(w[i]),
                coordinate=i,
            )
        if given._version != version:
            raise Violated(
                f"the loss writes to its input in place, if only the values that it has; {remedy}"
            )

    def body(w: Tensor) -> None:
        plain = w.clone()
        version = plain._version
        # It may need a gradient of its input; evaluates knows that one of both works.
        with contextlib.suppress(Exception):
            loss(plain)
        untouched(w, plain, version)
        if plain.requires_grad:
            raise Violated(
                "the loss turns on requires_grad of its input; work on w.detach().clone()"
            )
        given = leaf_of(w)
        version = given._version
        try:
            loss(given)
        except Exception as error:  # of the loss, of any kind; what is not ours goes on
            if in_place(error):
                raise Violated(
                    f"the loss changes its input in place ({error}); {remedy}"
                ) from error
            raise
        untouched(w, given, version)
        if given.grad is not None or not given.requires_grad:
            what = "grad" if given.requires_grad else "requires_grad"
            raise Violated(
                f"the loss changes .{what} of its input; take gradients inside of it with "
                "torch.autograd.grad, not with .backward()"
            )

    return context.property(body, name="pure", w=context.points())


@check(
    "deterministic",
    group=GROUP,
    summary="Two evaluations at one point give the same loss and gradient.",
    needs=("evaluates", "pure"),
)
def deterministic(context: Context) -> Outcome:
    """Bit for bit, but for the last digits where threads add up in another order."""
    subject, loss = context.subject, context.loss

    def body(w: Tensor) -> float:
        before = _random_state(w)
        first, slope = _both(loss, w)
        draws = before != _random_state(w)
        # Elsewhere in between: what it remembers of one point must not show at the next.
        loss(leaf_of(subject.start))
        worst = 0.0
        for _ in range(2):
            value, gradient = _both(loss, w)
            worst = max(worst, _apart(first, value))
            if worst > 64 * EPS:
                reason = (
                    "it draws random numbers: call module.eval(), or take dropout and noise out"
                    if draws
                    else "something in it changes from call to call: a counter, a buffer, a cache"
                )
                raise Violated(
                    f"two evaluations at one point give {float(first)!r} and {float(value)!r}; "
                    f"{reason}",
                    measured=float(value),
                    expected=float(first),
                    tolerance=64 * EPS * abs(float(first)),
                )
            if slope is None or gradient is None:
                continue
            distance = _apart(slope, gradient)
            worst = max(worst, distance)
            if distance > 64 * EPS:
                gap = (slope - gradient).abs().nan_to_num(nan=math.inf)
                i = int(gap.argmax())
                raise Violated(
                    f"two gradients at one point differ: coordinate {i} is {float(slope[i])!r} and "
                    f"{float(gradient[i])!r}, while the values agree; is there randomness or state "
                    "in a backward()?",
                    measured=float(gradient[i]),
                    expected=float(slope[i]),
                    tolerance=64 * EPS * abs(float(slope[i])),
                    coordinate=i,
                )
        return worst

    return context.property(body, name="deterministic", w=context.points())


def _both(loss: Callable[[Tensor], Tensor], w: Tensor) -> tuple[Tensor, Tensor | None]:
    leaf = leaf_of(w)
    out = loss(leaf)
    gradient: Tensor | None = None
    if out.requires_grad:
        try:
            (gradient,) = torch.autograd.grad(out, leaf, allow_unused=True)
        except RuntimeError:
            gradient = None  # told by `differentiable`
    return out.detach(), gradient


def _apart(a: Tensor, b: Tensor) -> float:
    """Largest difference relative to the largest entry; NaN counts as equal to NaN."""
    if torch.equal(a, b) or bool(((a == b) | (a.isnan() & b.isnan())).all()):
        return 0.0
    gap = float((a - b).abs().max())
    size = float(torch.maximum(a.abs(), b.abs()).max())
    return gap / size if math.isfinite(gap) and math.isfinite(size) else math.inf


def _random_state(w: Tensor) -> tuple[bytes, ...]:
    """Where torch's random numbers stand, on the CPU and on the device of the loss."""
    states = [torch.get_rng_state()]
    if w.device.type == "cuda":
        states.append(torch.cuda.get_rng_state(w.device))
    return tuple(state.numpy().tobytes() for state in states)


@check(
    "double-precision",
    group=GROUP,
    summary="No number of lower precision than float64 takes part.",
    needs=("evaluates", "pure"),
)
def double_precision(context: Context) -> Outcome:
    """Every operation on the parameters, forward and backward, is watched as torch runs it."""
    loss = context.loss

    def body(w: Tensor) -> None:
        leaf = leaf_of(w)
        with Precision(leaf) as seen:
            try:
                out = loss(leaf)
                if out.requires_grad and not seen.found:
                    torch.autograd.grad(out, leaf, allow_unused=True)
            except Exception:  # of the loss: low precision may be the reason, and says more
                if not seen.found:
                    raise
        if seen.found:
            raise Violated(seen.found[0].message, measured=seen.found[0].dtype, expected="float64")

    return context.property(body, name="double-precision", w=context.points())


@check(
    "differentiable",
    group="derivatives",
    summary="The graph of the loss reaches its input.",
    needs=("evaluates", "pure"),
)
def differentiable(context: Context) -> Outcome:
    """A constant loss without a graph is not applicable: there is nothing to differentiate."""
    loss = context.loss
    seen: dict[object, float] = {}

    def body(w: Tensor) -> None:
        leaf = leaf_of(w)
        out = loss(leaf)
        gradient = None
        if out.requires_grad:
            try:
                (gradient,) = torch.autograd.grad(out, leaf, allow_unused=True)
            except RuntimeError as error:
                raise Violated(
                    f"the backward pass raises {first_line(error)}; use operations that torch can "
                    "differentiate"
                ) from error
        if gradient is not None:
            return
        for point in (context.subject.start, w):
            seen[tuple(point.tolist()) if len(point) <= 64 else len(seen)] = float(
                loss(leaf_of(point)).detach()
            )
        values = {v for v in seen.values() if v == v}
        if len(values) > 1:
            raise Violated(
                f"the loss changes with w ({min(values):.6g} to {max(values):.6g}), but its graph "
                "does not reach w: is there a detach(), .item(), numpy, argmax or no_grad() in "
                "it, or does it read the parameters from elsewhere?"
            )
        raise Undecided(CONSTANT)

    outcome = context.property(body, name="differentiable", w=context.points())
    return constant_or(outcome)


CONSTANT = "the loss is the same number everywhere, and its graph does not reach w"


def constant_or(outcome: Outcome) -> Outcome:
    """A constant without a graph is no failure."""
    from eostheory.check.finding import Status, not_applicable

    if outcome.status is Status.UNKNOWN and CONSTANT in outcome.message:
        return not_applicable(f"{CONSTANT}: there is nothing to differentiate")
    return outcome


@check(
    "finite",
    group=GROUP,
    summary="The loss and its gradient are finite on the domain.",
    needs=("evaluates", "pure"),
)
def finite(context: Context) -> Outcome:
    """Corners of the domain are looked at as well as its inside."""
    loss = context.loss

    def body(w: Tensor) -> None:
        value, gradient = _both(loss, w)
        if not bool(torch.isfinite(value)):
            raise Violated(
                f"the loss is {float(value)}: write it so that it has a value here, or exclude "
                "the place with domain=",
                measured=float(value),
                expected="finite",
            )
        if gradient is not None and not bool(torch.isfinite(gradient).all()):
            i = int((~torch.isfinite(gradient)).nonzero()[0])
            raise Violated(
                f"the loss is {float(value):.6g}, but coordinate {i} of its gradient is "
                f"{float(gradient[i])}: is there a root or a norm at zero, or a torch.where whose "
                "other branch is not finite? Guard it, or exclude the place with domain=",
                measured=float(gradient[i]),
                expected="finite",
                coordinate=i,
            )

    return context.property(body, name="finite", w=with_corners(context))


def with_corners(context: Context) -> Any:
    """Points of the domain, its corners among them where coordinates are few."""
    from hypothesis import strategies as st

    from eostheory.check.inputs import written_out

    subject = context.subject
    box = box_of(subject) if subject.size <= 16 else None
    if subject.points is not None or box is None:
        return context.points()
    corners = st.tuples(*[st.sampled_from(sorted({a, b}, key=abs)) for a, b in box])
    recipes = corners.map(
        lambda x: written_out(torch.tensor(x, dtype=torch.float64).to(subject.start))
    )
    return context.points() | recipes.filter(lambda recipe: recipe.tensor in subject.domain)


def box_of(subject: Subject) -> list[tuple[float, float]] | None:
    """Least and largest value of every coordinate; None where there is no bound."""
    bounds = bounds_of(subject)
    if bounds is None:
        return None
    return list(zip(bounds[0].tolist(), bounds[1].tolist(), strict=True))


def bounds_of(subject: Subject) -> tuple[Tensor, Tensor] | None:
    """The same as two tensors (D,)."""
    domain = subject.domain
    low = torch.full((subject.size,), domain.low, dtype=torch.float64)
    high = torch.full((subject.size,), domain.high, dtype=torch.float64)
    if domain.center is not None:
        center = domain.center.detach().to("cpu", torch.float64)
        low = torch.maximum(low, center - domain.radius)
        high = torch.minimum(high, center + domain.radius)
    if not bool(torch.isfinite(low).all() and torch.isfinite(high).all()):
        return None
    return low, high
