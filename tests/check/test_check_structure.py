"""What the checks of structure say about losses whose structure is known."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import pytest
import sympy
import torch
from torch import Tensor

from eostheory.check.catalogue import all_checks
from eostheory.check.context import Context
from eostheory.check.finding import Outcome, Status
from eostheory.check.normalise import make_subject
from eostheory.check.profiles import PROFILES
from eostheory.check.structure import looks_scale_invariant
from eostheory.numeric.losses import FAMILIES, scale_invariant
from eostheory.numeric.toys import damian_toy

CHECKS = all_checks()
SEEDS = (0, 1, 2) if os.environ.get("EOSTHEORY_GALLERY") == "all" else (0,)
WEIGHTS = torch.tensor([2.0, 1.0], dtype=torch.float64)

FAST = ("quadratic ratio", "cosine embedding")

CONSEQUENCES = (
    "gradient-degree",
    "hessian-degree",
    "hessian-radial",
    "spherical-sharpness",
    "effective-learning-rate",
)


def context(loss: Any, seed: int = 0, profile: str = "quick", **described: Any) -> Context:
    return Context(make_subject(loss, **described), PROFILES[profile], seed)


def outcome(ctx: Context, name: str) -> Outcome:
    found = ctx.outcomes[name] = CHECKS[name].body(ctx)
    return found


def ratio(w: Tensor) -> Tensor:
    return w[0] ** 2 / torch.dot(w, w)


def separable(one: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same function of two coordinates, the first twice as much."""
    return lambda w: (one(w) * WEIGHTS).sum()


# ------------------------------------------------------------------------ scale invariance
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_families_of_scale_invariant_losses_are_detected(family: str, seed: int) -> None:
    ctx = context(scale_invariant(family, 4, seed), seed, size=4)
    assert outcome(ctx, "scale-invariant").status is Status.PASS


@pytest.mark.parametrize(
    "family",
    FAMILIES if len(SEEDS) > 1 else FAST,
)
@pytest.mark.parametrize("name", CONSEQUENCES)
def test_consequences_hold_for_families_of_scale_invariant_losses(family: str, name: str) -> None:
    ctx = context(scale_invariant(family, 3, 7), size=3)
    found = outcome(ctx, name)
    assert found.status is Status.PASS, found.message


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("part", [1e-6, 1e-9])
def test_a_tiny_term_that_breaks_a_declared_invariance_is_found_and_shrunk(
    part: float, seed: int
) -> None:
    ctx = context(
        lambda w: ratio(w) + part * torch.dot(w, w), seed, size=3, scale_invariant=True
    )  # fmt: skip
    found = outcome(ctx, "scale-invariant")
    assert found.status is Status.FAIL
    case = found.counterexample
    assert case is not None
    assert case.inputs["c"] == 2.0
    assert isinstance(found.measured, float)
    norm = float(case.details["norm"])
    assert found.measured == pytest.approx(part * (4 - 1) * norm**2, rel=1e-5)


def test_an_epsilon_inside_a_normalisation_is_a_finding_with_its_size_and_place() -> None:
    def loss(w: Tensor) -> Tensor:
        centred = w - w.mean()
        return (centred / torch.sqrt((centred**2).mean() + 1e-5))[0]

    found = outcome(context(loss, size=3, scale_invariant=True), "scale-invariant")
    assert found.status is Status.FAIL
    assert "at |w| = " in found.message
    assert "epsilon" in found.message


def test_cancellation_is_no_breach_of_scale_invariance() -> None:
    def loss(w: Tensor) -> Tensor:
        return torch.log(1e6 * torch.dot(w, w)) - torch.log(torch.dot(w, w)) + ratio(w)

    assert outcome(context(loss, size=3, scale_invariant=True), "scale-invariant").status == "pass"


def test_operations_without_a_rounding_model_do_not_alarm() -> None:
    def loss(w: Tensor) -> Tensor:
        return torch.special.erf(3 * w / torch.linalg.vector_norm(w)).sum() ** 2

    ctx = context(loss, size=4, scale_invariant=True)
    for name in ("scale-invariant", "gradient-degree", "hessian-radial"):
        assert outcome(ctx, name).status is Status.PASS, name


def test_a_loss_that_is_not_scale_invariant_is_not_blamed_for_it() -> None:
    found = outcome(context(lambda w: torch.dot(w, w), size=2), "scale-invariant")
    assert found.status is Status.NOT_APPLICABLE
    assert "L(" in found.message


def test_formulas_are_decided_exactly() -> None:
    x, y = sympy.symbols("x y", real=True)
    found = outcome(context(x**2 / (x**2 + y**2)), "scale-invariant")
    assert found.status is Status.PASS
    assert "exact" in found.message
    # Far below rounding at every point that is drawn.
    hidden = x**2 / (x**2 + y**2) + sympy.Float("1e-40") * x
    declared = outcome(context(sympy.nsimplify(hidden), scale_invariant=True), "scale-invariant")
    assert declared.status is Status.FAIL


