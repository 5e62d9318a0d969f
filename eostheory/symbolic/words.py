"""Matrices and vectors of symbolic size: linear combinations of words of letters.

A vector is a matrix with one column; the size of that side is :data:`UNIT`.  A word visits
``UNIT`` at most once inside: between two visits lies a 1x1 piece, which is pulled out as a scalar.
Scalars are canonical under transposition, traces also under rotation, and pairings with a fully
symmetric form under every choice of the root.  Every step is an identity of matrices of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, permutations, product
from typing import Any

from eostheory.formula import FormSymbol, ShapeError, Symbol
from eostheory.formula.core import Dim
from eostheory.symbolic.scalars import Field, Poly

UNIT = ""
"""The size of the short side of a vector."""

Word = tuple[int, ...]


@dataclass(frozen=True)
class Letter:
    """A generator: a matrix, a vector as column or (``transposed``) as row, or a form's value."""

    symbol: Symbol | FormSymbol
    row: Dim
    col: Dim
    transposed: bool = False
    args: tuple[Word, ...] = ()


class Tensor:
    """A linear combination of words of one shape; immutable."""

    __slots__ = ("col", "row", "terms")

    def __init__(self, row: Dim, col: Dim, terms: dict[Word, Poly]) -> None:
        self.row = row
        self.col = col
        self.terms = terms

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Tensor)
            and (self.row, self.col) == (other.row, other.col)
            and self.terms == other.terms
        )

    def __hash__(self) -> int:
        return hash((self.row, self.col, frozenset(self.terms.items())))

    def __add__(self, other: Tensor) -> Tensor:
        if (self.row, self.col) != (other.row, other.col):
            raise ShapeError(f"{self.row}x{self.col} plus {other.row}x{other.col}")
        total = dict(self.terms)
        for word, c in other.terms.items():
            value = total[word] + c if word in total else c
            if value.terms:
                total[word] = value
            else:
                total.pop(word, None)
        return Tensor(self.row, self.col, total)

    def scale(self, factor: Poly) -> Tensor:
        """The multiple by a scalar."""
        scaled = {w: c * factor for w, c in self.terms.items()}
        return Tensor(self.row, self.col, {w: c for w, c in scaled.items() if c.terms})


@dataclass(frozen=True)
class WordRule:
    """``word = value`` by a hypothesis; the last letter may be a form with pattern arguments."""

    word: Word
    value: Tensor
    tag: str


@dataclass(frozen=True)
class FormRule:
    """``prefix @ form(args) = value(bindings)``; each argument is a word or (prefix, pattern)."""

    prefix: Word
    form: FormSymbol
    args: tuple[Word, ...]
    value: Tensor
    patterns: frozenset[int]
    tag: str
    transposed: bool = False


