"""Hypotheses as rewriting rules, with the record of what was used."""

import pytest

from eostheory.formula import Equation, as_expr, dot, form, matrix, norm, norm2, scalar, vector
from eostheory.symbolic import Model

eta, lam = scalar("eta", positive=True), scalar("lam", positive=True)
w, g, v, phi, a, b, c = (vector(n, "d") for n in ("w", "g", "v", "phi", "a", "b", "c"))
H = matrix("H", "d", "d", symmetric=True)
P = matrix("P", "d", "d", symmetric=True)
W = matrix("W", "d", "d")
T = form("T", "d", 2)


def holds(model, lhs, rhs):
    return model.decide(Equation(lhs, rhs)).outcome == "holds"


def test_an_orthogonality_turns_the_norm_recursion_into_pythagoras():
    model = Model()
    model.relation(dot(g, w), 0, by="scale invariance")
    decision = model.decide(Equation(norm2(w - eta * g), norm2(w) + eta**2 * norm2(g)))
    assert decision.outcome == "holds"
    assert decision.used == {"scale invariance"}


def test_without_the_hypothesis_the_same_equation_fails():
    model = Model(withheld=frozenset({"scale invariance"}))
    model.relation(dot(g, w), 0, by="scale invariance")
    decision = model.decide(Equation(norm2(w - eta * g), norm2(w) + eta**2 * norm2(g)))
    assert decision.outcome == "fails"


def test_an_eigenvector_is_rewritten_inside_words_from_both_sides():
    model = Model()
    model.relation(W @ v, lam * v, by="eigen")
    assert holds(model, W @ W @ v, lam**2 * v)
    assert holds(model, dot(a, W @ W @ v), lam**2 * dot(a, v))
    assert not holds(model, W.T @ v, lam * v)


def test_projections_and_unit_vectors():
    model = Model()
    model.relation(P @ P, P, by="projection")
    model.relation(P @ v, 0, by="kernel")
    model.relation(norm2(v), 1, by="unit")
    assert holds(model, P @ P @ P @ a, P @ a)
    assert holds(model, norm2(P @ a + v), dot(a, P @ a) + 1)
    assert holds(model, norm(3 * v), as_expr(3))
    assert model.decide(Equation(P @ P, P)).used == {"projection"}


def test_a_symbol_may_be_rewritten_under_a_hypothesis():
    model = Model()
    model.relation(eta, 2 / lam, by="edge")
    assert holds(model, 1 - eta * lam, as_expr(-1))
    assert model.derived(eta) is not None


def test_a_power_of_a_symbol_may_be_rewritten():
    model = Model()
    s = scalar("s")
    model.relation(s**2, 1, by="sign")
    assert holds(model, s**5, s)
    assert not holds(model, s, as_expr(1))


def test_forms_expand_by_linearity_and_are_symmetric():
    model = Model()
    assert holds(model, T(a + 2 * b, c), T(c, a) + 2 * T(b, c))
    assert not holds(model, dot(T(a, b), c), dot(T(a, c), b))


def test_a_derivative_tensor_is_symmetric_in_all_three_arguments():
    model = Model()
    model.fully_symmetric(T, by="smooth")
    decision = model.decide(Equation(dot(T(a, W @ b), c), dot(W @ b, T(c, a))))
    assert (decision.outcome, decision.used) == ("holds", {"smooth"})
    assert holds(model, dot(T(a, T(b, c)), g), dot(T(b, c), T(g, a)))


def test_a_pattern_stands_for_every_vector():
    model = Model()
    x = model.any_vector("d")
    model.relation(T(phi, x), -1 * (H @ x), by="homogeneous")
    assert holds(model, T(phi + a, W @ b), T(a, W @ b) - H @ W @ b)
    assert holds(model, T(phi, phi), -1 * (H @ phi))
    model.fully_symmetric(T, by="smooth")
    assert holds(model, dot(T(a, b), phi), -1 * dot(a, H @ b))


def test_a_pattern_value_must_be_linear_in_the_pattern():
    model = Model()
    x = model.any_vector("d")
    with pytest.raises(ValueError, match="not linear"):
        model.relation(T(phi, x), dot(x, x) * phi, by="h")
    with pytest.raises(ValueError, match="once"):
        model.relation(T(x, x), H @ x, by="h")
    with pytest.raises(ValueError, match="inside forms"):
        model.relation(H @ x, lam * x, by="h")


def test_a_relation_must_rewrite_one_word():
    model = Model()
    with pytest.raises(ValueError, match="single word"):
        model.relation(H @ v + w, 0 * v, by="h")
    with pytest.raises(ValueError, match="single product"):
        model.relation(dot(g, w) + eta, 0, by="h")
    with pytest.raises(ValueError, match="name of a hypothesis"):
        model.relation(dot(g, w), 0, by="")


def test_relations_that_chase_each_other_are_reported_not_followed_forever():
    model = Model()
    model.relation(W @ v, H @ v, by="one")
    model.relation(H @ v, W @ v, by="two")
    decision = model.decide(Equation(W @ v, 2 * v))
    assert decision.outcome == "undecided"


def test_relations_on_letters_give_exact_instances():
    model = Model()
    x = model.any_vector("d")
    model.fully_symmetric(T)
    model.relation(dot(g, w), 0, by="h")
    model.relation(H @ w, -1 * g, by="h")
    model.relation(T(w, x), -2 * (H @ x), by="h")
    decision = model.decide(Equation(H @ w, g))
    assert decision.outcome == "fails"
    assert decision.witness["how"] == "exact random rationals"