def test_the_quick_look_at_scale_invariance_never_raises() -> None:
    def broken(w: Tensor) -> Tensor:
        raise OSError("no")

    assert not looks_scale_invariant(broken, 3)
    assert not looks_scale_invariant(lambda w: w.sum() * math.nan, 3)
    assert looks_scale_invariant(ratio, 3)


def test_wrong_radial_derivatives_are_caught_with_the_coordinate() -> None:
    class Off(torch.autograd.Function):
        """The value is right, the gradient has a part along w."""

        @staticmethod
        def forward(ctx: Any, w: Tensor) -> Tensor:
            ctx.save_for_backward(w)
            return ratio(w)

        @staticmethod
        def backward(ctx: Any, out: Tensor) -> Tensor:
            (w,) = ctx.saved_tensors
            with torch.enable_grad():
                leaf = w.detach().requires_grad_(True)
                (slope,) = torch.autograd.grad(ratio(leaf), leaf)
            return out * (slope + 1e-3 * w)

    found = outcome(context(Off.apply, size=3, scale_invariant=True), "gradient-degree")
    assert found.status is Status.FAIL


def test_too_much_weight_decay_is_outside_of_the_statements() -> None:
    ctx = context(ratio, size=3, learning_rate=5.0, weight_decay=0.3)
    found = outcome(ctx, "effective-learning-rate")
    assert found.status is Status.NOT_APPLICABLE
    assert "below 1" in found.message


def test_the_rate_of_a_run_that_is_not_scale_invariant_breaks_the_recursion() -> None:
    ctx = context(lambda w: ratio(w) + 1e-6 * torch.dot(w, w), size=3, scale_invariant=True)
    found = outcome(ctx, "effective-learning-rate")
    assert found.status is Status.FAIL
    assert "step 0" in found.message


# ------------------------------------------------------------------------- top eigenvalue
@pytest.mark.parametrize("seed", SEEDS)
def test_a_double_top_eigenvalue_fails_at_the_start(seed: int) -> None:
    found = outcome(context(lambda w: torch.dot(w, w), seed, size=2), "simple-top-eigenvalue")
    assert found.status is Status.FAIL
    assert found.counterexample is not None
    assert found.counterexample.details["gap"] == 0.0


def test_a_double_top_eigenvalue_in_disguise_fails_too() -> None:
    draw = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=draw, dtype=torch.float64))[0]
    values = torch.tensor([3.0, 3.0, 1.0, 0.5], dtype=torch.float64)
    found = outcome(
        context(lambda w: ((turn @ w) ** 2 * values).sum(), size=4), "simple-top-eigenvalue"
    )
    assert found.status is Status.FAIL


def test_a_gap_far_above_rounding_is_simple_however_small() -> None:
    values = torch.tensor([1 + 1e-9, 1.0], dtype=torch.float64)
    found = outcome(context(lambda w: (w**2 * values).sum() / 2, size=2), "simple-top-eigenvalue")
    assert found.status is Status.PASS
    assert found.measured == pytest.approx(1e-9, rel=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_isolated_crossings_do_not_alarm(seed: int) -> None:
    ctx = context(lambda w: (w[0] * w[1] - 1) ** 2 / 2 + w[0] ** 4 / 5, seed, size=2)
    assert outcome(ctx, "simple-top-eigenvalue").status is Status.PASS
    assert outcome(ctx, "sharpness-gradient").status is Status.PASS


def test_a_large_loss_with_a_double_top_eigenvalue_fails_without_a_dense_hessian() -> None:
    values = torch.linspace(0, 1, 500, dtype=torch.float64)
    values[-2] = 1.0
    start = torch.ones(500, dtype=torch.float64)
    found = outcome(
        context(lambda w: (w**2 * values).sum() / 2, start=start), "simple-top-eigenvalue"
    )
    assert found.status is Status.FAIL


# ------------------------------------------------------------------------- sub-quadratic
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("one", "status"),
    [
        (lambda w: 1 - torch.cos(w), "pass"),
        (lambda w: torch.log(torch.cosh(w)), "pass"),
        (lambda w: torch.tanh(w) ** 2, "pass"),
        (lambda w: w**2, "pass"),
        (lambda w: w**2 + w**4, "fail"),
        (lambda w: torch.cosh(w), "fail"),
    ],
)
def test_losses_are_told_apart_along_the_top_eigenvector(
    one: Callable[[Tensor], Tensor], status: str, seed: int
) -> None:
    found = outcome(context(separable(one), seed, size=2), "sub-quadratic")
    assert found.status == status, found.message


def test_a_pure_quartic_is_super_quadratic() -> None:
    assert outcome(context(lambda w: (w**4).sum(), size=1), "sub-quadratic").status == "fail"


def test_the_quadratic_toy_is_judged_where_it_meets_the_edge() -> None:
    ctx = context(damian_toy(0.1, 1.0, 1.0), size=3, learning_rate=0.1)
    found = outcome(ctx, "sub-quadratic")
    assert found.status is Status.PASS
    assert "where the run meets the edge" in found.message


