"""Sizes of monomials for order bookkeeping: exponents over the small and large quantities.

The size of a product is a vector of exponents.  A *fact* is a vector whose monomial is O(1).
Everything that no declared bound and no order mentions is of order one: bounded, and, when it is
declared positive or non-zero, bounded away from zero.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from eostheory.formula import Expr
from eostheory.symbolic.derivatives import letters_of_atom
from eostheory.symbolic.letters import Word
from eostheory.symbolic.scalars import Exponent, Monomial, Poly, tidy

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

Var = tuple[str, int]
Size = tuple[tuple[Var, Exponent], ...]
"""Sorted ``((variable, exponent), ...)``."""


def combine(*parts: Size) -> Size:
    """The size of a product."""
    total: dict[Var, Exponent] = {}
    for part in parts:
        for var, e in part:
            total[var] = total.get(var, 0) + e
    return tuple(sorted((v, tidy(e)) for v, e in total.items() if e))


def stretched(size: Size, factor: Exponent) -> Size:
    """The size of a power."""
    return tuple((v, tidy(e * factor)) for v, e in size)


class Sizes:
    """Sizes under the bounds of a model, for one order."""

    def __init__(self, model: Model, order: Poly) -> None:
        self.model = model
        self.kernel = model.kernel
        self.field = model.kernel.field
        self.sized_atoms: set[int] = set()
        self.sized_letters: set[int] = set()
        self._implicit: set[Var] = set()
        bounds = [(self.kernel.scalar(expr), expr, by) for expr, by in model.bounds]
        for poly in (order, *(p for p, _, _ in bounds)):
            self._collect(poly)
        # sizes depend on what is sized only, and are shared by all statements of the model
        shared = ("sizes", frozenset(self.sized_atoms), frozenset(self.sized_letters))
        self._memo: dict[Monomial, tuple[list[Size], frozenset[Var]]] = self.kernel.memo.setdefault(
            shared, {}
        )
        self.facts: list[tuple[Size, str]] = []
        for poly, expr, by in bounds:
            self.facts += [(size, by) for size in self._fact(poly, expr)]

    def _collect(self, poly: Poly) -> None:
        for atom in poly.atoms():
            self._collect_atom(atom)

    def _collect_atom(self, atom: int) -> None:
        info = self.field.atoms[atom]
        norm = self._norm_letter(atom)
        if norm is not None:
            self.sized_letters.add(norm)
        elif info.kind in ("base", "abs", "sign"):
            self._collect(info.key)
        elif info.kind == "function":
            self.sized_atoms.add(atom)
            self._collect(info.key[1])
        elif info.kind in ("exp", "pow"):
            self.sized_atoms.add(atom)
            mono = info.key if info.kind == "exp" else info.key[1]
            for inner, _ in mono:
                self._collect_atom(inner)
            if info.kind == "pow":
                self._collect(info.key[0])
        elif info.kind != "prime":
            self.sized_atoms.add(atom)

    def _norm_letter(self, atom: int) -> int | None:
        """The letter ``x`` when the atom is <x, x>."""
        info = self.field.atoms[atom]
        words = self.kernel.words
        if info.kind == "pair" and len(info.key) == 2:
            row, column = info.key
            if words.mate[row] == column and not words.letters[column].args:
                return int(column)
        return None

    def _fact(self, poly: Poly, expr: Expr) -> list[Size]:
        sizes = [s for mono in poly.terms for s in self.monomial(mono)]
        if len(poly.terms) > 1 and self.kernel.signs.quick(poly) not in ("+", "0+"):
            raise ValueError(f"bound({expr}): give one monomial, or a sum of positive ones")
        return sizes

    # ------------------------------------------------------------------------- sizes
    def poly(self, poly: Poly) -> list[Size]:
        """Sizes whose sum dominates ``|poly|``."""
        return list(dict.fromkeys(s for mono in poly.terms for s in self.monomial(mono)))

    def monomial(self, mono: Monomial) -> list[Size]:
        """Sizes whose sum dominates one product."""
        found = self._memo.get(mono)
        if found is None:
            outer, self._implicit = self._implicit, set()
            found = self._memo[mono] = (self._monomial(mono), frozenset(self._implicit))
            self._implicit = outer
        self._implicit |= found[1]
        return found[0]

    def _monomial(self, mono: Monomial) -> list[Size]:
        options = [self.power(a, e) for a, e in mono]
        return [combine(*choice) for choice in product(*options)]

    def word(self, word: Word | None) -> Size:
        """The size of a word: its sized letters."""
        if not word:
            return ()
        words = self.kernel.words
        total: list[Size] = []
        for x in word:
            letter = words.letters[x]
            plain = words.mate[x] if letter.transposed else x
            if plain in self.sized_letters:
                total.append(((("letter", plain), 1),))
            total += [self.word(arg) for arg in letter.args]
        return combine(*total)

    def _own(self, atom: int, exponent: Exponent) -> list[Size]:
        self._implicit.add(("atom", atom))
        return [((("atom", atom), exponent),)]

    def power(self, atom: int, exponent: Exponent) -> list[Size]:
        """Sizes whose sum dominates ``|atom| ** exponent``."""
        info = self.field.atoms[atom]
        norm = self._norm_letter(atom)
        if norm is not None and norm in self.sized_letters:
            return [((("letter", norm), tidy(2 * exponent)),)]
        match info.kind:
            case "prime":
                return [()]
            case "pair" | "form" | "trace" if exponent > 0 and atom not in self.sized_atoms:
                if info.kind == "form":
                    size = self.word(self.kernel.words.form_word(info.key))
                else:
                    size = self.word(info.key)
                return [stretched(size, exponent)]
            case "base" | "abs":
                if exponent > 0:
                    return [stretched(s, exponent) for s in self.poly(info.key)]
                alone = self._alone(info.key)
                return self._own(atom, exponent) if alone is None else self.power(alone, exponent)
            case "sign" if exponent > 0:
                return [()]
            case "function" if info.key[0] in ("sin", "cos") and exponent > 0:
                return [()]
        return self._own(atom, exponent)

    def _alone(self, poly: Poly) -> int | None:
        if poly.single is not None:
            mono, c = poly.single
            if len(mono) == 1 and mono[0][1] == 1 and c in (1, -1):
                return mono[0][0]
        return None

    def lower(self, order: Poly) -> list[Size]:
        """Sizes of which each one is dominated by the order (read as a sum of absolute values)."""
        result: list[Size] = []
        for mono in order.terms:
            options: list[list[Size]] = []
            for atom, e in mono:
                info = self.field.atoms[atom]
                if info.kind == "base" and not (
                    e > 0 and self.kernel.signs.quick(info.key) in ("+", "0+")
                ):
                    raise ValueError("the order must be a sum of products of plain quantities")
                options.append(self.power(atom, e))
            result += [combine(*choice) for choice in product(*options)]
        return list(dict.fromkeys(result))

    # --------------------------------------------------------------------- all facts
    def all_facts(self) -> list[tuple[Size, str]]:
        """Declared facts and those that hold for quantities of order one."""
        facts = list(self.facts)
        for var in sorted(self._implicit):
            atom = var[1]
            info = self.field.atoms[atom]
            if info.kind == "base":
                facts += self._base_facts(atom)
            elif atom not in self.sized_atoms and not self._holds_sized(atom):
                own = info.key if info.kind == "symbol" else None
                if own in self.model.unbounded:
                    continue
                facts.append((((var, 1),), "order one"))
                if "nonzero" in info.traits and own not in self.model.landaus:
                    facts.append((((var, -1),), "order one"))
        return facts

    def _holds_sized(self, atom: int) -> bool:
        return bool(
            self._inner_atoms(atom) & self.sized_atoms
            or letters_of_atom(self.kernel, atom) & self.sized_letters
        )

    def _inner_atoms(self, atom: int) -> set[int]:
        info = self.field.atoms[atom]
        if info.kind in ("base", "abs", "sign"):
            inner = info.key.atoms()
        elif info.kind == "function":
            inner = info.key[1].atoms()
        elif info.kind == "exp":
            inner = {a for a, _ in info.key}
        elif info.kind == "pow":
            inner = info.key[0].atoms() | {a for a, _ in info.key[1]}
        else:
            return {atom}
        return {atom} | {x for a in inner for x in self._inner_atoms(a)}

    def _base_facts(self, atom: int) -> list[tuple[Size, str]]:
        """A sum of positive terms is at least each of them."""
        poly: Poly = self.field.atoms[atom].key
        if self.kernel.signs.quick(poly) not in ("+", "0+"):
            return []
        facts: list[tuple[Size, str]] = []
        inverse: Size = ((("atom", atom), -1),)
        for mono in poly.terms:
            sizes = self.monomial(mono)
            if len(sizes) == 1:
                facts.append((combine(inverse, sizes[0]), "a sum is at least each positive term"))
        return facts
