"""Matrices and vectors of symbolic size: linear combinations of words of letters.

A vector is a matrix with one column; the size of that side is :data:`UNIT`.  A word visits
``UNIT`` at most once inside: between two visits lies a 1x1 piece, which is pulled out as a scalar.
Scalars are canonical under transposition, traces also under rotation, and pairings with a fully
symmetric form under every choice of the root.  Every step is an identity of matrices of any size.
"""

from __future__ import annotations

from itertools import pairwise, product

from eostheory.formula import FormSymbol, ShapeError, Symbol
from eostheory.formula.core import Dim
from eostheory.symbolic.letters import UNIT, FormRule, Letter, Tensor, Word, WordRule
from eostheory.symbolic.matching import Matcher
from eostheory.symbolic.scalars import Field, Poly


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
        self.matcher = Matcher(self)
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
                    return self.around(word[:i], rule.value, word[i + size :])
        for form_rule in self.form_rules:
            found = self.matcher.match(form_rule, word)
            if found is not None:
                return found
        return None

    def around(self, before: Word, middle: Tensor, after: Word) -> Tensor | Poly:
        """``before @ middle @ after``."""
        value: Tensor | Poly = self.refreshed(middle)
        if before:
            assert isinstance(value, Tensor)
            value = self.matmul(self.raw(before), value)
        if after:
            if isinstance(value, Poly):
                rest = self.value(after)
                return rest * value if isinstance(rest, Poly) else rest.scale(value)
            value = self.matmul(value, self.raw(after))
        return value

    def refreshed(self, tensor: Tensor) -> Tensor:
        """``tensor`` reduced by the rules of now (it may be older than some of them)."""
        total = self.zero(tensor.row, tensor.col)
        for word, c in tensor.terms.items():
            value = self.value(word) if word else self.identity(tensor.row)
            assert isinstance(value, Tensor)
            total = total + value.scale(self.field.refreshed(c))
        return total

    def raw(self, word: Word) -> Tensor:
        """A non-empty word as a tensor, not reduced."""
        return Tensor(self.row(word), self.col(word), {word: self.field.const(1)})

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
