"""Answers about inequalities against numbers, and with bugs planted in what decides them."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.symbolic import inequalities, instances, relations, signs, solving, witnesses
from eostheory.symbolic.fuzz_bounds import examine, fuzz_bounds
from eostheory.symbolic.nlsat import Translation
from eostheory.symbolic.signs import Signs


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_no_number_contradicts_an_answer(seed):
    wrong = examine(Random(seed))
    assert wrong is None, wrong


def product_of_signs_forgets_minus(a, b):
    return "?" if "?" in (a, b) else "+"


def odd_powers_are_positive(sign, exponent):
    return "+"


def anything_may_be_added(self, poly):
    for sign, _ in self.facts.values():
        if sign in ("+", "0+"):
            return sign
    return "?"


def polynomial_without_its_sign(original):
    def polynomial(self, poly):
        c, _ = self.kernel.powers.factor(poly) if poly.terms else (1, {})
        return original(self, poly if c > 0 else -poly)

    return polynomial


def absolute_value_is_the_value(original):
    def constrain(self, atom, x):
        info = self.field.atoms[atom]
        if info.kind == "abs":
            self.constraints.append(x == self.term(info.key))
        else:
            original(self, atom, x)

    return constrain


def strict_is_weak(original):
    def relate(term, relation):
        return original(term, {">": ">=", "<": "<=", ">=": ">", "<=": "<"}.get(relation, relation))

    return relate


def unchecked(model, instance):
    return None


BUGS = {
    "minus times plus is plus": (signs, "times", product_of_signs_forgets_minus),
    "odd powers are positive": (signs, "power_sign", odd_powers_are_positive),
    "a fact plus anything is a fact": (Signs, "_by_shift", anything_may_be_added),
    "assumptions are learned backwards": (
        relations,
        "_SIGN",
        {"<=": "0+", "<": "+", ">=": "0-", ">": "-", "!=": "!"},
    ),
    "the negation of <= is >=": (
        inequalities,
        "NEGATED",
        {">": "<", ">=": "<=", "<": ">", "<=": ">=", "!=": "=="},
    ),
    "< is decided as >": (
        inequalities,
        "SHOWS",
        {">": ("-",), ">=": ("-", "0-"), "<": ("+",), "<=": ("+", "0+"), "!=": ("+", "-", "!")},
    ),
    "weak signs count as strict": (
        inequalities,
        "SHOWS",
        {
            ">": ("+", "0+"),
            ">=": ("+", "0+"),
            "<": ("-", "0-"),
            "<=": ("-", "0-"),
            "!=": ("+", "-", "!", "0+", "0-"),
        },
    ),
    "the solver gets the opposite polynomial": (
        Translation,
        "polynomial",
        polynomial_without_its_sign(Translation.polynomial),
    ),
    "the solver takes |x| for x": (
        Translation,
        "_constrain",
        absolute_value_is_the_value(Translation._constrain),
    ),
    "the solver confuses < and <=": (solving, "relate", strict_is_weak(solving.relate)),
    "a witness need not violate": (
        witnesses,
        "_BAD",
        {">": {"+"}, ">=": {"+"}, "<": {"-"}, "<=": {"-"}, "!=": {"+"}},
    ),
    "instances are not checked": (instances, "check", unchecked),
}


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_the_fuzz_catches_a_planted_bug(bug, monkeypatch):
    owner, name, wrong = BUGS[bug]
    monkeypatch.setattr(owner, name, wrong)
    for seed in (0, 4, 1, 2, 3, 5, 6, 7):  # the two that find all come first, or nearly
        try:
            if fuzz_bounds(seed, rounds=30) is not None:
                return
        except (ArithmeticError, AssertionError, KeyError, RecursionError, TypeError, ValueError):
            return  # a bug that makes the kernel fall over is caught too
    pytest.fail(f"nobody noticed that {bug}")
