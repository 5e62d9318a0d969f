"""The kernel under laws it does not know, and with bugs planted in it."""

from random import Random

import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.symbolic import scalars
from eostheory.symbolic.functions import Functions
from eostheory.symbolic.fuzz import Grower, examine, fuzz
from eostheory.symbolic.letters import Letter, Tensor
from eostheory.symbolic.lower import Kernel
from eostheory.symbolic.powers import Powers
from eostheory.symbolic.scalars import Field, Poly
from eostheory.symbolic.signs import Signs
from eostheory.symbolic.words import Words


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 4))
def test_the_normal_form_has_the_value_of_the_formula_and_survives_valid_rewritings(rng, depth):
    failure = examine(Grower(rng).any(depth), Random(7))
    assert failure is None, failure


def test_a_longer_fuzz_finds_nothing():
    assert fuzz(seed=20, rounds=250) is None


# ------------------------------------------------------------------------- planted bugs
def unreversed(self, word):
    return tuple(self.mate[x] for x in word)


def untransposed(self, word):
    return tuple(reversed(word))


def commuting_trace(original):
    def trace(self, word, dim):
        return original(self, tuple(sorted(word)), dim)

    return trace


def identity_of_trace_one(original):
    def trace(self, word, dim):
        return original(self, word, dim) if word else self.field.const(1)

    return trace


def trace_without_rotation(self, word, dim):
    if not word:
        return self.field.gen(self.field.atom("size", dim, ("positive",)))
    if any(self.letters[x].row == "" for x in word):
        i = [self.letters[x].row for x in word].index("")
        return self.value(word[i:] + word[:i])
    return self.field.gen(self.field.atom("trace", word))


def pair_as_it_stands(self, word):
    return self.field.gen(self.field.atom("pair", word))


def pair_of_outer_letters(self, word):
    return self.field.gen(self.field.atom("pair", min(word[:1] + word[-1:], word)))


def form_of_unsorted_arguments(self, form, args):
    total = self.zero(form.dim, "")
    for wa, ca in args[0].terms.items():
        for wb, cb in args[1].terms.items():
            own = self.letter(Letter(form, form.dim, "", False, (wa, wb)))
            total = total + self.word_tensor((own,)).scale(ca * cb)
    return total


def form_without_second_coefficient(self, form, args):
    total = self.zero(form.dim, "")
    for wa, ca in args[0].terms.items():
        for wb in args[1].terms:
            own = self.letter(Letter(form, form.dim, "", False, tuple(sorted((wa, wb)))))
            total = total + self.word_tensor((own,)).scale(ca)
    return total


def tensor_sum_that_overwrites(self, other):
    return Tensor(self.row, self.col, {**self.terms, **other.terms})


def scale_without_factor(self, factor):
    return self


def poly_sum_that_overwrites(self, other):
    return Poly(self.field, {**self.terms, **other.terms})


def power_one_too_many(original):
    def power(self, exponent):
        return original(self, exponent + 1 if exponent == 2 else exponent)

    return power


def truncated_constants(self, value):
    q = fmpq(int(value))
    return Poly(self, {(): q}) if q else self.zero


def exponents_that_overwrite(left, right):
    return tuple(sorted({**dict(left), **dict(right)}.items()))


def everything_is_positive(self, atom):
    return "+"


def nothing_is_cleared(self, poly):
    return poly, ()


def log_without_multiplicity(original):
    def log(self, arg):
        c, factors = self.powers.factor(arg)
        return original(self, self.powers.expand((c, dict.fromkeys(factors, 1))))

    return log


def inverse_that_forgets_the_constant(original):
    def power(self, poly, exponent):
        if exponent == -1 and poly.single is not None:
            return original(self, poly.scale(1 / poly.single[1]), -1)
        return original(self, poly, exponent)

    return power


def double_identity(self, dim):
    return Tensor(dim, dim, {(): self.field.const(2)})


def root_that_forgets_a_prime(original):
    def power(self, value, exponent):
        return self.field.const(1) if exponent == 0.5 else original(self, value, exponent)

    return power


def transpose_that_forgets(self, tensor):
    return Tensor(tensor.col, tensor.row, tensor.terms)


BUGS = {
    "transposition does not reverse": (Words, "transposed_word", unreversed),
    "transposition does not transpose": (Words, "transposed_word", untransposed),
    "the transpose of a sum is forgotten": (Words, "transpose", transpose_that_forgets),
    "letters commute in a trace": (Words, "_trace", commuting_trace(Words._trace)),
    "the identity has trace one": (Words, "_trace", identity_of_trace_one(Words._trace)),
    "traces do not rotate": (Words, "_trace", trace_without_rotation),
    "pairings are not symmetric": (Words, "_pair", pair_as_it_stands),
    "pairings forget the middle": (Words, "_pair", pair_of_outer_letters),
    "forms are not symmetric": (Words, "apply", form_of_unsorted_arguments),
    "forms forget a coefficient": (Words, "apply", form_without_second_coefficient),
    "sums of words overwrite": (Tensor, "__add__", tensor_sum_that_overwrites),
    "multiples forget the factor": (Tensor, "scale", scale_without_factor),
    "sums of scalars overwrite": (Poly, "__add__", poly_sum_that_overwrites),
    "squares are cubes": (Poly, "whole_power", power_one_too_many(Poly.whole_power)),
    "fractions are truncated": (Field, "const", truncated_constants),
    "exponents overwrite": (scalars, "mono_mul", exponents_that_overwrite),
    "sqrt(x**2) = x": (Signs, "of_atom", everything_is_positive),
    "denominators are not cleared": (Field, "cleared", nothing_is_cleared),
    "log(x**2) = log(x)": (Functions, "log", log_without_multiplicity(Functions.log)),
    "1/(2x) = 1/x": (Powers, "power", inverse_that_forgets_the_constant(Powers.power)),
    "the identity counts twice": (Words, "identity", double_identity),
}


@pytest.mark.parametrize("bug", BUGS)
def test_the_fuzz_catches_a_planted_bug(bug, monkeypatch):
    owner, name, wrong = BUGS[bug]
    monkeypatch.setattr(owner, name, wrong)
    for seed in range(12):
        try:
            if fuzz(seed, rounds=60) is not None:
                return
        except (ArithmeticError, AssertionError, KeyError, RecursionError, TypeError, ValueError):
            return  # a bug that makes the kernel fall over is caught too
    pytest.fail(f"nobody noticed that {bug}")


def test_two_kernels_share_nothing():
    first, second = Kernel(), Kernel()
    first.field.atom("symbol", "x")
    assert second.field.atoms == []
