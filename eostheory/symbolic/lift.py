"""From the normal form back to formulas."""

from __future__ import annotations

from fractions import Fraction

from eostheory.formula import Expr, FormSymbol, Symbol, absolute, dot, exp, eye, sign, trace
from eostheory.formula.core import Dim, Function, Mul, Number, Power, add
from eostheory.formula.tensors import Apply, MatMul, Outer, Transpose
from eostheory.symbolic.letters import UNIT, Letter, Tensor, Word
from eostheory.symbolic.scalars import Exponent, Field, Monomial, Poly, to_fraction
from eostheory.symbolic.words import Words


class Lift:
    """Formulas for normal forms over one field and one algebra of words."""

    def __init__(self, field: Field, words: Words) -> None:
        self.field = field
        self.words = words

    def formula(self, value: Poly | Tensor, shape: tuple[Dim, ...]) -> Expr:
        """The formula of a value; ``shape`` gives the sizes of a zero."""
        if isinstance(value, Poly):
            return self.poly(value)
        if not value.terms:
            return self._zero(shape)
        terms = [self._term(c, self.word(w, value)) for w, c in value.terms.items()]
        return terms[0] if len(terms) == 1 else add(*terms)

    def _zero(self, shape: tuple[Dim, ...]) -> Expr:
        if len(shape) == 2 and shape[0] == shape[1]:
            return Mul((Number(Fraction(0)), eye(shape[0])))
        return Mul((Number(Fraction(0)), Symbol("zero", shape)))

    def poly(self, poly: Poly) -> Expr:
        """The formula of a scalar."""
        if not poly.terms:
            return Number(Fraction(0))
        if poly.single is not None:
            return self.monomial(poly.single[0], to_fraction(poly.single[1]))
        ordered = sorted(poly.terms.items(), key=lambda item: _order(item[0]))
        return add(*(self.monomial(m, to_fraction(c)) for m, c in ordered))

    def _term(self, coefficient: Poly, word: Expr) -> Expr:
        if coefficient.constant == 1:
            return word
        if coefficient.single is not None:
            mono, c = coefficient.single
            inner = self.monomial(mono, to_fraction(c))
            factors = inner.factors if isinstance(inner, Mul) else (inner,)
            return Mul((*factors, word))
        return Mul((self.poly(coefficient), word))

    def monomial(self, mono: Monomial, c: Fraction) -> Expr:
        """The formula of ``c * mono``."""
        factors = [self._power(self.atom(a), e) for a, e in mono]
        if c != 1 or not factors:
            factors = [Number(c), *factors]
        return factors[0] if len(factors) == 1 else Mul(tuple(factors))

    @staticmethod
    def _power(base: Expr, exponent: Exponent) -> Expr:
        if exponent == 1:
            return base
        if exponent == Fraction(1, 2):
            return Function("sqrt", base)
        return Power(base, Number(Fraction(exponent)))

    def atom(self, atom: int) -> Expr:
        """The formula of an atom."""
        info = self.field.atoms[atom]
        match info.kind:
            case "symbol":
                assert isinstance(info.key, Symbol)
                return info.key
            case "size":
                return trace(eye(info.key))
            case "pair":
                return self.pair(info.key)
            case "form":
                return self.pair(self.words.form_word(info.key))
            case "trace":
                return trace(self._chain(info.key))
            case "base":
                return self.poly(info.key)
            case "prime":
                return Number(Fraction(info.key))
            case "abs":
                return absolute(self.poly(info.key))
            case "sign":
                return sign(self.poly(info.key))
            case "exp":
                return self._exponential(info.key)
            case "pow":
                inner, mono = info.key
                return Power(self.poly(inner), self.monomial(mono, Fraction(1)))
            case "function":
                name, inner = info.key
                return Function(name, self.poly(inner))
        raise TypeError(f"no formula for the atom {info}")

    def _exponential(self, mono: Monomial) -> Expr:
        for atom, e in mono:
            info = self.field.atoms[atom]
            if info.kind == "function" and info.key[0] == "log" and e == 1:
                rest = tuple(item for item in mono if item[0] != atom)
                return Power(self.poly(info.key[1]), self.monomial(rest, Fraction(1)))
        return exp(self.monomial(mono, Fraction(1)))

    # ----------------------------------------------------------------------- words
    def pair(self, word: Word) -> Expr:
        """The scalar of a word from ``UNIT`` to ``UNIT``."""
        left = self.words.transposed_word(word[:1])
        return dot(self._chain(left), self._chain(word[1:]))

    def word(self, word: Word, like: Tensor) -> Expr:
        """The formula of a word that is no scalar."""
        if not word:
            return eye(like.row)
        for i in range(1, len(word)):
            if self.words.row(word[i:]) == UNIT:
                left = self._chain(word[:i])
                return Outer(left, self._chain(self.words.transposed_word(word[i:])))
        return self._chain(word)

    def _chain(self, word: Word) -> Expr:
        letters = [self._letter(self.words.letters[x]) for x in word]
        return letters[0] if len(letters) == 1 else MatMul(tuple(letters))

    def _letter(self, letter: Letter) -> Expr:
        if isinstance(letter.symbol, FormSymbol):
            return Apply(letter.symbol, tuple(self._chain(a) for a in letter.args))
        if letter.transposed and UNIT not in (letter.row, letter.col):
            return Transpose(letter.symbol)
        return letter.symbol


def _order(mono: Monomial) -> tuple[tuple[int, ...], tuple[Fraction, ...]]:
    return tuple(a for a, _ in mono), tuple(-Fraction(e) for _, e in mono)
