"""LLVM against the torch interpreter: the same bits, for every batch, cut and number of threads."""

import math

import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.trajectories import Recurrence, Status, compile, simulate

x, y, z, a, b = sp.symbols("x y z a b", real=True)
N = x**2 - x * y + y**2
SCALE_INVARIANT = Recurrence(
    "scale-invariant",
    (x, y, z),
    (
        (1 - a * b) * x - 3 * a * y * (x - y) / (2 * N ** sp.Rational(3, 2)),
        (1 - a * b) * y + 3 * a * x * (x - y) / (2 * N ** sp.Rational(3, 2)),
        (1 - a * b) * z,
    ),
    (a, b),
    record=(("x", x), ("norm", sp.sqrt(x**2 + y**2 + z**2))),
)
TOY = Recurrence(
    "toy", (x, y), (-x - a * x * y, y + a * b - a * x**2 / 2), (a, b), record=(("y", y),)
)
CHOICE = Recurrence(
    "choice",
    (x, y),
    (
        sp.Piecewise((x - a * sp.sign(y), x > b), (sp.Max(x, y) / 2 + b, True)),
        sp.Abs(x) - sp.Min(y, a * b, sp.Max(a, b)),
    ),
    (a, b),
)
CORPUS = {
    SCALE_INVARIANT: ((0.4, 1.3), (0.05, 0.5)),
    TOY: ((0.05, 0.4), (0.01, 0.2)),
    CHOICE: ((-1.0, 1.0), (0.1, 0.9)),
}


def draw(recurrence, size, seed=0):
    """A start (n, B) and parameters (p, B) of the corpus."""
    generator = torch.Generator().manual_seed(seed)
    rows = (len(recurrence.state), len(recurrence.parameters))
    for count, (low, high) in zip(rows, CORPUS[recurrence], strict=True):
        uniform = torch.rand(count, size, generator=generator, dtype=torch.float64)
        yield low + (high - low) * uniform


def same(one, other):
    """Whether two runs are the same bits; one NaN is as good as another."""
    assert torch.equal(one.status, other.status)
    assert torch.equal(one.at, other.at)
    assert equal(one.records, other.records)
    assert equal(one.state, other.state)


def equal(mine, theirs):
    """`torch.equal`, but for the bits of a NaN."""
    return torch.equal(mine.isnan(), theirs.isnan()) and torch.equal(
        mine.masked_fill(mine.isnan(), 0.0), theirs.masked_fill(theirs.isnan(), 0.0)
    )


@pytest.mark.parametrize("recurrence", CORPUS, ids=lambda r: r.name)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 70])
def test_llvm_is_the_interpreter_bit_for_bit(recurrence, size):
    start, parameters = draw(recurrence, size)
    for every, steps in ((1, 12), (7, 50)):
        mine = simulate(recurrence, start, parameters, steps, every=every, bound=1e6)
        oracle = simulate(
            recurrence, start, parameters, steps, every=every, bound=1e6, backend="eager"
        )
        same(mine, oracle)


@pytest.mark.parametrize("recurrence", CORPUS, ids=lambda r: r.name)
@pytest.mark.parametrize("cut", [0, 1, 20, 37, 100])
def test_a_resumed_run_is_the_straight_one(recurrence, cut):
    start, parameters = draw(recurrence, 19)
    straight = simulate(recurrence, start, parameters, 100, every=10)
    begun = simulate(recurrence, start, parameters, cut, every=10)
    ended = begun.resume(100 - cut)
    assert torch.equal(torch.cat([begun.steps, ended.steps]), straight.steps)
    assert torch.equal(torch.cat([begun.records, ended.records]), straight.records)
    assert torch.equal(ended.state, straight.state)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(threads):
    start, parameters = draw(SCALE_INVARIANT, 150)
    one = simulate(SCALE_INVARIANT, start, parameters, 300, every=3)
    same(simulate(SCALE_INVARIANT, start, parameters, 300, every=3, threads=threads), one)


