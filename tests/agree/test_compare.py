"""Statements against observations: the tolerance is the error bound and nothing else."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st

from eostheory.agree import (
    Measured,
    Sample,
    compare,
    compare_derivation,
    exact,
    measured,
    simulate,
)
from eostheory.agree.instances import dimensions, gaussian, positive, seeds
from eostheory.formula import (
    Equation,
    Inequality,
    Predicate,
    as_expr,
    dot,
    eye,
    log,
    matrix,
    norm,
    norm2,
    scalar,
    trace,
    vector,
)

X, Y, S = vector("x", "n"), vector("y", "n"), scalar("s")
M = matrix("M", "n", "n")
ETA = scalar("eta", positive=True)
ROW = vector("row", "n")


def bilinear(sample: Sample) -> None:
    """``s = x'My`` on drawn data, with the error of its rounding."""
    n = sample.draw(dimensions(), "n")
    rng = np.random.default_rng(sample.draw(seeds(), "seed"))
    x, y, m = rng.standard_normal(n), rng.standard_normal(n), rng.standard_normal((n, n))
    value = measured(x @ m @ y, 2 * n, np.abs(x) @ np.abs(m) @ np.abs(y))
    row = measured(m @ y, n, np.abs(m) @ np.abs(y))
    sample.observe(
        {X: x, Y: y, M: m, S: value, ROW: row, ETA: sample.draw(positive(0.1, 1), "eta")}
    )


RECORD = simulate(bilinear, seed=4, examples=30)


def test_a_true_equation_is_the_same_on_every_instance() -> None:
    found = compare(Equation(S, dot(X, M @ Y)), RECORD)
    assert found.outcome == "same"
    assert found.detail["count"] == 30
    assert 0 < found.detail["worst"] <= 1


@pytest.mark.parametrize("factor", [Fraction(1001, 1000), Fraction(999999999, 1000000000), 2, -1])
def test_a_coefficient_that_is_slightly_off_differs(factor: Fraction | int) -> None:
    found = compare(Equation(S, as_expr(factor) * dot(X, M @ Y)), RECORD)
    assert found.outcome == "differs"
    witness = found.detail["witness"]
    assert set(witness["draws"]) == {"n", "seed", "eta"}
    assert abs(witness["lhs"] - witness["rhs"]) > witness["bound"]


def test_vector_equations_are_judged_entry_by_entry() -> None:
    assert compare(Equation(ROW, M @ Y), RECORD).outcome == "same"
    assert compare(Equation(ROW, M.T @ Y), RECORD).outcome == "differs"


def test_stopping_at_the_first_violation_gives_the_same_outcome() -> None:
    wrong = Equation(S, dot(Y, M @ X))
    assert compare(wrong, RECORD, first=True).outcome == compare(wrong, RECORD).outcome == "differs"


def test_inequalities_are_violated_only_beyond_the_bound() -> None:
    assert compare(Inequality(S, "<=", norm(X) * norm(M) * norm(Y)), RECORD).outcome == "same"
    assert compare(Inequality(S, ">=", norm(X) * norm(M) * norm(Y)), RECORD).outcome == "differs"
    # Both sides are equal: <= holds, and < cannot be told by measurement.
    assert compare(Inequality(S, "<=", dot(X, M @ Y)), RECORD).outcome == "same"
    assert compare(Inequality(S, "<", dot(X, M @ Y)), RECORD).outcome == "undecided"


def test_equality_of_exact_quantities_violates_a_strict_inequality() -> None:
    assert compare(Inequality(ETA, "<", ETA), RECORD).outcome == "differs"
    assert compare(Inequality(ETA, "!=", ETA), RECORD).outcome == "differs"
    assert compare(Inequality(ETA, "!=", 1 + ETA), RECORD).outcome == "same"


def test_what_is_never_observed_is_said() -> None:
    found = compare(Equation(S, scalar("z")), RECORD)
    assert found.outcome == "none"
    assert "z" in found.detail["why"]