# ------------------------------------------------------------------------------ minimizers
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("loss", "size", "dimension"),
    [
        (lambda w: (w[0] * w[1] - 1) ** 2 / 2, 2, 1),
        (lambda w: (torch.dot(w, w) - 1) ** 2, 3, 2),
        (lambda w: (w**2 * torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64)).sum(), 3, 0),
        (lambda w: w[0] ** 2 + 1e-5 * w[1] ** 2, 2, 0),
        (lambda w: (w[0] - torch.sin(w[1])) ** 2, 2, 1),
    ],
)
def test_regular_minimizers_pass_with_their_dimension(
    loss: Callable[[Tensor], Tensor], size: int, dimension: int, seed: int
) -> None:
    ctx = context(loss, seed, size=size)
    found = outcome(ctx, "minimizer-manifold")
    assert found.status is Status.PASS, found.message
    assert found.measured == dimension
    assert ctx.structure.dimension == dimension
    pl = outcome(ctx, "local-pl")
    assert pl.status is Status.PASS, pl.message
    assert pl.measured == pytest.approx(pl.expected, rel=1e-2)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("loss", "size"),
    [
        (lambda w: (w[0] * w[1]) ** 2, 2),
        (lambda w: (w**4).sum(), 1),
        (lambda w: w[0] ** 2 + w[1] ** 4, 2),
        (lambda w: w[0] ** 2 + w[1] ** 6, 2),
    ],
)
def test_minimizers_of_deficient_rank_fail_at_the_point(
    loss: Callable[[Tensor], Tensor], size: int, seed: int
) -> None:
    found = outcome(context(loss, seed, size=size), "minimizer-manifold")
    assert found.status is Status.FAIL, found.message
    assert found.counterexample is not None
    point = found.counterexample.inputs["w"].tensor  # type: ignore[union-attr]
    assert float(point.abs().max()) < 1e-2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "tail",
    [
        lambda x: torch.log1p(torch.exp(-x)),
        lambda x: 1 - torch.sigmoid(x),
        lambda x: torch.exp(-x),
        lambda x: 1 - torch.tanh(x),
    ],
)
def test_a_minimum_that_is_not_attained_is_unknown(
    tail: Callable[[Tensor], Tensor], seed: int
) -> None:
    ctx = context(lambda w: tail(w[0]) + (w[1] - 1) ** 2, seed, size=2)
    found = outcome(ctx, "minimizer-manifold")
    assert found.status is Status.UNKNOWN, found.message
    assert ctx.structure.minimizers() == []


def test_a_kink_at_the_minimum_has_no_rank() -> None:
    def loss(w: Tensor) -> Tensor:
        return torch.maximum(w[0], w[1]) / torch.linalg.vector_norm(w)

    found = outcome(context(loss, size=2), "minimizer-manifold")
    assert found.status is Status.UNKNOWN, found.message
    assert "kink" in found.message


def test_a_declared_manifold_is_checked_point_by_point() -> None:
    def loss(w: Tensor) -> Tensor:
        return (w[0] * w[1] - 1) ** 2 / 2

    right = context(loss, size=2, manifold=lambda t: torch.stack([t[0], 1 / t[0]]))
    found = outcome(right, "minimizer-manifold")
    assert found.status is Status.PASS
    assert found.measured == 1.0
    assert outcome(right, "local-pl").status is Status.PASS
    wrong = context(loss, size=2, manifold=lambda t: torch.stack([t[0], 1.001 / t[0]]))
    found = outcome(wrong, "minimizer-manifold")
    assert found.status is Status.FAIL
    assert "no critical point" in found.message


def test_a_declared_manifold_of_too_small_rank_fails() -> None:
    def line(t: Tensor) -> Tensor:
        return torch.stack([t[0], 0 * t[0]])

    crossing = outcome(
        context(lambda w: (w[0] * w[1]) ** 2, size=2, manifold=line), "minimizer-manifold"
    )
    assert crossing.status is Status.FAIL
    assert "rank 0" in crossing.message
    saddle = outcome(context(lambda w: -(w[1] ** 2), size=2, manifold=line), "minimizer-manifold")
    assert saddle.status is Status.FAIL
    assert "saddle" in saddle.message


def test_minimizers_of_scale_invariant_losses_are_looked_for_on_the_sphere() -> None:
    def loss(w: Tensor) -> Tensor:
        return (w[0] - w[1]) ** 2 / torch.dot(w, w)

    ctx = context(loss, size=3)
    found = outcome(ctx, "minimizer-manifold")
    assert found.status is Status.PASS, found.message
    assert found.measured == 1.0
    assert ctx.structure.dimension == 2
    assert float(torch.linalg.vector_norm(ctx.structure.minimizers()[0])) == pytest.approx(1.0)
    assert outcome(ctx, "local-pl").status is Status.PASS