def test_a_trajectory_does_not_depend_on_its_neighbours():
    start, parameters = draw(TOY, 40)
    start[0, ::3] = 60.0  # these diverge
    together = simulate(TOY, start, parameters, 400, every=9, bound=1e4)
    assert (together.status == Status.DIVERGED).any()
    for lane in (0, 1, 17, 39):
        alone = simulate(TOY, start[:, lane], parameters[:, lane], 400, every=9, bound=1e4)
        assert torch.equal(alone.state, together.state[:, lane])
        assert alone.at == together.at[lane]


@pytest.mark.parametrize(("every", "size"), [(1, 608), (3, 608), (1, 612)])
def test_long_rows_of_dense_records_are_the_same_bits(every, size):
    # more than one long tile, and records too large for the caches
    start, parameters = draw(TOY, size)
    steps = 1000 * every
    dense = simulate(TOY, start, parameters, steps, every=every, threads=2)
    some = torch.tensor([0, 13, 15, 303, 304, 500, 607, size - 1])
    few = simulate(TOY, start[:, some], parameters[:, some], steps, every=every)
    assert equal(dense.records[:, :, some], few.records)
    assert equal(dense.state[:, some], few.state)
    ended = dense.status == Status.DIVERGED
    assert 0 < ended.sum() < size / 2
    assert torch.equal(dense.records[-1].isnan().all(0), ended)


@pytest.mark.parametrize("size", [1, 8, 41])
def test_a_bound_is_kept_to_its_last_bit(size):
    # reached at one step only, amid a sweep of records
    now = sp.Abs(1024 * y - 20) < sp.Rational(1, 2)
    update = (sp.Piecewise((a, now), (sp.Rational(1, 2), True)), y + sp.Rational(1, 1024))
    recurrence = Recurrence("once", (x, y), update, (a,))
    peak = 1 + 2.0**-21 + 2.0**-30
    start = torch.full((2, size), 0.0, dtype=torch.float64)
    height = torch.full((1, size), 0.75, dtype=torch.float64)
    height[0, -1] = peak
    for bound, status in (
        (1.0 + 2.0**-21, Status.DIVERGED),
        (peak - 2.0**-52, Status.DIVERGED),
        (peak, Status.DIVERGED),
        (peak + 2.0**-52, Status.RUNNING),
    ):
        run = simulate(recurrence, start, height, 100, bound=bound)
        assert run.status[-1] == status
        assert run.at[-1] == (21 if status else -1)
        assert not run.status[:-1].any()


@pytest.mark.parametrize("every", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [1, 18])
def test_events_between_records_that_are_not_looked_at_are_the_same_bits(every, size):
    # halving and a shift: fixed points; growth: divergence; shrinking: underflow, each at its time
    recurrence = Recurrence("events", (x, y), (a * x + b, y * a), (a, b), record=(("s", x),))
    spread = torch.linspace(0, 1, size, dtype=torch.float64)
    rates = (0.5 - 0.1 * spread, 1.2 + 0.3 * spread, 0.25 + 0.0 * spread, 1.0 + 0.0 * spread)
    parameters = torch.stack([torch.cat(rates), torch.linspace(0, 2, 4 * size).double().floor()])
    start = torch.stack([torch.ones(4 * size), torch.full((4 * size,), 2.0)]).double()
    start[:, ::5] *= -1e-300
    arguments = (start, parameters, 140 * every + 3)
    mine = simulate(recurrence, *arguments, every=every, bound=1e9)
    assert len(mine.status.unique()) >= 3
    same(mine, simulate(recurrence, *arguments, every=every, bound=1e9, backend="eager"))


