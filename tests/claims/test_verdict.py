"""The verdict table of the design, row by row."""

import itertools

import pytest

from eostheory.claims import Leg, Legs, Verdict, verdict_of
from eostheory.claims.verdict import combine

S, D, U, N = Leg.SAME, Leg.DIFFERS, Leg.UNDECIDED, Leg.NONE


def verdict(a, b, c, *, exact_form=True, definition=False, rigor="proved"):
    return verdict_of(Legs(a, b, c), rigor=rigor, definition=definition, exact_form=exact_form)


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ((S, S, S), Verdict.PROVED),
        ((S, N, N), Verdict.PROVED),
        ((N, S, N), Verdict.SUPPORTED),
        ((D, D, S), Verdict.REFUTED),
        ((D, N, N), Verdict.REFUTED),
        ((U, S, N), Verdict.UNDECIDED),
        ((U, D, N), Verdict.UNDECIDED),
        ((S, U, S), Verdict.UNDECIDED),
        ((N, D, N), Verdict.UNDECIDED),
        ((S, D, S), Verdict.CONFLICT),
        ((D, S, S), Verdict.CONFLICT),
    ],
)
def test_three_comparisons_give_one_verdict(legs, expected):
    assert verdict(*legs) is expected


def test_witnesses_that_contradict_each_other_are_always_a_conflict():
    for a, b in itertools.product(Leg, Leg):
        assert verdict(a, b, D) is Verdict.CONFLICT


def test_a_bound_may_fail_at_one_exact_point_and_hold_on_every_draw():
    assert verdict(D, S, S, exact_form=False) is Verdict.REFUTED


def test_agreement_on_a_definition_is_assumed_and_on_a_domain_certified():
    assert verdict(S, S, S, definition=True) is Verdict.ASSUMED
    assert verdict(S, S, S, rigor="certified") is Verdict.CERTIFIED


def test_nothing_is_proved_without_an_exact_argument():
    for b, c in itertools.product(Leg, Leg):
        for a in (U, N, D):
            assert verdict(a, b, c) not in (Verdict.PROVED, Verdict.CERTIFIED, Verdict.ASSUMED)


def test_a_conjunction_is_as_strong_as_its_weakest_part():
    assert combine([S, S]) is S
    assert combine([S, U]) is U
    assert combine([S, U, D]) is D
    assert combine([N, S]) is S
    assert combine([]) is N
