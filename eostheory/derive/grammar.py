"""A safe grammar for formulas typed by a user: text becomes sympy without evaluating anything.

    sum      = product (('+' | '-') product)*
    product  = sign (('*' | '/') sign)*
    sign     = ('-' | '+') sign | power
    power    = atom (('^' | '**') sign)?          right associative: a^b^c = a^(b^c)
    atom     = number | name | name '(' sum (',' sum)* ')' | '(' sum ')' | '|' sum '|'
    relation = sum ('<' | '<=' | '>' | '>=' | '!=') sum

Numbers are exact: ``0.1`` is one tenth.  Multiplication is written: ``2*x``, never ``2x``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from eostheory.derive.errors import DerivationError

LONGEST = 4000
DEEPEST = 60
LARGEST_EXPONENT = 64
LONGEST_NUMBER = 40
LARGEST_NUMBER = 4096
"""Bits of the largest power of a number."""


class FormulaError(DerivationError):
    """A text that is no formula; the message marks the place."""

    def __init__(self, reason: str, text: str, place: int) -> None:
        self.reason, self.text, self.place = reason, text, place
        start = max(0, place - 60)
        window = text[start : place + 20]
        super().__init__(f"{reason}\n  {window}\n  {' ' * (place - start)}^")


FUNCTIONS: Mapping[str, tuple[int, Callable[..., sympy.Expr]]] = {
    "sqrt": (1, sympy.sqrt),
    "exp": (1, sympy.exp),
    "log": (1, sympy.log),
    "ln": (1, sympy.log),
    "sin": (1, sympy.sin),
    "cos": (1, sympy.cos),
    "tanh": (1, sympy.tanh),
    "sinh": (1, lambda x: (sympy.exp(x) - sympy.exp(-x)) / 2),
    "cosh": (1, lambda x: (sympy.exp(x) + sympy.exp(-x)) / 2),
    "sigmoid": (1, lambda x: 1 / (1 + sympy.exp(-x))),
    "softplus": (1, lambda x: sympy.log(1 + sympy.exp(x))),
    "abs": (1, sympy.Abs),
    "sign": (1, sympy.sign),
}
"""What may be called, and with how many arguments."""

CONSTANTS = {"pi": sympy.pi}

_RELATIONS = {
    "<": sympy.StrictLessThan,
    "<=": sympy.LessThan,
    ">": sympy.StrictGreaterThan,
    ">=": sympy.GreaterThan,
    "!=": sympy.Unequality,
}
_SIGNS = ("**", "<=", ">=", "!=", *"+-*/^()|,<>=")


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    place: int


def parse(text: str, positive: tuple[str, ...] | frozenset[str] = ()) -> sympy.Expr:
    """A scalar formula.

    Args:
        positive: names of symbols that are positive; every symbol is real.

    Raises:
        FormulaError: with the place of the mistake.
    """
    value = _Parser(text, frozenset(positive)).whole(relation=False)
    assert isinstance(value, sympy.Expr)
    return value


def parse_relation(text: str, positive: tuple[str, ...] | frozenset[str] = ()) -> Any:
    """An inequality between two formulas, ``x + y > 0``."""
    return _Parser(text, frozenset(positive)).whole(relation=True)


def parse_name(text: str) -> str:
    """A name of a symbol.

    Raises:
        FormulaError: when it is none, or is taken by a function or constant.
    """
    tokens = _tokens(text)
    if len(tokens) != 2 or tokens[0].kind != "name":
        raise FormulaError("a name was expected", text, 0)
    name = tokens[0].text
    if name in FUNCTIONS or name in CONSTANTS:
        raise FormulaError(f"{name} is taken", text, tokens[0].place)
    return name


def _tokens(text: str) -> list[_Token]:
    if len(text) > LONGEST:
        raise FormulaError(f"the formula has more than {LONGEST} characters", text[:LONGEST], 0)
    found: list[_Token] = []
    place = 0
    while place < len(text):
        c = text[place]
        if c in " \t\r\n":
            place += 1
            continue
        if c.isascii() and (c.isdigit() or (c == "." and text[place + 1 : place + 2].isdigit())):
            end = place
            while end < len(text) and text[end] in "0123456789.":
                end += 1
            number = text[place:end]
            if number.count(".") > 1:
                raise FormulaError(f"{number} is no number", text, place)
            if len(number) > LONGEST_NUMBER:
                raise FormulaError(f"a number of more than {LONGEST_NUMBER} digits", text, place)
            found.append(_Token("number", number, place))
            place = end
            continue
        if c.isalpha() or c == "_":
            end = place
            while end < len(text) and (text[end].isalnum() or text[end] in "_'"):
                end += 1
            found.append(_Token("name", text[place:end], place))
            place = end
            continue
        sign = next((s for s in _SIGNS if text.startswith(s, place)), None)
        if sign is None:
            raise FormulaError(f"unexpected character {c!r}", text, place)
        found.append(_Token("sign", sign, place))
        place += len(sign)
    found.append(_Token("end", "end of the formula", len(text)))
    return found


class _Parser:
    def __init__(self, text: str, positive: frozenset[str]) -> None:
        self.text = text
        self.positive = positive
        self.tokens = _tokens(text)
        self.next = 0
        self.depth = 0

    # ------------------------------------------------------------------------ tools
    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def error(self, reason: str, token: _Token | None = None) -> FormulaError:
        return FormulaError(reason, self.text, (token or self.token).place)

    def accept(self, *signs: str) -> str:
        token = self.token
        if token.kind == "sign" and token.text in signs:
            self.next += 1
            return token.text
        return ""

    def expect(self, sign: str, opened: _Token) -> None:
        if not self.accept(sign):
            seen = self.token.text
            raise self.error(f"{sign!r} expected, to close column {opened.place + 1}, not {seen!r}")

    # --------------------------------------------------------------------- the grammar
    def whole(self, relation: bool) -> Any:
        value = self.sum()
        if relation:
            token = self.token
            kind = self.accept(*_RELATIONS)
            if not kind:
                raise self.error("one of < <= > >= != expected")
            right = self.sum()
            value = _RELATIONS[kind](value, right, evaluate=False)
            self._real(value, token)
        if self.token.kind != "end":
            hint = "; multiplication is written *" if self.token.text not in ")=|" else ""
            raise self.error(f"unexpected {self.token.text!r}{hint}")
        return value

    def sum(self) -> sympy.Expr:
        value = self.product()
        while sign := self.accept("+", "-"):
            other = self.product()
            value = value + other if sign == "+" else value - other
        return value

    def product(self) -> sympy.Expr:
        value = self.sign()
        while sign := self.accept("*", "/"):
            place = self.token
            other = self.sign()
            if sign == "/" and other == 0:
                raise self.error("division by zero", place)
            value = value * other if sign == "*" else value / other
        return value

    def sign(self) -> sympy.Expr:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"nested more than {DEEPEST} deep")
        if minus := self.accept("-", "+"):
            value = self.sign()
            value = -value if minus == "-" else value
        else:
            value = self.power()
        self.depth -= 1
        return value

    def power(self) -> sympy.Expr:
        start = self.token
        base = self.atom()
        if not self.accept("^", "**"):
            return base
        place = self.token
        exponent = self.sign()
        if exponent.is_number:
            if not exponent.is_Rational:
                raise self.error("an exponent is a fraction or holds a symbol", place)
            if abs(exponent.p) > LARGEST_EXPONENT or exponent.q > LARGEST_EXPONENT:
                raise self.error(f"an exponent beyond {LARGEST_EXPONENT}", place)
            self._small(base, exponent, place)
        if base == 0 and not exponent.is_positive:
            raise self.error("zero to this power is not defined", start)
        value = base**exponent
        self._real(value, start)
        return value

    def _small(self, base: sympy.Expr, exponent: sympy.Expr, place: _Token) -> None:
        """Refuse numbers whose digits would fill the memory."""
        number = base.as_coeff_Mul()[0]
        if number.is_Rational:
            bits = max(int(abs(number.p)).bit_length(), int(number.q).bit_length())
            if bits * abs(exponent) > LARGEST_NUMBER:
                raise self.error("the number is too large", place)

    def atom(self) -> sympy.Expr:
        token = self.token
        self.next += 1
        if token.kind == "number":
            number = Fraction(token.text)
            return sympy.Rational(number.numerator, number.denominator)
        if token.kind == "name":
            return self.called(token) if self.token.text == "(" else self.named(token)
        if token.text == "(":
            value = self.sum()
            self.expect(")", token)
            return value
        if token.text == "|":
            value = self.sum()
            self.expect("|", token)
            return sympy.Abs(value)
        self.next -= 1
        raise self.error(f"a number, a name or '(' expected, not {token.text!r}")

    def named(self, token: _Token) -> sympy.Expr:
        if token.text in FUNCTIONS:
            raise self.error(f"{token.text} is a function: write {token.text}(...)", token)
        if token.text in CONSTANTS:
            return CONSTANTS[token.text]
        if token.text in self.positive:
            return sympy.Symbol(token.text, positive=True)
        return sympy.Symbol(token.text, real=True)

    def called(self, token: _Token) -> sympy.Expr:
        if token.text not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise self.error(
                f"unknown function {token.text}; known: {known} (a product is {token.text}*(...))",
                token,
            )
        opened = self.token
        self.next += 1
        args = [self.sum()]
        while self.accept(","):
            args.append(self.sum())
        self.expect(")", opened)
        count, build = FUNCTIONS[token.text]
        if len(args) != count:
            raise self.error(f"{token.text} takes {count} argument, not {len(args)}", token)
        value = build(*args)
        self._real(value, token)
        return value

    def _real(self, value: Any, token: _Token) -> None:
        if value.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo):
            raise self.error("this has no real finite value", token)