class Words:
    """Letters and words over one :class:`Field`."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.letters: list[Letter] = []
        self.mate: list[int] = []
        self._index: dict[Letter, int] = {}
        self.rules: list[WordRule] = []
        self.form_rules: list[FormRule] = []
        self.symmetric_forms: dict[FormSymbol, str] = {}
        self._cache: dict[Word, tuple[Tensor | Poly, frozenset[str]]] = {}
        self._depth = 0

    # -------------------------------------------------------------------- letters
    def letter(self, letter: Letter, symmetric: bool = False) -> int:
        """The number of a letter, made with its transpose when new."""
        found = self._index.get(letter)
        if found is not None:
            if symmetric != (self.mate[found] == found):
                raise ValueError(f"{letter.symbol.name} is symmetric in one place, not in another")
            return found
        own = len(self.letters)
        self.letters.append(letter)
        self._index[letter] = own
        if symmetric:
            self.mate.append(own)
            return own
        flipped = Letter(letter.symbol, letter.col, letter.row, not letter.transposed, letter.args)
        self.mate += [own + 1, own]
        self.letters.append(flipped)
        self._index[flipped] = own + 1
        return own

    def of_symbol(self, symbol: Symbol) -> Tensor:
        """A vector or matrix symbol as a tensor."""
        row = symbol.shape[0]
        col = symbol.shape[1] if len(symbol.shape) == 2 else UNIT
        own = self.letter(Letter(symbol, row, col), "symmetric" in symbol.traits)
        return self.word_tensor((own,))

    def transposed_word(self, word: Word) -> Word:
        """The transpose of a word."""
        mate = self.mate
        return tuple(mate[x] for x in reversed(word))

    def row(self, word: Word) -> Dim:
        """Rows of a non-empty word."""
        return self.letters[word[0]].row

    def col(self, word: Word) -> Dim:
        """Columns of a non-empty word."""
        return self.letters[word[-1]].col

    def clear(self) -> None:
        """Forget everything that depends on the rules."""
        self._cache.clear()

    # -------------------------------------------------------------------- algebra
    def zero(self, row: Dim, col: Dim) -> Tensor:
        """The zero matrix."""
        return Tensor(row, col, {})

    def identity(self, dim: Dim) -> Tensor:
        """The identity matrix: the empty word."""
        return Tensor(dim, dim, {(): self.field.const(1)})

    def word_tensor(self, word: Word) -> Tensor:
        """A word as a tensor, reduced (not of shape 1x1)."""
        value = self.value(word)
        assert isinstance(value, Tensor)
        return value

    def transpose(self, tensor: Tensor) -> Tensor:
        """The transpose."""
        terms = {self.transposed_word(w): c for w, c in tensor.terms.items()}
        return Tensor(tensor.col, tensor.row, terms)

    def matmul(self, left: Tensor, right: Tensor) -> Tensor | Poly:
        """The matrix product; a scalar when both outer sides are ``UNIT``."""
        if left.col != right.row:
            raise ShapeError(f"{left.row}x{left.col} times {right.row}x{right.col}")
        if left.row == UNIT and right.col == UNIT:
            parts = []
            for (wa, ca), (wb, cb) in product(left.terms.items(), right.terms.items()):
                value = self.value(wa + wb)
                assert isinstance(value, Poly)
                parts.append(ca * cb * value)
            return self.field.sum(parts)
        total = self.zero(left.row, right.col)
        for (wa, ca), (wb, cb) in product(left.terms.items(), right.terms.items()):
            value = self.value(wa + wb) if wa + wb else self.identity(left.row)
            assert isinstance(value, Tensor)
            total = total + value.scale(ca * cb)
        return total

    def trace(self, tensor: Tensor) -> Poly:
        """The trace of a square tensor."""
        if tensor.row != tensor.col:
            raise ShapeError(f"trace of a {tensor.row}x{tensor.col} matrix")
        return self.field.sum(c * self._trace(w, tensor.row) for w, c in tensor.terms.items())

    def apply(self, form: FormSymbol, args: tuple[Tensor, ...]) -> Tensor:
        """A form of vectors, expanded by linearity."""
        total = self.zero(form.dim, UNIT)
        for combination in product(*(a.terms.items() for a in args)):
            coefficient = self.field.const(1)
            for _, c in combination:
                coefficient = coefficient * c
            words = tuple(sorted(w for w, _ in combination))
            own = self.letter(Letter(form, form.dim, UNIT, False, words))
            total = total + self.word_tensor((own,)).scale(coefficient)
        return total

    # ------------------------------------------------------------------ reduction
    def value(self, word: Word) -> Tensor | Poly:
        """A non-empty word in normal form."""
        found = self._cache.get(word)
        if found is None:
            outer, self.field.tags = self.field.tags, set()
            self._depth += 1
            try:
                if self._depth > 60:
                    raise RecursionError("the relations rewrite without end; orient them so that "
                                         "the right-hand side is simpler")  # fmt: skip
                value = self._value(word)
                found = (value, frozenset(self.field.tags))
            finally:
                self._depth -= 1
                self.field.tags = outer
            self._cache[word] = found
        self.field.tags |= found[1]
        return found[0]

    def _value(self, word: Word) -> Tensor | Poly:
        sides = [self.letters[word[0]].row, *(self.letters[x].col for x in word)]
        cuts = [i for i, side in enumerate(sides) if side == UNIT]
        if len(cuts) >= 2 and cuts != [0, len(word)]:
            scalar = self.field.const(1)
            for a, b in pairwise(cuts):
                piece = self.value(word[a:b])
                assert isinstance(piece, Poly)
                scalar = scalar * piece
            rest = word[: cuts[0]] + word[cuts[-1] :]
            if not rest:
                return scalar
            value = self.value(rest)
            assert isinstance(value, Tensor)
            return value.scale(scalar)
        rewritten = self.rewrite(word)
        if rewritten is not None:
            return rewritten
        if cuts == [0, len(word)]:
            return self._pair(word)
        return Tensor(sides[0], sides[-1], {word: self.field.const(1)})

    def rewrite(self, word: Word) -> Tensor | Poly | None:
        """The first applicable rule applied once and the result reduced; None without one."""
        for rule in self.rules:
            size = len(rule.word)
            for i in range(len(word) - size + 1):
                if word[i : i + size] == rule.word:
                    self.field.tags.add(rule.tag)
                    return self._around(word[:i], rule.value, word[i + size :])
        for form_rule in self.form_rules:
            found = self._match_form(form_rule, word)
            if found is not None:
                return found
        return None

    def _around(self, before: Word, middle: Tensor, after: Word) -> Tensor | Poly:
        value: Tensor | Poly = middle
        if before:
            assert isinstance(value, Tensor)
            value = self.matmul(self._raw(before), value)
        if after:
            if isinstance(value, Poly):
                rest = self.value(after)
                return rest * value if isinstance(rest, Poly) else rest.scale(value)
            value = self.matmul(value, self._raw(after))
        return value

    def _raw(self, word: Word) -> Tensor:
        return Tensor(self.row(word), self.col(word), {word: self.field.const(1)})

    # --------------------------------------------------------------------- forms
    def _match_form(self, rule: FormRule, word: Word) -> Tensor | Poly | None:
        for i, x in enumerate(word):
            letter = self.letters[x]
            if letter.symbol != rule.form:
                continue
            n = len(rule.prefix)
            if letter.transposed:
                before, after = word[:i], word[i + 1 :]
                near = self.transposed_word(after[:n])
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
            self.field.tags.add(rule.tag)
            value = self._instance(rule, bound)
            if letter.transposed:
                value = self.transpose(value)
            return self._around(outside[0], value, outside[1])
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
        total = self.zero(rule.value.row, rule.value.col)
        for word, c in rule.value.terms.items():
            new = self.rebuilt(self._exchange(word, bound))
            assert isinstance(new, Tensor)
            total = total + new.scale(self.substituted_scalar(c, bound))
        return total

    def rebuilt(self, word: Word) -> Tensor | Poly:
        """The product of the letters of ``word``, the forms' arguments reduced and expanded."""
        value: Tensor | Poly | None = None
        for x in word:
            letter = self.letters[x]
            if letter.args:
                args = tuple(self.rebuilt(a) for a in letter.args)
                assert isinstance(letter.symbol, FormSymbol)
                own = self.apply(letter.symbol, tuple(a for a in args if isinstance(a, Tensor)))
                own = self.transpose(own) if letter.transposed else own
            else:
                own = self._raw((x,))
            if isinstance(value, Poly):
                value = own.scale(value)
            else:
                value = own if value is None else self.matmul(value, own)
        assert value is not None
        return value

    def _exchange(self, word: Word, bound: dict[int, Word]) -> Word:
        out: list[int] = []
        for x in word:
            letter = self.letters[x]
            if x in bound:
                out.extend(bound[x])
            elif self.mate[x] in bound:
                out.extend(self.transposed_word(bound[self.mate[x]]))
            elif letter.args:
                args = tuple(sorted(self._exchange(a, bound) for a in letter.args))
                plain = self.letter(Letter(letter.symbol, *_sides(letter), False, args))
                out.append(self.mate[plain] if letter.transposed else plain)
            else:
                out.append(x)
        return tuple(out)

    def substituted_scalar(self, poly: Poly, bound: dict[int, Word]) -> Poly:
        """The same inside the pairings of a scalar."""
        total = self.field.zero
        for mono, c in poly.terms.items():
            part = self.field.const(1).scale(c)
            for atom, e in mono:
                info = self.field.atoms[atom]
                inner = self.field.gen(atom, e)
                if info.kind in ("pair", "form"):
                    word = info.key if info.kind == "pair" else self.form_word(info.key)
                    new = self._exchange(word, bound)
                    if new != word and isinstance(e, int) and e > 0:
                        value = self.rebuilt(new)
                        assert isinstance(value, Poly)
                        inner = value.whole_power(e)
                part = part * inner
            total = total + part
        return total

    # ------------------------------------------------------------ scalars of words
    def _pair(self, word: Word) -> Poly:
        flipped = self.transposed_word(word)
        if any(self._symmetric_end(w) for w in (word, flipped)):
            return self._form_pair(word)
        canonical = min(word, flipped)
        traits = ("nonnegative",) if word == flipped and len(word) % 2 == 0 else ()
        atom = self.field.atom("pair", canonical, traits)
        return self.field.gen(atom)

    def _symmetric_end(self, word: Word) -> bool:
        letter = self.letters[word[0]]
        return letter.symbol in self.symmetric_forms and letter.transposed

    def _rootings(self, word: Word) -> list[tuple[FormSymbol, tuple[Word, ...]]]:
        """Every way to read the pairing as a fully symmetric form of ``arity + 1`` vectors."""
        seen: dict[tuple[FormSymbol, tuple[Word, ...]], None] = {}
        todo: list[Word] = [word, self.transposed_word(word)]
        while todo:
            current = todo.pop()
            if not self._symmetric_end(current):
                continue
            letter = self.letters[current[0]]
            form = letter.symbol
            assert isinstance(form, FormSymbol)
            self.field.tags.add(self.symmetric_forms[form])
            slots = (*letter.args, current[1:])
            key = (form, tuple(sorted(slots)))
            if key in seen:
                continue
            seen[key] = None
            for i, slot in enumerate(slots):
                rest = tuple(sorted(slots[:i] + slots[i + 1 :]))
                root = self.letter(Letter(form, form.dim, UNIT, False, rest))
                todo.append(self.transposed_word((self.mate[root], *slot)))
        self.field.tags.discard("")
        return list(seen)

    def _form_pair(self, word: Word) -> Poly:
        rootings = self._rootings(word)
        for form, slots in rootings:
            for i in range(len(slots)):
                rest = slots[:i] + slots[i + 1 :]
                root = self.letter(Letter(form, form.dim, UNIT, False, rest))
                spelled = (self.mate[root], *slots[i])
                rewritten = self.rewrite(spelled)
                if rewritten is not None:
                    assert isinstance(rewritten, Poly)
                    return rewritten
        best = min(rootings, key=lambda r: (r[0].name, r[1]))
        atom = self.field.atom("form", best)
        return self.field.gen(atom)

    def form_word(self, key: tuple[FormSymbol, tuple[Word, ...]]) -> Word:
        """A word for the atom of a fully symmetric pairing."""
        form, slots = key
        root = self.letter(Letter(form, form.dim, UNIT, False, slots[:-1]))
        return (self.mate[root], *slots[-1])

    def _trace(self, word: Word, dim: Dim) -> Poly:
        if not word:
            if isinstance(dim, int):
                return self.field.const(dim)
            return self.field.gen(self.field.atom("size", dim, ("positive", "integer")))
        sides = [self.letters[x].row for x in word]
        if UNIT in sides:
            i = sides.index(UNIT)
            value = self.value(word[i:] + word[:i])
            assert isinstance(value, Poly)
            return value
        rotations = [word[i:] + word[:i] for i in range(len(word))]
        for rotation in rotations:
            rewritten = self.rewrite(rotation)
            if rewritten is not None:
                assert isinstance(rewritten, Tensor)
                return self.trace(rewritten)
        both = rotations + [self.transposed_word(r) for r in rotations]
        traits: tuple[str, ...] = ()
        if len(word) % 2 == 0 and any(r == self.transposed_word(r) for r in rotations):
            traits = ("nonnegative",)
        atom = self.field.atom("trace", min(both), traits)
        return self.field.gen(atom)


def _sides(letter: Letter) -> tuple[Any, Any]:
    return (letter.col, letter.row) if letter.transposed else (letter.row, letter.col)
