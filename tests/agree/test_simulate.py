"""Runs over drawn instances: deterministic, counted, shrinkable."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from hypothesis import strategies as st

from eostheory.agree import Record, Sample, compare, replay, shrink, simulate
from eostheory.agree.instances import dimensions, positive, seeds
from eostheory.formula import Equation, Inequality, as_expr, scalar, vector
from eostheory.numeric.events import Diverged

X, N = scalar("x"), scalar("n")
V = vector("v", "d")


def plain(sample: Sample) -> None:
    n = sample.draw(dimensions(), "n")
    x = sample.draw(positive(2.0**-8, 8), "x")
    sample.draw(seeds(), "seed")
    sample.observe({N: n, X: x})


def test_the_same_seed_gives_the_same_instances_and_another_seed_others() -> None:
    first, again, other = (simulate(plain, seed=s, examples=20) for s in (5, 5, 6))
    assert [i.draws for i in first.instances] == [i.draws for i in again.instances]
    assert [i.draws for i in first.instances] != [i.draws for i in other.instances]


def test_the_instances_do_not_depend_on_what_else_has_been_imported(tmp_path, monkeypatch) -> None:
    numbers = st.lists(st.floats(0, 1000, allow_subnormal=False), min_size=20, max_size=20)

    def drawn() -> list[str]:
        record = simulate(lambda sample: sample.draw(numbers), seed=3, examples=20)
        return [str(instance.draws) for instance in record.instances]

    before = drawn()
    lines = "\n".join(f"x{i} = {i}.12345" for i in range(300))
    (tmp_path / "a_module_full_of_numbers.py").write_text(lines)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("a_module_full_of_numbers")
    assert drawn() == before
    monkeypatch.delitem(sys.modules, module.__name__)


@pytest.mark.parametrize("examples", [1, 7, 40])
def test_the_number_of_examples_is_honoured(examples: int) -> None:
    assert len(simulate(plain, seed=0, examples=examples).instances) == examples


def test_draws_are_recorded_under_their_labels() -> None:
    instance = simulate(plain, seed=0, examples=1).instances[0]
    assert set(instance.draws) == {"n", "x", "seed"}
    assert instance.describe()["draws"]["n"] == instance.draws["n"]


def test_rejected_instances_are_counted_with_their_reason() -> None:
    def picky(sample: Sample) -> None:
        if sample.draw(st.integers(0, 9), "k") < 5:
            sample.reject("k is small")
        sample.observe({X: 1.0})

    record = simulate(picky, seed=0, examples=5)
    assert len(record.instances) == 5
    assert record.rejected == record.reasons["k is small"] > 0


def test_hypotheses_that_nothing_meets_leave_no_instance() -> None:
    def impossible(sample: Sample) -> None:
        sample.draw(seeds(), "seed")
        sample.reject("never")

    record = simulate(impossible, seed=0, examples=5)
    assert record.instances == []
    assert record.error is None
    assert compare(Equation(X, X), record).outcome == "none"


def test_withheld_hypotheses_are_seen_and_recorded() -> None:
    def conditional(sample: Sample) -> None:
        sample.observe({X: 1.0 if sample.holds("unit") else 2.0})

    kept = simulate(conditional, seed=0, examples=1)
    dropped = simulate(conditional, seed=0, examples=1, withheld=frozenset({"unit", "other"}))
    assert kept.asked == dropped.asked == {"unit"}
    assert compare(Equation(X, as_expr(1)), kept).outcome == "same"
    assert compare(Equation(X, as_expr(1)), dropped).outcome == "differs"


def test_an_exception_ends_the_run_with_its_traceback() -> None:
    def broken(sample: Sample) -> None:
        sample.draw(seeds(), "seed")
        raise ZeroDivisionError("the simulation is wrong")

    record = simulate(broken, seed=0, examples=5)
    assert record.error is not None
    assert "the simulation is wrong" in record.error


def test_not_a_number_is_a_typed_event_and_never_an_observation() -> None:
    def partly(sample: Sample) -> None:
        k = sample.draw(st.integers(0, 9), "k")
        sample.observe({X: float("nan") if k % 2 else 1.0})

    record = simulate(partly, seed=0, examples=4)
    assert len(record.instances) == 4
    assert {e["event"] for e in record.events} == {"NotFinite"}
    assert "x" in record.events[0]["text"]


def test_divergence_is_a_typed_event() -> None:
    def diverging(sample: Sample) -> None:
        if sample.draw(st.booleans(), "far"):
            raise Diverged(3, 1e99)
        sample.observe({X: 1.0})

    record = simulate(diverging, seed=1, examples=3)
    assert [e["event"] for e in record.events].count("Diverged") >= 1


def test_evidence_comes_from_the_first_accepted_instance() -> None:
    def telling(sample: Sample) -> None:
        k = sample.draw(st.integers(0, 9), "k")
        sample.note(f"k = {k}")
        sample.plot("t", "x", "y", [{"label": "l", "x": [1, 2], "y": np.array([1.0, np.nan])}])
        if k == 0:
            sample.reject("zero")
        sample.observe({X: float(k)})

    record = simulate(telling, seed=0, examples=5)
    note, plot = record.evidence
    assert note["text"] == f"k = {record.instances[0].draws['k']}"
    assert plot["series"] == [{"label": "l", "x": [1.0, 2.0], "y": [1.0, None]}]


def test_a_violation_shrinks_to_the_smallest_instance() -> None:
    bound = Inequality(N, "<", as_expr(10))

    def violated(record: Record) -> bool:
        return compare(bound, record).outcome == "differs"

    smallest = shrink(plain, violated, seed=0, examples=30)
    assert smallest is not None
    assert smallest.draws == {"n": "10", "x": "1.0", "seed": "0"}


def test_nothing_is_shrunk_when_nothing_is_violated() -> None:
    assert shrink(plain, lambda record: False, seed=0, examples=10) is None


def test_an_instance_is_replayed_by_its_number() -> None:
    record = simulate(plain, seed=3, examples=9)
    again = replay(plain, 7, seed=3, examples=9)
    assert [i.draws for i in again.instances] == [record.instances[7].draws]
    with pytest.raises(LookupError, match="no instance 20"):
        replay(plain, 20, seed=3, examples=9)


def test_a_value_of_the_wrong_shape_is_refused() -> None:
    def wrong(sample: Sample) -> None:
        sample.observe({V: 1.0})

    record = simulate(wrong, seed=0, examples=1)
    assert record.error is not None
    assert "shape" in record.error
