"""Order bounds: exact algebra with remainder letters, and cones of exponents."""

from fractions import Fraction

import pytest

from eostheory.formula import (
    OrderBound,
    absolute,
    as_expr,
    eye,
    form,
    log,
    matrix,
    norm,
    norm2,
    scalar,
    sqrt,
    vector,
)
from eostheory.symbolic import Model, recheck
from eostheory.symbolic.recheck import check_cone

ZERO = as_expr(0)
eta, alpha = scalar("eta", positive=True), scalar("alpha", positive=True)
h, u, a, b = scalar("h"), scalar("u"), scalar("a"), scalar("b")


def two_steps():
    """Two steps of the flip map; |h|, |u| <= alpha."""
    m = Model()
    for bounded in (eta, 1 / alpha, h / alpha, u / alpha):
        m.bound(bounded)
    h1, u1, h2, u2 = (scalar(n) for n in ("h1", "u1", "h2", "u2"))
    m.define(h1, -(1 - eta * u) * h)
    m.define(u1, u - eta * (a - b * h**2))
    m.define(h2, -(1 - eta * u1) * h1)
    m.define(u2, u1 - eta * (a - b * h1**2))
    return m, h2, u2


def outcome(model, *parts):
    statement = OrderBound(*parts)
    decision = model.decide(statement)
    if decision.outcome == "holds":
        assert recheck(model, statement, decision) is True
    return decision.outcome


def test_two_steps_of_the_flip_map():
    m, h2, u2 = two_steps()
    assert outcome(m, h2, (1 - 2 * eta * u) * h, alpha**2 * absolute(h) * eta**2) == "fails"
    m.bound(alpha**3 * eta)
    assert outcome(m, h2, (1 - 2 * eta * u) * h, alpha**2 * absolute(h) * eta**2) == "holds"
    assert outcome(m, u2, u - 2 * eta * (a - b * h**2), (1 + h**2) * alpha * eta**2) == "holds"


@pytest.mark.parametrize(
    "rhs, order",
    [
        ((1 - 2 * eta * u) * h, alpha**3 * eta**3),
        ((1 - eta * u) * h, alpha**3 * eta**2),
        ((1 + 2 * eta * u) * h, alpha**3 * eta**2),
        (-(1 - 2 * eta * u) * h, alpha**3 * eta**2),
        ((1 - 2 * eta * u) * h, alpha * absolute(h) * eta**2),
    ],
)
def test_a_wrong_coefficient_sign_or_order_fails_along_a_curve(rhs, order):
    m, h2, _ = two_steps()
    decision = m.decide(OrderBound(h2, rhs, order))
    assert decision.outcome == "fails"
    assert decision.witness["curve"]


def test_a_small_symbol_in_the_denominator_is_not_of_order_one():
    m = Model()
    m.bound(eta)
    assert outcome(m, 1 / eta, ZERO, as_expr(1)) == "fails"
    assert outcome(m, 1 / alpha, ZERO, as_expr(1)) == "holds"
    assert outcome(m, 1 / h, ZERO, as_expr(1)) == "undecided"


def test_an_order_that_the_declared_bounds_do_not_reach_is_not_accepted():
    m = Model()
    m.bound(eta)
    m.bound(alpha**2 * eta)
    assert outcome(m, alpha**2 * eta**2, ZERO, eta) == "holds"
    assert outcome(m, alpha**4 * eta**2, ZERO, as_expr(1)) == "holds"
    assert outcome(m, alpha**3 * eta, ZERO, as_expr(1)) == "fails"
    assert outcome(m, alpha * eta, ZERO, sqrt(eta)) == "holds"


def test_mean_inequalities_bound_mixed_terms_by_a_sum():
    m = Model()
    p, q = scalar("p", positive=True), scalar("q", positive=True)
    m.bound(p)
    m.bound(q)
    assert outcome(m, p * q, ZERO, p**2 + q**2) == "holds"
    assert outcome(m, p * q, ZERO, p**2 + q**3) == "fails"


