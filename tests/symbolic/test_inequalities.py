"""Inequalities: signs, nlsat with radicals, Gram lifting, ladders and balls; exact refutations."""

import pytest

from eostheory.formula import (
    Inequality,
    absolute,
    as_expr,
    dot,
    exp,
    log,
    norm,
    norm2,
    scalar,
    sqrt,
    vector,
)
from eostheory.symbolic import Model, recheck

ZERO, ONE = as_expr(0), as_expr(1)
x, ell, eta, alpha, beta = (scalar(n, positive=True) for n in ("x", "ell", "eta", "alpha", "beta"))
y = scalar("y")
D, Y = vector("D", "n"), vector("Y", "n")


def judged(lhs, relation, rhs, *assumptions):
    model = Model()
    for number, condition in enumerate(assumptions):
        model.assume(Inequality(*condition), by=f"h{number}")
    statement = Inequality(lhs, relation, rhs)
    decision = model.decide(statement)
    if decision.outcome == "holds":
        assert recheck(model, statement, decision) is not False
    return decision


@pytest.mark.parametrize(
    "lhs, relation, rhs",
    [
        (x**2 + ell, ">", ZERO),
        (eta * (2 - eta * ell), "<=", 1 / ell),
        (y**2 - 2 * y + 1, ">=", ZERO),
        (x + 1 / x, ">=", as_expr(2)),
        (sqrt(x * ell), "<=", (x + ell) / 2),
        (absolute(x - ell), "<=", x + ell),
        (dot(D, Y) ** 2, "<=", norm2(D) * norm2(Y)),
        (norm(D + Y), "<=", norm(D) + norm(Y)),
        (log(x), "<=", x - 1),
        (log(1 + x), "<", x),
        (exp(y), ">=", 1 + y),
        (log(1 + x), ">", x - x**2 / 2),
        (log(1 + x), "<", x - x**2 / 2 + x**3 / 3),
        (exp(x), ">", 1 + x + x**2 / 2),
        (log(x), "<=", 2 * (sqrt(x) - 1)),
        (x, "!=", -ell),
    ],
)
def test_true_inequalities_hold(lhs, relation, rhs):
    assert judged(lhs, relation, rhs).outcome == "holds"


@pytest.mark.parametrize(
    "lhs, relation, rhs",
    [
        (eta * (2 - eta * ell), "<", 1 / ell),
        (x + 1 / x, ">", as_expr(2)),
        (y**2 - 2 * y, ">=", ZERO),
        (norm(D + Y), "<", norm(D) + norm(Y)),
        (dot(D, Y), "<=", norm(D)),
        (1 / y, ">=", ZERO),
        (log(x), "<=", x - 2),
        ((x - sqrt(2 * alpha / beta)) * (beta * x**2 / 2 - alpha), ">", ZERO),
    ],
)
def test_false_inequalities_fail_with_an_exact_instance(lhs, relation, rhs):
    decision = judged(lhs, relation, rhs)
    assert decision.outcome == "fails"
    assert decision.witness["values"]


def test_the_residual_keeps_its_direction_when_it_is_longer_than_the_labels():
    decision = judged(dot(D, D + Y), ">", ZERO, (norm(D), ">", norm(Y)))
    assert decision.outcome == "holds"
    assert decision.used == {"h0"}
    assert judged(dot(D, D + 2 * Y), ">", ZERO, (norm(D), ">", norm(Y))).outcome == "fails"


def test_a_hypothesis_that_is_not_needed_is_not_reported():
    decision = judged(x + ell, ">", ZERO, (ell, "<", ONE))
    assert (decision.outcome, decision.used) == ("holds", frozenset())


def test_a_monotone_argument_does_not_step_over_a_singularity():
    assert judged(1 / y, ">", -ONE, (y, "<", ONE)).outcome == "fails"
    assert judged(log(y), "<", ONE, (y, "<", as_expr(2))).outcome != "fails"


def test_balls_certify_on_a_bounded_box():
    decision = judged(exp(y) * log(y), ">", 3 * y - 2, (y, ">=", as_expr(2)), (y, "<=", as_expr(5)))
    assert (decision.outcome, decision.rigor) == ("holds", "certified")


def test_constants_are_compared_by_balls():
    assert judged(exp(-ONE), "<=", as_expr(2) / 5).outcome == "holds"
    assert judged(exp(-ONE), ">", as_expr(2) / 5).outcome == "fails"
    roots = sqrt(as_expr(2)) + sqrt(as_expr(3))
    assert judged(roots, "<", 2 * sqrt(as_expr(5) / 2)).outcome == "holds"


def test_what_nobody_can_decide_is_undecided_and_says_what_was_tried():
    decision = judged(x * log(x), ">=", -exp(as_expr(-1)))
    assert decision.outcome == "undecided"
    assert any("nlsat" in line for line in decision.tried)


def test_contradictory_assumptions_are_unsatisfiable():
    model = Model()
    model.assume(Inequality(x, "<", ONE))
    assert model.satisfiable() is True
    model.assume(Inequality(x * ell, ">", ONE))
    model.assume(Inequality(ell, "<", ONE))
    assert model.satisfiable() is False


def test_a_stored_query_is_unsatisfiable_again():
    model = Model()
    statement = Inequality(sqrt(x * ell), "<=", (x + ell) / 2)
    decision = model.decide(statement)
    assert decision.certificate["kind"] in {"nlsat", "signs"}
    assert recheck(model, statement, decision) is True
