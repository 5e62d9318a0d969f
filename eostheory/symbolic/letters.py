"""Letters, tensors and rules: the data that the algebra of words works on."""

from __future__ import annotations

from dataclasses import dataclass

from eostheory.formula import FormSymbol, ShapeError, Symbol
from eostheory.formula.core import Dim
from eostheory.symbolic.scalars import Poly

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


def sides(letter: Letter) -> tuple[Dim, Dim]:
    """The shape of a letter before transposition."""
    return (letter.col, letter.row) if letter.transposed else (letter.row, letter.col)