def test_remainder_letters_are_bounded_but_never_refute():
    m = Model()
    m.bound(eta)
    r = m.landau("r")
    assert outcome(m, r * eta**2, ZERO, eta**2) == "holds"
    assert outcome(m, r * eta**2, ZERO, eta**3) == "undecided"
    with pytest.raises(ValueError, match="exists already"):
        m.landau("r")


def test_vectors_forms_and_sized_vectors():
    m = Model()
    x, H, T = vector("x", "d"), matrix("H", "d", "d", symmetric=True), form("T", "d", 2)
    r, rate = scalar("r", positive=True), scalar("rate", positive=True)
    tail = m.landau("tail", ("d",))
    m.bound(norm(x) / (r * eta))
    m.bound(r * eta)
    x1, x2 = vector("x1", "d"), vector("x2", "d")
    third = (r * eta) ** 3
    m.define(x1, x - rate * (H @ x + Fraction(1, 2) * T(x, x) + third * tail))
    m.define(x2, x1 - rate * (H @ x1 + Fraction(1, 2) * T(x1, x1) + third * tail))
    U = matrix("U", "d", "d", symmetric=True)
    m.define(U, eye("d") - rate * H)
    psi = rate / 2 * (U @ T(x, x)) + rate / 2 * T(U @ x, U @ x)
    assert outcome(m, x2, U @ U @ x - psi, third) == "holds"
    assert outcome(m, x2, U @ U @ x - 2 * psi, third) == "fails"
    assert outcome(m, norm(x1), ZERO, r * eta) == "holds"
    assert outcome(m, norm2(x1), norm2(U @ x), third) == "holds"


def test_expansions_carry_an_explicit_remainder():
    m = Model()
    m.bound(eta)
    root, logarithm = scalar("root"), scalar("logarithm")
    m.define(root, m.taylor("1/sqrt(1+z)", eta * h, 3))
    m.define(logarithm, m.taylor("log(1+z)", eta * h, 3))
    three_eighths = Fraction(3, 8)
    assert outcome(m, root, 1 - eta * h / 2 + three_eighths * eta**2 * h**2, eta**3) == "holds"
    assert outcome(m, root, 1 - eta * h / 2, eta**2) == "holds"
    assert outcome(m, root, 1 - eta * h / 2, eta**3) != "holds"
    assert outcome(m, logarithm, eta * h - eta**2 * h**2 / 2, eta**3) == "holds"


def test_an_expansion_at_what_is_not_small_is_worth_nothing():
    for withheld in (frozenset(), frozenset({"settled"})):
        m = Model(withheld)
        m.bound(eta)
        m.bound(alpha * h, by="settled")
        m.bound(1 / alpha)
        root = scalar("root")
        m.define(root, m.taylor("1/(1+z)", eta * alpha * h, 2, small=eta))
        decision = m.decide(OrderBound(root, 1 - eta * alpha * h, eta**2))
        if withheld:
            assert decision.outcome == "undecided"
        else:
            assert (decision.outcome, decision.used) == ("holds", {"settled"})


def test_logarithms_of_small_symbols_are_not_of_order_one():
    m = Model()
    m.bound(eta)
    assert outcome(m, eta * log(1 / eta), ZERO, eta) != "holds"
    m.bound(sqrt(eta) * log(1 / eta))
    assert outcome(m, eta * log(1 / eta), ZERO, sqrt(eta)) == "holds"


def test_an_altered_certificate_is_refused():
    m, h2, _ = two_steps()
    decision = m.decide(
        OrderBound(h2, (1 - 2 * eta * u) * h, alpha**3 * eta**2 + alpha**5 * eta**3)
    )
    assert decision.outcome == "holds"
    certificate = decision.certificate
    assert check_cone(certificate)
    certificate["monomials"][0]["monomial"]["eta"] = "1"
    assert not check_cone(certificate)
