"""The running error bound encloses derivatives computed with fifty digits."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.numeric.autodiff import gradient, hessian, third, value
from eostheory.numeric.dynamics import gd_step, projected_step
from eostheory.numeric.losses import Loss, scale_invariant
from eostheory.numeric.rounding import RunningError, UnsupportedOperation

MpLoss = Callable[..., mp.mpf]


def rows_of(x: torch.Tensor) -> list[list[mp.mpf]]:
    return [[mp.mpf(e) for e in row] for row in x.tolist()]


def dot(a: object, b: object) -> mp.mpf:
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def exact_loss(loss: Loss) -> MpLoss:
    """The loss in mpmath, written from its description."""
    data = loss.data

    def quadratic(*w: mp.mpf) -> mp.mpf:
        top, bottom = ([dot(r, w) for r in rows_of(data[k])] for k in "AB")
        return dot(w, top) / dot(w, bottom)

    def tanh(*w: mp.mpf) -> mp.mpf:
        size = mp.sqrt(dot(w, w))
        y = data["y"].tolist()
        out = [mp.tanh(dot(r, w) / size) for r in rows_of(data["X"])]
        return mp.fsum((o - mp.mpf(t)) ** 2 for o, t in zip(out, y, strict=True)) / len(y)

    def batch(*w: mp.mpf) -> mp.mpf:
        z = [dot(r, w) for r in rows_of(data["X"])]
        y, n = data["y"].tolist(), len(z)
        mean = mp.fsum(z) / n
        spread = mp.sqrt(mp.fsum((v - mean) ** 2 for v in z) / n)
        return (
            mp.fsum(((v - mean) / spread - mp.mpf(t)) ** 2 for v, t in zip(z, y, strict=True)) / n
        )

    def quartic(*w: mp.mpf) -> mp.mpf:
        top = mp.fsum(dot(r, w) ** 4 for r in rows_of(data["a"]))
        bottom = dot(w, [dot(r, w) for r in rows_of(data["B"])])
        return mp.log(top) - 2 * mp.log(bottom)

    def cosine(*w: mp.mpf) -> mp.mpf:
        total = []
        for row, label in zip(rows_of(data["X"]), data["label"].tolist(), strict=True):
            c = dot(row, w) / mp.sqrt(dot(row, row) * dot(w, w))
            total.append(mp.log(1 + mp.exp(-3 * label * c)))
        return mp.fsum(total) / len(total)

    return {
        "quadratic ratio": quadratic,
        "weight-normalised tanh": tanh,
        "batch-normalised regression": batch,
        "log-quartic ratio": quartic,
        "cosine embedding": cosine,
    }[loss.name]


FAMILIES = (
    "quadratic ratio",
    "weight-normalised tanh",
    "batch-normalised regression",
    "log-quartic ratio",
)


def encloses(found: torch.Tensor, bound: torch.Tensor, truth: mp.mpf) -> bool:
    return bool(abs(mp.mpf(float(found)) - truth) <= mp.mpf(float(bound)))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.sampled_from(FAMILIES), st.integers(2, 4), st.integers(0, 9999), st.integers(0, 9999))
def test_bounds_enclose_value_gradient_and_hessian(
    family: str, dim: int, seed: int, other: int
) -> None:
    loss = scale_invariant(family, dim, seed, "cpu")
    w = loss.point(other, 1.7)
    with RunningError() as run:
        parts = [value(loss, w), gradient(loss, w), hessian(loss, w)]
    bounds = [run.error(p) for p in parts]
    with mp.workdps(50):
        function = exact_loss(loss)
        point = tuple(mp.mpf(x) for x in w.tolist())
        assert encloses(parts[0], bounds[0], function(*point))
        i, j = seed % dim, other % dim
        axis = [0] * dim
        axis[i] += 1
        assert encloses(parts[1][i], bounds[1][i], mp.diff(function, point, tuple(axis)))
        axis[j] += 1
        assert encloses(parts[2][i, j], bounds[2][i, j], mp.diff(function, point, tuple(axis)))


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.sampled_from(FAMILIES), st.integers(0, 9999))
def test_bounds_enclose_third_derivatives(family: str, seed: int) -> None:
    loss = scale_invariant(family, 2, seed, "cpu")
    w = loss.point(seed + 1)
    a, b = torch.eye(2, dtype=torch.float64)
    with RunningError() as run:
        found = third(loss, w, a, b)
    bound = run.error(found)
    with mp.workdps(50):
        point = tuple(mp.mpf(x) for x in w.tolist())
        assert encloses(found[0], bound[0], mp.diff(exact_loss(loss), point, (2, 1)))
        assert encloses(found[1], bound[1], mp.diff(exact_loss(loss), point, (1, 2)))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(2, 6), st.integers(0, 9999))
def test_bounds_cover_steps_of_the_real_dynamics(dim: int, seed: int) -> None:
    loss = scale_invariant("quadratic ratio", dim, seed, "cpu")
    w = loss.point(seed)
    with RunningError() as run:
        after = gd_step(loss, w, 0.1, 0.3)
        moved = projected_step(loss, w, 0.1)
    with mp.workdps(50):
        point = [mp.mpf(x) for x in w.tolist()]
        a, b = (mp.matrix(loss.data[k].tolist()) for k in "AB")
        v = mp.matrix(point)
        top, bottom = (v.T * a * v)[0], (v.T * b * v)[0]
        grad = 2 * (a * v - top / bottom * b * v) / bottom
        eta, decay = mp.mpf(0.1), mp.mpf(0.3)
        truth = (1 - eta * decay) * v - eta * grad
        bound = run.error(after)
        assert all(encloses(after[i], bound[i], truth[i]) for i in range(dim))
        step = v - eta * grad
        bound = run.error(moved)
        size = mp.sqrt((step.T * step)[0])
        assert all(encloses(moved[i], bound[i], step[i] / size) for i in range(dim))


def test_bounds_are_informative() -> None:
    loss = scale_invariant("batch-normalised regression", 40, 1, "cpu")
    w = loss.point(2)
    with RunningError() as run:
        g = gradient(loss, w)
    assert float(run.error(g).max()) < 1e-11 * float(g.abs().max())


def test_inputs_are_exact_unless_declared_otherwise() -> None:
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    with RunningError() as run:
        run.declare(x, 1e-3)
        y = 2 * x
        fresh = run.fresh(y) * 1
    assert float(run.error(y)[0]) >= 2e-3
    assert float(run.error(fresh)[0]) <= 1e-15


def test_views_and_in_place_updates_carry_their_errors() -> None:
    x = torch.arange(6, dtype=torch.float64)
    with RunningError() as run:
        run.declare(x, 1e-3)
        y = x.clone()
        view = y.reshape(2, 3)[1]
        view.mul_(10)
        y[0] = 5.0
    found = run.error(y)
    assert float(found[0]) == 0
    assert float(found[1]) == pytest.approx(1e-3)
    assert float(found[4]) == pytest.approx(1e-2)


def test_an_unknown_operation_is_refused_by_name() -> None:
    x = torch.eye(2, dtype=torch.float64)
    with RunningError(), pytest.raises(UnsupportedOperation, match="linalg"):
        torch.linalg.eigvalsh(x)


def test_division_by_something_that_may_be_zero_has_no_bound() -> None:
    x = torch.tensor(1e-3, dtype=torch.float64)
    with RunningError() as run:
        y = 1 / run.declare(x, 1e-2)
    assert float(run.error(y)) == float("inf")


@pytest.mark.parametrize("function", [torch.rsqrt, torch.sqrt, torch.log, torch.exp, torch.tanh])
def test_an_error_below_the_last_digit_of_an_argument_is_not_lost(
    function: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    x = torch.tensor([1.0, 3.0], dtype=torch.float64)
    with RunningError() as run:
        y = function(run.declare(x, 2.0**-60))
    with RunningError() as other:
        z = function(x)
    assert bool((run.error(y) > other.error(z)).all())