def test_a_formula_without_value_where_its_hypotheses_hold_differs() -> None:
    found = compare(Equation(S, log(-ETA)), RECORD)
    assert found.outcome == "differs"
    assert "domain" in found.detail["witness"]["problem"]


def test_a_bound_that_is_infinite_leaves_it_undecided() -> None:
    def vague(sample: Sample) -> None:
        sample.observe({S: Measured(1.0, np.inf), ETA: sample.draw(positive(1, 2), "eta")})

    assert compare(Equation(S, 2 * ETA), simulate(vague, seed=0, examples=3)).outcome == "undecided"


def test_a_computed_quantity_observed_as_exact_is_hinted_at() -> None:
    def careless(sample: Sample) -> None:
        eta = sample.draw(positive(0.1, 1), "eta")
        sample.observe({ETA: eta, S: sum(eta * 0.1 for _ in range(10))})

    found = compare(Equation(S, ETA), simulate(careless, seed=0, examples=20))
    assert found.outcome == "differs"
    assert "measured(" in found.detail["witness"]["hint"]


def test_observations_of_unlike_sizes_are_judged_together() -> None:
    def growing(sample: Sample) -> None:
        for n in range(2, 6):
            x = sample.draw(gaussian(n), f"x{n}")
            sample.observe({X: x, S: measured(x @ x, n)})

    found = compare(Equation(S, norm2(X)), simulate(growing, seed=1, examples=5))
    assert found.outcome == "same"
    assert found.detail["count"] == 20


def test_an_identity_matrix_takes_its_size_from_symbols_that_the_statement_lacks() -> None:
    def sized(sample: Sample) -> None:
        n = sample.draw(dimensions(), "n")
        sample.observe({X: np.ones(n), S: float(n)})

    assert (
        compare(Equation(S, trace(eye("n"))), simulate(sized, seed=1, examples=5)).outcome == "same"
    )


def test_predicates_are_decided_by_the_simulation_s_own_test() -> None:
    def simulation(sample: Sample) -> None:
        sample.observe({ETA: sample.draw(positive(0.1, 1), "eta")})
        sample.predicate("at most", lambda a, b: a.value <= b.value)

    record = simulate(simulation, seed=0, examples=10)
    assert compare(Predicate("at most", (ETA, as_expr(1))), record).outcome == "same"
    assert compare(Predicate("at most", (ETA, ETA / 2)), record).outcome == "differs"
    with pytest.raises(LookupError, match="no test for the predicate 'unknown'"):
        compare(Predicate("unknown", (ETA,)), record)


def test_a_predicate_that_cannot_tell_is_undecided() -> None:
    def simulation(sample: Sample) -> None:
        sample.observe({ETA: sample.draw(positive(0.1, 1), "eta")})
        sample.predicate("stable", lambda a: None)

    record = simulate(simulation, seed=0, examples=2)
    assert compare(Predicate("stable", (ETA,)), record).outcome == "undecided"


def test_a_derivation_is_compared_with_what_was_observed() -> None:
    assert compare_derivation({S: dot(X, M @ Y)}, RECORD).outcome == "same"
    assert compare_derivation({S: dot(X, M @ Y), ROW: M @ X}, RECORD).outcome == "differs"
    assert compare_derivation({S: scalar("hidden")}, RECORD).outcome == "none"


def test_exact_fractions_are_compared_without_slack() -> None:
    def simulation(sample: Sample) -> None:
        k = sample.draw(st.integers(1, 50), "k")
        sample.observe({S: Fraction(k, 4), ETA: exact(Fraction(k, 2))})

    record = simulate(simulation, seed=0, examples=10)
    assert compare(Equation(2 * S, ETA), record).outcome == "same"
    assert compare(Equation(2 * S, ETA + Fraction(1, 10**15)), record).outcome == "differs"
