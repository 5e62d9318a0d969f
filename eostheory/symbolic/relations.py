"""Hypotheses as rewriting rules and as knowledge about signs."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.formula import Expr, FormSymbol, Inequality, Symbol, as_expr
from eostheory.formula.core import Number
from eostheory.symbolic.derivatives import letters_of_poly, letters_of_word
from eostheory.symbolic.letters import FormRule, Tensor, WordRule
from eostheory.symbolic.scalars import Exponent, MonomialRule, Poly, Undefined

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model


def number(value: int | Fraction) -> Expr:
    """A rational constant."""
    return Number(Fraction(value))


def add(model: Model, lhs: Expr, rhs: Expr | int, by: str) -> None:
    """Install ``lhs -> rhs``."""
    if not by:
        raise ValueError(f"the relation for {lhs} needs the name of a hypothesis: by=...")
    kernel = model.kernel
    if isinstance(rhs, int) and rhs == 0 and lhs.shape != ():
        from eostheory.symbolic.derivatives import zero_like

        right = zero_like(lhs)
    else:
        right = as_expr(rhs)
    if lhs.shape != right.shape:
        raise ValueError(f"relation between shapes {lhs.shape} and {right.shape}: {lhs} -> {rhs}")
    left, value = kernel.lower(lhs), kernel.lower(right)
    model.relations.append((lhs, right, by))
    if isinstance(left, Poly):
        assert isinstance(value, Poly)
        _scalar_rule(model, lhs, left, value, by)
    else:
        assert isinstance(value, Tensor)
        _word_rule(model, lhs, left, value, by)
    kernel.forget()


def _scalar_rule(model: Model, lhs: Expr, left: Poly, value: Poly, by: str) -> None:
    field, kernel = model.kernel.field, model.kernel
    if letters_of_poly(kernel, left) & _pattern_letters(model):
        raise ValueError(f"pattern vectors stand inside forms only, not in {lhs}")
    if left.single is None or not left.single[0]:
        raise ValueError(
            f"the relation {lhs} -> ... must rewrite a single product; its normal form has "
            f"{len(left.terms)} terms. Solve for one of them, or define the symbol"
        )
    mono, c = left.single
    value = value.scale(1 / c)
    info = field.atoms[mono[0][0]]
    exponent = mono[0][1]
    whole = exponent == 1 or "nonnegative" in info.traits
    if len(mono) == 1 and whole and mono[0][0] not in field.reducers:
        atom = mono[0][0]
        if atom in value.atoms():
            raise ValueError(f"the relation {lhs} -> ... refers to itself")
        unit = kernel.powers.power(value, Fraction(1) / exponent)

        def reduce(power: Exponent) -> Poly | None:
            field.tags.add(by)
            return kernel.powers.power(unit, power)

        field.reducers[atom] = reduce
    else:
        field.rules.append(MonomialRule(mono, value, by))


def _pattern_letters(model: Model) -> set[int]:
    words = model.kernel.words
    return {next(iter(words.of_symbol(p).terms))[0] for p in model.patterns}


def _word_rule(model: Model, lhs: Expr, left: Tensor, value: Tensor, by: str) -> None:
    kernel = model.kernel
    words = kernel.words
    if len(left.terms) != 1 or () in left.terms:
        raise ValueError(
            f"the relation {lhs} -> ... must rewrite a single word; its normal form has "
            f"{len(left.terms)} terms. Solve for one of them, or define the symbol"
        )
    word, coefficient = next(iter(left.terms.items()))
    value = value.scale(kernel.powers.inverse(coefficient))
    patterns = frozenset(_pattern_letters(model) & letters_of_word(kernel, word))
    last = words.letters[word[-1]]
    if patterns:
        form = last.symbol
        if letters_of_word(kernel, word[:-1]) & patterns or not isinstance(form, FormSymbol):
            raise ValueError(f"pattern vectors stand inside forms only, not in {lhs}")
        for arg in last.args:
            if letters_of_word(kernel, arg) & patterns and arg[-1] not in patterns:
                raise ValueError(f"a pattern vector stands last in its argument, not as in {lhs}")
        if any(_count(model, word, pattern) != 1 for pattern in patterns):
            raise ValueError(f"each pattern vector stands once in a relation, not as in {lhs}")
        _require_linear(model, lhs, value, patterns)
        words.form_rules.append(FormRule(word[:-1], form, last.args, value, patterns, by))
        return
    if isinstance(last.symbol, FormSymbol):
        words.form_rules.append(FormRule(word[:-1], last.symbol, last.args, value, frozenset(), by))
        return
    words.rules.append(WordRule(word, value, by))
    flipped = words.transposed_word(word)
    if flipped != word:
        words.rules.append(WordRule(flipped, words.transpose(value), by))


def _require_linear(model: Model, lhs: Expr, value: Tensor, patterns: frozenset[int]) -> None:
    """A rule for every vector is applied word by word: both sides must be linear in it."""
    kernel = model.kernel
    for word, coefficient in value.terms.items():
        for mono, _ in coefficient.terms.items():
            for pattern in patterns:
                times = _count(model, word, pattern)
                for atom, exponent in mono:
                    info = kernel.field.atoms[atom]
                    inner = Poly(kernel.field, {((atom, 1),): 1})
                    if pattern not in letters_of_poly(kernel, inner):
                        continue
                    if info.kind not in ("pair", "form", "trace") or exponent != 1:
                        raise ValueError(f"the value for {lhs} is not linear in the pattern")
                    key = info.key if info.kind != "form" else kernel.words.form_word(info.key)
                    times += _count(model, key, pattern)
                if times != 1:
                    raise ValueError(f"the value for {lhs} is not linear in the pattern vector")


def _count(model: Model, word: tuple[int, ...], letter: int) -> int:
    words = model.kernel.words
    total = 0
    for x in word:
        total += x in (letter, words.mate[letter])
        total += sum(_count(model, arg, letter) for arg in words.letters[x].args)
    return total


_SIGN = {">": "+", ">=": "0+", "<": "-", "<=": "0-", "!=": "!"}


def learn_again(model: Model) -> None:
    """Restate what is known about roots and absolute values: a new sign may change their form."""
    kernel = model.kernel
    changed = []
    for condition, by in (*model.assumptions, *model.facts):
        gap = kernel.scalar(condition.lhs) - kernel.scalar(condition.rhs)
        if any(kernel.field.atoms[a].kind in ("abs", "sign", "base") for a in gap.atoms()):
            gap = kernel.powers.canonical(gap)
            if model.learned.setdefault(condition, gap) != gap:
                model.learned[condition] = gap
                changed.append((condition, by))
    for condition, by in changed:
        learn(model, condition, by)


def learn(model: Model, condition: Inequality, by: str) -> None:
    """Note the sign of ``lhs - rhs``."""
    kernel = model.kernel
    try:
        difference = kernel.powers.canonical(
            kernel.scalar(condition.lhs) - kernel.scalar(condition.rhs)
        )
        kernel.signs.learn(difference, _SIGN[condition.relation], by)
    except Undefined as error:
        raise ValueError(f"the assumption {condition} makes no sense: {error}") from error
    kernel.forget()


__all__ = ["Symbol", "add", "learn", "number"]
