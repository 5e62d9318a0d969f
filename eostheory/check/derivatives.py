"""Gradient, Hessian and third derivative by autograd against differences of what is below them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eostheory.check.context import Context
from eostheory.check.differences import (
    NO_GRAPH,
    Comparison,
    Sampled,
    beside,
    gradient_along,
    gradient_at,
    length,
    noise,
    product_along,
    product_at,
    reliable,
    scale_of,
    shown,
    steps_of,
)
from eostheory.check.evaluation import EPS, first_line
from eostheory.check.finding import Outcome, Status, Undecided, Violated, not_applicable
from eostheory.check.registry import check
from eostheory.check.slopes import Parts, Slopes, wrong_gradient
from eostheory.check.structure import DENSE
from eostheory.check.subject import Subject
from eostheory.curvature import (
    DerivativeCheck,
    Products,
    second_derivative_error,
    third_derivative_error,
)
from eostheory.numeric.events import NumericEvent
from eostheory.numeric.objective import Objective

GROUP = "derivatives"
SMOOTH_ENOUGH = "the differences do not settle here: a kink is near, or the loss is very steep"
ONLY_HERE = "autograd and the differences disagree at this point only, not beside it: a kink"
ONE_SIDED = "the loss has no values on both sides"
BELOW = ("evaluates", "pure", "deterministic", "double-precision", "differentiable")


@check(
    "gradient",
    group=GROUP,
    summary="The gradient by autograd is the slope of the values.",
    needs=BELOW,
)
def gradient(context: Context) -> Outcome:
    """Every coordinate, or (beyond 24) dense directions and blocks of some sqrt(D) coordinates that
    cover them all, or (beyond 4096) a sample of these; what is wrong is bisected to the worst
    coordinate."""
    subject = context.subject
    recorded = None if context.pinned is None else context.pinned.details
    parts = Parts(subject.size, context.profile.inputs(subject.size), recorded, context.generator)

    def body(w: Tensor) -> float:
        exact = gradient_at(subject, w)
        slopes = Slopes(subject, w, exact)
        worst, told, blocks = 0.0, 0, parts.take()
        for number, block in enumerate(blocks):
            signs = parts.signs(number)
            found = slopes.along(block, signs)
            if found is None:
                continue
            if found.wrong:
                if not _wrong_beside(subject, w, block, signs):
                    raise Undecided(ONLY_HERE)
                parts.wrong, found = slopes.narrowed(block, signs, found, parts.other_signs)
                raise wrong_gradient(slopes, parts.wrong, found)
            if found.told:
                told += 1
                parts.note(block, found)
                worst = max(worst, found.error / found.size if found.size else 0.0)
        if told < len(blocks):
            raise Undecided(SMOOTH_ENOUGH)
        return worst

    outcome = context.property(body, name="gradient", w=context.points())
    if outcome.status is not Status.PASS:
        return outcome
    return replace(outcome, message=outcome.message + parts.covered)


def _wrong_beside(subject: Subject, w: Tensor, block: Tensor, signs: Tensor) -> bool:
    """Whether the slope along ``block`` is wrong at a neighbour of ``w`` as well."""
    for near in beside(subject, w):
        with contextlib.suppress(NumericEvent):
            found = Slopes(subject, near, gradient_at(subject, near)).along(block, signs)
            if found is not None and found.wrong:
                return True
    return False


def _dense(w: Tensor, context: Context, name: str) -> Tensor:
    drawn = torch.randn(len(w), generator=context.generator(name), dtype=torch.float64).to(w)
    unit: Tensor = drawn / torch.linalg.vector_norm(drawn)
    return unit


@dataclass(frozen=True)
class _Order:
    """A derivative along a direction u, and the one below it, of which it is the slope.

    Args:
        which: second or third.
        what: how messages call the derivative.
        remedy: what may be wrong.
        exact: of (subject, w, u).
        along: samples the derivative below it on the line w + t u.
        screen: the engine's own check.
    """

    which: str
    what: str
    remedy: str
    exact: Callable[[Subject, Tensor, Tensor], Tensor]
    along: Callable[[Subject, Tensor, Tensor], tuple[Sampled, Callable[[float], float]]]
    screen: Callable[[Objective, Tensor, Tensor], DerivativeCheck]

    def at(self, subject: Subject, w: Tensor, u: Tensor) -> Tensor:
        """The derivative by autograd; Violated where there is none."""
        try:
            return self.exact(subject, w, u)
        except (ValueError, RuntimeError) as error:
            raise _no_derivative(self.which, error) from error


def _slope_of_the_one_below(context: Context, name: str, order: _Order) -> Outcome:
    """Whether a derivative along drawn directions is the slope of the derivative below it."""

    def body(w: Tensor, u: Tensor) -> float:
        exact, found = _told_apart(context.subject, w, u, order)
        if isinstance(found, Comparison):
            raise _wrong(order.what, exact, found, order.remedy)
        return found

    return context.property(body, name=name, w=context.points(), u=context.directions())


def _told_apart(
    subject: Subject, w: Tensor, u: Tensor, order: _Order
) -> tuple[Tensor, Comparison | float]:
    """The derivative along u, with its relative error where it is right, else what shows that it
    is wrong.

    Where differences cannot be taken in one pass most points are settled by the engine's own check,
    which needs fewer; it takes the differences that agree best, which can mislead beside a kink, so
    that its doubts are looked at again.
    """
    exact = order.at(subject, w, u)

    def compared(
        x: Tensor, found: Tensor, at: Sampled, taken: Callable[[float], float]
    ) -> Comparison | None:
        scale = scale_of(x)
        return reliable(found, at, taken, scale, noise(at, scale))

    at, taken = order.along(subject, w, u)
    found = None
    if together := at.ahead(steps_of(scale_of(w))):
        found = compared(w, exact, at, taken)
        if found is not None and found.told and not found.wrong:
            return exact, found.error / found.size if found.size else 0.0
    try:
        first = order.screen(subject.objective, w, u)
        if first.conclusive and not first.wrong:
            return exact, first.error
    except (NumericEvent, ValueError, RuntimeError):
        pass  # a step beyond where the loss is defined; the steps below stay inside
    if not together:
        found = compared(w, exact, at, taken)
    if found is None:
        raise Undecided(ONE_SIDED)
    if not found.wrong and not found.told:
        raise Undecided(SMOOTH_ENOUGH)
    if not found.wrong:
        return exact, found.error / found.size if found.size else 0.0
    for near in beside(subject, w):
        with contextlib.suppress(NumericEvent):
            again = compared(near, order.at(subject, near, u), *order.along(subject, near, u))
            if again is not None and again.wrong:
                return exact, found
    raise Undecided(ONLY_HERE)


def _wrong(what: str, exact: Tensor, found: Comparison, remedy: str) -> Violated:
    i = int((exact - found.found).abs().argmax())
    relative = found.error / found.size
    return Violated(
        f"{what} is off by {relative:.2g} of its length: entry {i} is "
        f"{shown(exact[i], relative)} by autograd, {shown(found.found[i], relative)} by "
        f"differences; {_few_digits(relative)}{remedy}",
        measured=float(exact[i]),
        expected=float(found.found[i]),
        tolerance=found.allowed,
        coordinate=i,
        error=found.error,
        relative_error=relative,
    )


def _few_digits(relative: float) -> str:
    if relative > 1e-7:
        return ""
    return "does it use a special function that torch knows to few digits (polygamma: 1e-10), or "


@check(
    "hessian",
    group=GROUP,
    summary="Hessian-vector products by autograd are the slopes of the gradient.",
    needs=(*BELOW, "gradient"),
)
def hessian(context: Context) -> Outcome:
    """All entries of the product, along coordinates and along dense directions."""
    order = _Order(
        "second",
        "the Hessian times a direction",
        "is there a backward() that torch cannot follow (once_differentiable, detach, numpy, saved "
        "numbers) or whose own backward is wrong?",
        product_at,
        gradient_along,
        second_derivative_error,
    )
    return _slope_of_the_one_below(context, "hessian", order)


@check(
    "third-derivative",
    group=GROUP,
    summary="Third derivatives by autograd are the slopes of Hessian-vector products.",
    needs=(*BELOW, "gradient", "hessian"),
)
def third_derivative(context: Context) -> Outcome:
    """``D^3 L(w)[u, u, .]``, which is the gradient of the sharpness for the top eigenvector u."""
    order = _Order(
        "third",
        "the third derivative along a direction, twice,",
        "torch's fused layer_norm and batch_norm are wrong here: write the norm from elementary "
        "operations (mean, square, sqrt), or give the module and its data to check_loss, which "
        "does so",
        _third,
        product_along,
        third_derivative_error,
    )
    return _slope_of_the_one_below(context, "third-derivative", order)


def _third(subject: Subject, w: Tensor, u: Tensor) -> Tensor:
    try:
        with Products(subject.objective, w) as products:
            return products.third(u, u)
    except ValueError as error:
        if NO_GRAPH not in str(error):
            raise
        return torch.zeros_like(u)


def _no_derivative(which: str, error: Exception) -> Violated:
    if isinstance(error, torch.OutOfMemoryError):
        raise error
    remedy = (
        "write the backward() from operations that torch can differentiate, without "
        "once_differentiable, detach or numpy"
    )
    if "torch.compile" in str(error):
        remedy = "pass the loss as it was before torch.compile"
    return Violated(
        f"there is no {which} derivative through autograd ({first_line(error)}): {remedy}",
        measured="none",
    )


@check(
    "symmetric-hessian",
    group=GROUP,
    summary="u . Hess v = v . Hess u.",
    needs=("hessian",),
)
def symmetric_hessian(context: Context) -> Outcome:
    """To the rounding of a product, measured where the bound of its size does not do."""
    subject = context.subject

    def body(w: Tensor, u: Tensor) -> float:
        v = _dense(w, context, "symmetric-hessian")
        hu, hv = product_at(subject, w, u), product_at(subject, w, v)
        left, right = float(torch.dot(v, hu)), float(torch.dot(u, hv))
        size = length(hu) + length(hv)
        allowed = 1e3 * EPS * size
        if abs(left - right) > allowed:
            allowed += 32 * (_scatter(subject, w, u) + _scatter(subject, w, v))
        if abs(left - right) > allowed:
            # Where the loss is saturated its curvature is the rounding of numbers that cancel.
            allowed += 1e3 * EPS * (context.structure.start_size if len(w) <= DENSE else 0.0)
        if abs(left - right) > allowed:
            raise Violated(
                f"v . Hess u is {left:.9g}, but u . Hess v is {right:.9g}: the second derivatives "
                "are not those of one function with continuous second derivatives",
                measured=left,
                expected=right,
                tolerance=allowed,
            )
        return abs(left - right) / size if size else 0.0

    return context.property(
        body, name="symmetric-hessian", w=context.points(), u=context.directions()
    )


def _scatter(subject: Subject, w: Tensor, u: Tensor) -> float:
    """Measured noise of ``Hess L(w) u``."""
    at, _ = product_along(subject, w, u)
    return noise(at, scale_of(w))


@check(
    "declared-hessian",
    group=GROUP,
    summary="The Hessian that was declared is that of the loss.",
    needs=("hessian",),
)
def declared_hessian(context: Context) -> Outcome:
    """Times a direction, against autograd, which `hessian` has compared with differences."""
    subject = context.subject
    declared = subject.declared.hessian
    if declared is None:
        return not_applicable("no Hessian is declared; declare one with hessian=")
    size = subject.size

    def body(w: Tensor, u: Tensor) -> float:
        try:
            table = torch.as_tensor(declared(w.clone())).detach().to(w)
        except Exception as error:  # of the user's function, which may raise anything
            raise Violated(f"the declared Hessian raises {first_line(error)}") from error
        if table.shape != (size, size):
            raise Violated(
                f"the declared Hessian has shape {tuple(table.shape)}, expected ({size}, {size})",
                measured=str(tuple(table.shape)),
                expected=f"({size}, {size})",
            )
        worst = 0.0
        for v in (u, _dense(w, context, "declared-hessian")):
            exact, found = product_at(subject, w, v), table @ v
            gap = length(exact - found)
            allowed = 64 * (size + 16) * EPS * max(length(table), length(exact))
            if gap > allowed:
                allowed += 32 * _scatter(subject, w, v)
            if not gap <= allowed:
                i = int((exact - found).abs().nan_to_num(nan=torch.inf).argmax())
                off = (table[i] - _row(subject, w, i)).abs().nan_to_num(nan=torch.inf)
                j = int(off.argmax())
                right = float(_row(subject, w, i)[j])
                raise Violated(
                    f"entry ({i}, {j}) of the declared Hessian is {shown(table[i, j])}, that of "
                    f"the loss {shown(right)}",
                    measured=float(table[i, j]),
                    expected=right,
                    tolerance=allowed,
                    row=i,
                    column=j,
                )
            worst = max(worst, gap / max(length(exact), length(found), 1e-300))
        return worst

    return context.property(
        body, name="declared-hessian", w=context.points(), u=context.directions()
    )


def _row(subject: Subject, w: Tensor, i: int) -> Tensor:
    e = torch.zeros_like(w)
    e[i] = 1.0
    return product_at(subject, w, e)
