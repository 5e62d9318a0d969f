"""Intermediate bounds are proved before they are kept, and carry what they rest on."""

import pytest

from eostheory.formula import Inequality, as_expr, scalar
from eostheory.symbolic import Model

a, b, c = (scalar(name, positive=True) for name in "abc")
S = scalar("S")
u = scalar("u", nonnegative=True)
BOUND_S = Inequality(S, "<=", as_expr(13))


def bounded(withheld=frozenset()):
    m = Model(withheld)
    m.define(S, a**2 + b**2)
    m.assume(Inequality(a, "<=", as_expr(2)), by="small a")
    m.assume(Inequality(b, "<=", as_expr(3)), by="small b")
    m.assume(Inequality(c, "<=", as_expr(1)), by="small c")
    return m


def test_a_lemma_is_kept_with_the_hypotheses_that_it_rests_on():
    m = bounded()
    assert m.lemma("S is bounded", BOUND_S).outcome == "holds"
    decision = m.decide(Inequality(S + 1, "<=", as_expr(14)))
    assert decision.outcome == "holds"
    assert decision.used == {"small a", "small b"}


def test_a_lemma_without_its_hypothesis_is_not_kept():
    m = bounded(frozenset({"small a"}))
    assert m.lemma("S is bounded", BOUND_S).outcome == "undecided"
    assert m.decide(BOUND_S).outcome == "fails"


def test_a_generalised_lemma_speaks_of_every_value_under_its_premises():
    m = bounded()
    given = [Inequality(u, "<=", as_expr(13)), Inequality(c, "<=", as_expr(1))]
    found = m.lemma("product", Inequality(u * c, "<=", as_expr(13)), given, {u: S})
    assert found.outcome == "holds"
    assert found.used == {"small a", "small b", "small c"}
    decision = m.decide(Inequality(S * c + 1, "<=", as_expr(14)))
    assert decision.outcome == "holds"
    assert decision.certificate["lemmas"] == ["product"]


def test_a_premise_that_does_not_hold_gives_nothing():
    m = bounded()
    given = [Inequality(u, "<=", as_expr(12))]
    found = m.lemma("too good", Inequality(u * c, "<=", 12 * c), given, {u: S})
    assert found.outcome == "undecided"
    assert not m.facts


def test_the_trait_of_a_letter_is_a_premise_too():
    m = bounded()
    found = m.lemma("sign", Inequality(u + 1, ">=", as_expr(1)), (), {u: S - 20})
    assert found.outcome == "undecided"


def test_the_trait_of_a_defined_symbol_is_a_premise_too():
    m = Model()
    wrong = scalar("wrong", positive=True)
    m.define(wrong, a - 5)
    v = scalar("v")
    found = m.lemma("sign", Inequality(v + wrong, ">", v), (), {v: a})
    assert found.outcome == "undecided"


def test_a_false_statement_is_refuted_beside_lemmas_too():
    m = bounded()
    m.lemma("S is bounded", BOUND_S)
    m.decide(Inequality(S * c + 1, "<=", as_expr(14)))
    decision = m.decide(Inequality(S * c + 1, "<=", as_expr(13)))
    assert decision.outcome == "fails"


def test_a_name_serves_once():
    m = bounded()
    m.lemma("S is bounded", BOUND_S)
    with pytest.raises(ValueError, match="in use"):
        m.lemma("S is bounded", BOUND_S)
