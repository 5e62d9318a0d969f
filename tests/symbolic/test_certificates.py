"""Contradictions become identities that can be multiplied out; a tampered one is noticed."""

import copy
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.formula import Inequality, as_expr, scalar
from eostheory.symbolic import Model
from eostheory.symbolic.positivstellensatz import certify
from eostheory.symbolic.recheck import check_certificate, recheck
from eostheory.symbolic.smt import conditions
from eostheory.symbolic.solving import Condition, solve
from eostheory.symbolic.solving import assumptions as known_facts

x, y, z = (scalar(name) for name in "xyz")
a, b = (scalar(name, positive=True) for name in "ab")
ZERO = as_expr(0)


def certificate(polynomial, *assumptions):
    m = Model()
    for n, condition in enumerate(assumptions):
        m.assume(condition, by=f"h{n}")
    negated = Condition(m.kernel.scalar(polynomial), "<")
    query = solve(m, [negated, *known_facts(m)], seconds=0.5)
    assert query.verdict != "sat"
    found = certify(query.smt, 120.0)  # the time that a busy machine may need
    assert found is not None
    return found


MOTZKIN = x**4 * y**2 + x**2 * y**4 - 3 * x**2 * y**2 + 1
SHIFTED = x**4 + y**4 + z**4 + 2 - 4 * x * y * z + x**2 / 10
QUADRATIC = x**2 - 4 * x * y + 5 * y**2


@pytest.mark.parametrize("polynomial", [QUADRATIC, SHIFTED, MOTZKIN], ids=str)
def test_polynomials_without_negative_values_get_an_identity(polynomial):
    assert check_certificate(certificate(polynomial)) is True


def test_what_holds_under_assumptions_gets_one_too():
    small = Inequality(a, "<=", as_expr(2)), Inequality(b, "<=", as_expr(3))
    assert check_certificate(certificate(13 - a**2 - b**2, *small)) is True


@pytest.mark.parametrize("field", ["weight", "square", "conditions", "relation", "poly"])
def test_a_tampered_identity_is_noticed(field):
    broken = copy.deepcopy(certificate(QUADRATIC))
    term = broken["terms"][-1]
    match field:
        case "weight":
            term["weight"] = str(Fraction(term["weight"]) + 1)
        case "square":
            term["square"] = {"1": "3"}
        case "conditions":
            next(t for t in broken["terms"] if t["conditions"])["conditions"] = []
        case "relation":
            broken["conditions"][0]["relation"] = ">="
        case "poly":
            broken["conditions"][0]["poly"]["1"] = "-1"
    assert check_certificate(broken) is False


def test_a_sum_without_a_strict_term_proves_nothing():
    found = certificate(QUADRATIC)
    assert check_certificate({**found, "terms": []}) is False


def test_a_condition_that_the_query_does_not_assert_is_noticed():
    found = certificate(QUADRATIC)
    other = certificate(SHIFTED)
    assert check_certificate({**found, "smt2": other["smt2"]}) is False


def test_no_identity_for_what_can_be_met():
    assert certify("(declare-fun x () Real)(assert (> (* x x) 2.0))(check-sat)", 1.0) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.integers(-4, 4)] * 3), min_size=1, max_size=3))
def test_sums_of_squares_of_linear_forms_are_recognised(rows):
    total = ZERO
    for p, q, r in rows:
        total = total + (p * x + q * y + r) ** 2
    m = Model()
    m.patience = 5.0
    statement = Inequality(total + 1, ">", ZERO)
    decision = m.decide(statement, refute=False)
    assert decision.outcome == "holds"
    assert recheck(m, statement, decision) is not False
    if decision.certificate["kind"] == "nlsat":
        found = certify(decision.certificate["smt2"], 60.0)
        assert found is not None
        assert check_certificate(found) is True


def test_the_reader_understands_what_the_solver_prints():
    text = """
    (declare-fun x () Real)
    (assert (let ((a!1 (* x x))) (and (not (<= a!1 (/ 1.0 4.0))) (distinct x 0.0))))
    (assert (or (> x 0.0) (< x 1.0)))
    (check-sat)"""
    square = (("x", 2),)
    found = [(c.poly, c.relation) for c in conditions(text)]
    assert found == [
        ({square: Fraction(1), (): Fraction(-1, 4)}, ">"),
        ({square: Fraction(1)}, ">"),
    ]