def test_a_visit_beyond_the_bound_is_seen_by_the_record_it_falls_on():
    # up to the bound and back within few steps
    recurrence = Recurrence("hop", (x,), (sp.Piecewise((-x / 16, x > 1), (2 * sp.Abs(x), True)),))
    start = torch.rand(1, 40, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for every, bound in ((1, 1.9), (2, 1.99), (3, 1.999)):
        mine = simulate(recurrence, start, (), 300, every=every, bound=bound)
        same(mine, simulate(recurrence, start, (), 300, every=every, bound=bound, backend="eager"))


def plain_toy(state, a, b, steps):
    """The toy in Python's floats, which are IEEE doubles as well."""
    x, y = state
    drift, turn, half = a * b, -a, -0.5 * a
    for _ in range(steps):
        x, y = turn * (x * y) - x, (y + drift) + half * (x * x)
    return x, y


def test_a_million_steps_are_those_of_python():
    start = torch.tensor([[0.1, 0.2, 0.3], [-0.1, 0.0, 0.05]], dtype=torch.float64)
    run = simulate(TOY, start, (0.01, 0.7), 1_000_000, every=1_000_000)
    expected = plain_toy(start[:, 1].tolist(), 0.01, 0.7, 1_000_000)
    assert tuple(run.state[:, 1].tolist()) == expected


NUMBERS = st.sampled_from([x, y, a, b, sp.Integer(2), sp.Rational(1, 3), sp.Rational(-5, 2)])


def grown(children):
    pairs = st.tuples(children, children)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] - p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: p[0] / (1 + p[1] ** 2)),
        children.map(lambda e: sp.sqrt(1 + e**2)),
        children.map(lambda e: (1 + e**2) ** sp.Rational(-3, 2)),
        children.map(sp.Abs),
        pairs.map(lambda p: sp.Max(*p)),
        pairs.map(lambda p: sp.Piecewise((p[0], p[0] < p[1]), (-p[1], True))),
    )


@settings(max_examples=25, deadline=None)
@given(st.recursive(NUMBERS, grown, max_leaves=7), st.recursive(NUMBERS, grown, max_leaves=7))
def test_any_algebraic_recurrence_is_the_interpreter_bit_for_bit(one, two):
    recurrence = Recurrence("drawn", (x, y), (one, two), (a, b), record=(("s", x - y), ("x", x)))
    start = torch.tensor([[0.3, -1.2, 2.0], [0.5, 0.7, -0.1]], dtype=torch.float64)
    parameters = torch.tensor([[0.1, 0.9, -0.4], [1.1, -0.6, 0.3]], dtype=torch.float64)
    arguments = (start, parameters, 9)
    mine = simulate(recurrence, *arguments, every=2, bound=1e30)
    same(mine, simulate(recurrence, *arguments, every=2, bound=1e30, backend="eager"))


def test_transcendental_functions_agree_to_ulps():
    update = sp.exp(-x) * sp.sin(y) + sp.tanh(z), sp.log(2 + x**2), sp.Abs(y) ** a + sp.erf(b * z)
    recurrence = Recurrence("functions", (x, y, z), update, (a, b))
    compiled = compile(recurrence)
    assert not compiled.program.algebraic
    start = torch.rand(3, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mine = compiled(start, (0.7, 1.3), 1)
    oracle = simulate(recurrence, start, (0.7, 1.3), 1, backend="eager")
    # each function errs by an ulp or so, and a sum of two passes that on
    assert torch.allclose(mine.state, oracle.state, rtol=16 * 2**-52, atol=16 * 2**-52)


def test_fused_multiply_add_is_another_rounding_only_when_asked_for():
    start, parameters = draw(SCALE_INVARIANT, 33)
    exact = simulate(SCALE_INVARIANT, start, parameters, 3)
    fused = simulate(SCALE_INVARIANT, start, parameters, 3, fma=True)
    assert torch.allclose(exact.state, fused.state, rtol=1e-13, atol=0)
    with pytest.raises(ValueError, match="fused"):
        compile(SCALE_INVARIANT, "eager", True)


def test_hoisted_truth_values_reach_the_step():
    recurrence = Recurrence("truth", (x,), (sp.Piecewise((x / 2, a > b), (x / 4, True)),), (a, b))
    parameters = torch.tensor([[1.0, 0.0, math.pi], [0.0, 1.0, 4.0]], dtype=torch.float64)
    run = simulate(recurrence, {"x": 8.0}, parameters, 1)
    assert run.state.tolist() == [[4.0, 2.0, 2.0]]
