"""Each case from end to end, on small sizes; no time is asserted."""

import math

import pytest

from eostheory.bench import Interval, Settings, catalogue
from eostheory.bench.digits import Regime, iterates, problem
from eostheory.bench.eigensolvers import residual, scipy_eigsh, torch_lobpcg
from eostheory.curvature import Products
from eostheory.trajectories import compile, gradient_descent, lower


@pytest.fixture(autouse=True)
def one_unrolling(monkeypatch):
    # compilers are slow; which unrolling is best is no matter here
    monkeypatch.setattr("eostheory.bench.peers.UNROLLS", (2,))


@pytest.mark.parametrize("name", ["toy", "stores", "calls", "products", "tracked"])
def test_a_case_judges_all_its_targets(name):
    said = []
    case = catalogue()[name]
    outcome = case.run(Settings(1, True, said.append))
    assert said
    assert outcome.tables
    for judged in outcome.targets:
        if judged.measured is None:
            # on a machine without JAX, C or the digits
            assert judged.reason.startswith(("not installed", "no C compiler")), judged
        else:
            ends = (judged.measured.low, judged.measured.median, judged.measured.high)
            assert all(math.isfinite(x) and x > 0 for x in ends)
            assert list(ends) == sorted(ends)
    assert not outcome.notes
    if name == "tracked":
        rows = {row[0]: row for table in outcome.tables for row in table.rows}
        theirs = rows["adamian98/EOS as measured elsewhere, float64"]
        assert theirs[1:4] == (42.0, 8.0, 154.0)
        assert isinstance(rows["tracked step, float64"][3], Interval)


def test_solvers_agree_and_count_their_products():
    objective, start = problem(count=100, hidden=12)
    (w,) = iterates(objective, start, Regime("early", 0.5, 5), 1)
    with Products(objective, w) as products:
        begin = products.gradient / products.gradient.norm()
        values = []
        for solve in (scipy_eigsh, torch_lobpcg):
            before = products.count
            value, vector, count = solve(products, begin, 1e-8)
            assert count == products.count - before > 0
            assert residual(products, value, vector) <= 1e-8
            assert products.count == before + count
            values.append(value)
        assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_fresh_formulas_are_different_programs():
    from eostheory.bench.calls import fresh_loss

    keys = set()
    for number in range(6):
        loss, variables = fresh_loss(number)
        recurrence = gradient_descent(loss, variables, record={"x": variables[0]})
        keys.add(lower(recurrence).key)
        run = compile(recurrence)([0.3, 0.7, 0.5], [1e-3], 3)
        assert bool(run.state.isfinite().all())
    assert len(keys) == 6
