"""Mutation changes one thing at a time and reaches every kind of thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eostheory.claims import mutants
from eostheory.formula import (
    Equation,
    Inequality,
    OrderBound,
    Predicate,
    as_expr,
    dot,
    matrix,
    norm2,
    scalar,
    sqrt,
    vector,
)

a, b, eta, h = (scalar(n, positive=True) for n in ("a", "b", "eta", "h"))
u, v = vector("u", "n"), vector("v", "n")
M = matrix("M", "n", "n")

STATEMENTS = [
    Equation(norm2(u), (1 - eta * a) ** 2 * norm2(v) + eta**2 * b),
    Equation(dot(u, v), as_expr(0)),
    Equation(M @ u, 3 * M.T @ v - a * u),
    Inequality(a, "<=", 2 * b * sqrt(h)),
    OrderBound(a, b - 2 * eta * b, h**2 * eta**2),
    Predicate("unique zero", (a - b,)),
]


def kinds(statement):
    return {m.kind for m in mutants(statement)}


@pytest.mark.parametrize("statement", STATEMENTS, ids=str)
def test_every_mutant_differs_from_the_statement_and_from_the_others(statement):
    found = [m.statement for m in mutants(statement)]
    assert found
    assert statement not in found
    assert len(set(found)) == len(found)


def test_an_equation_is_mutated_in_every_way():
    assert kinds(STATEMENTS[0]) >= {
        "x2", "x1/2", "x1.001", "sign", "dropped", "plus-minus one", "exponent", "swapped",
    }  # fmt: skip
    assert "transposed" in kinds(STATEMENTS[2])


def test_a_bound_is_reversed_and_an_order_is_raised():
    assert "reversed" in kinds(STATEMENTS[3])
    raised = [m.statement.order for m in mutants(STATEMENTS[4]) if m.kind == "order"]
    assert [str(o) for o in raised] == ["h**2*eta**2*eta"]


def test_scaling_a_side_that_must_vanish_is_no_mutant():
    def scaled_left(statement):
        return [m for m in mutants(statement) if m.name.startswith("left") and m.kind == "x2"]

    assert not scaled_left(Equation(dot(u, v), as_expr(0)))
    assert scaled_left(Equation(dot(u, v), a))


@given(limit=st.integers(4, 40))
def test_a_sample_is_bounded_and_keeps_every_kind_that_fits(limit):
    full, sample = mutants(STATEMENTS[0]), mutants(STATEMENTS[0], limit)
    assert len(sample) == min(limit, len(full))
    assert {m.name for m in sample} <= {m.name for m in full}
    if limit >= 2 * len(kinds(STATEMENTS[0])):
        assert {m.kind for m in sample} == kinds(STATEMENTS[0])
