"""Relations on forms: matching their arguments, and substituting for pattern vectors."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

from eostheory.formula import FormSymbol
from eostheory.symbolic.letters import FormRule, Letter, Tensor, Word, sides
from eostheory.symbolic.scalars import Poly

if TYPE_CHECKING:
    from eostheory.symbolic.words import Words


class Matcher:
    """Applies :class:`FormRule` within one algebra of words."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def match(self, rule: FormRule, word: Word) -> Tensor | Poly | None:
        """``word`` with the rule applied once, reduced; None where it does not match."""
        for i, x in enumerate(word):
            letter = self.words.letters[x]
            if letter.symbol != rule.form:
                continue
            n = len(rule.prefix)
            if letter.transposed:
                before, after = word[:i], word[i + 1 :]
                near = self.words.transposed_word(after[:n])
                outside = before, after[n:]
            else:
                before, after = word[:i], word[i + 1 :]
                near = before[len(before) - n :] if n else ()
                outside = before[: len(before) - n], after
            if near != rule.prefix:
                continue
            bound = self._bind_all(rule, letter.args)
            if bound is None:
                continue
            self.words.field.tags.add(rule.tag)
            value = self._instance(rule, bound)
            if letter.transposed:
                value = self.words.transpose(value)
            return self.words.around(outside[0], value, outside[1])
        return None

    def _bind_all(self, rule: FormRule, args: tuple[Word, ...]) -> dict[int, Word] | None:
        for arrangement in permutations(args):
            bound: dict[int, Word] = {}
            if all(
                self._bind(pattern, arg, rule.patterns, bound)
                for pattern, arg in zip(rule.args, arrangement, strict=True)
            ):
                return bound
        return None

    @staticmethod
    def _bind(pattern: Word, arg: Word, patterns: frozenset[int], bound: dict[int, Word]) -> bool:
        if pattern[-1] not in patterns:
            return pattern == arg
        lead = pattern[:-1]
        if len(arg) <= len(lead) or arg[: len(lead)] != lead:
            return False
        rest = arg[len(lead) :]
        return bound.setdefault(pattern[-1], rest) == rest

    def _instance(self, rule: FormRule, bound: dict[int, Word]) -> Tensor:
        total = self.words.zero(rule.value.row, rule.value.col)
        for word, c in rule.value.terms.items():
            new = self.rebuilt(self._exchange(word, bound))
            assert isinstance(new, Tensor)
            total = total + new.scale(self.substituted_scalar(c, bound))
        return total

    def rebuilt(self, word: Word) -> Tensor | Poly:
        """The product of the letters of ``word``, the forms' arguments reduced and expanded."""
        value: Tensor | Poly | None = None
        for x in word:
            letter = self.words.letters[x]
            if letter.args:
                args = tuple(self.rebuilt(a) for a in letter.args)
                assert isinstance(letter.symbol, FormSymbol)
                own = self.words.apply(
                    letter.symbol, tuple(a for a in args if isinstance(a, Tensor))
                )
                own = self.words.transpose(own) if letter.transposed else own
            else:
                own = self.words.raw((x,))
            if isinstance(value, Poly):
                value = own.scale(value)
            else:
                value = own if value is None else self.words.matmul(value, own)
        assert value is not None
        return value

    def _exchange(self, word: Word, bound: dict[int, Word]) -> Word:
        out: list[int] = []
        for x in word:
            letter = self.words.letters[x]
            if x in bound:
                out.extend(bound[x])
            elif self.words.mate[x] in bound:
                out.extend(self.words.transposed_word(bound[self.words.mate[x]]))
            elif letter.args:
                args = tuple(sorted(self._exchange(a, bound) for a in letter.args))
                plain = self.words.letter(Letter(letter.symbol, *sides(letter), False, args))
                out.append(self.words.mate[plain] if letter.transposed else plain)
            else:
                out.append(x)
        return tuple(out)

    def substituted_scalar(self, poly: Poly, bound: dict[int, Word]) -> Poly:
        """The same inside the pairings of a scalar."""
        total = self.words.field.zero
        for mono, c in poly.terms.items():
            part = self.words.field.const(1).scale(c)
            for atom, e in mono:
                info = self.words.field.atoms[atom]
                inner = self.words.field.gen(atom, e)
                if info.kind in ("pair", "form"):
                    word = info.key if info.kind == "pair" else self.words.form_word(info.key)
                    new = self._exchange(word, bound)
                    if new != word and isinstance(e, int) and e > 0:
                        value = self.rebuilt(new)
                        assert isinstance(value, Poly)
                        inner = value.whole_power(e)
                part = part * inner
            total = total + part
        return total
