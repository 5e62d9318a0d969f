"""Sign conditions handed to Z3's terms: radicals as constrained variables, Gram lifting for words.

The inner products of vectors of any size become real variables under the constraint that their
Gram matrix is positive semidefinite.  Z3 is a search here: ``unsat`` of the negated goal is the
proof (re-checkable by running the same query), ``sat`` only proposes an instance that is then
evaluated exactly.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import lcm
from typing import TYPE_CHECKING, Any

from eostheory.symbolic.letters import Word
from eostheory.symbolic.scalars import Exponent, Monomial, Poly, tidy, to_fraction

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model


class Translation:
    """Scalars of one model as Z3 terms."""

    def __init__(self, model: Model) -> None:
        import z3

        self.z3 = z3
        self.model = model
        self.kernel = model.kernel
        self.field = model.kernel.field
        self.roots: dict[int, int] = {}
        self.names: dict[int, Any] = {}
        self.constraints: list[Any] = []
        self.vectors: list[Word] = []
        self._pairs: set[int] = set()
        self._ready: set[int] = set()

    # ---------------------------------------------------------------------- gathering
    def polynomial(self, poly: Poly) -> Poly:
        """A polynomial of the same sign: positive factors and denominators are removed.

        Only traits count here: what an assumption says must stay in the query.
        """
        if not poly.terms:
            return poly
        with self.kernel.signs.bare():
            return self._polynomial(poly)

    def _polynomial(self, poly: Poly) -> Poly:
        c, factors = self.kernel.powers.factor(poly)
        result = self.field.const(1 if c > 0 else -1)
        kept: dict[int, Exponent] = {}
        for atom, e in factors.items():
            sign = self.kernel.signs.of_atom(atom)
            if sign == "+":
                continue
            if not isinstance(e, int):
                kept[atom] = abs(e)
            else:
                kept[atom] = 1 if e % 2 else 2
        for atom, e in kept.items():
            result = result * self.field.gen(atom, e)
        # multiplying out may bring back positive bases; they are plain variables then
        return self.kernel.field.cleared(result)[0]

    def note(self, poly: Poly) -> None:
        """Collect the fractional exponents of every atom before terms are built."""
        for mono in poly.terms:
            for atom, e in mono:
                self.roots[atom] = lcm(self.roots.get(atom, 1), Fraction(e).denominator)
                self._note_inner(atom)

    def _note_inner(self, atom: int) -> None:
        if atom in self._ready:
            return
        self._ready.add(atom)
        info = self.field.atoms[atom]
        self.roots.setdefault(atom, 1)
        if info.kind in ("base", "abs", "sign"):
            self.note(info.key)
        elif info.kind == "function":
            self.note(info.key[1])
        elif info.kind in ("pair", "form", "trace"):
            self._pairs.add(atom)

    # -------------------------------------------------------------------------- terms
    def term(self, poly: Poly) -> Any:
        """The Z3 term of a scalar (no negative exponents)."""
        parts = []
        for mono, c in poly.terms.items():
            q = to_fraction(c)
            product: Any = self.z3.RealVal(f"{q.numerator}/{q.denominator}")
            for atom, e in mono:
                product = product * self.power(atom, e)
            parts.append(product)
        return self.z3.Sum(parts) if parts else self.z3.RealVal(0)

    def power(self, atom: int, exponent: Exponent) -> Any:
        """``atom ** exponent`` through the variable of the root."""
        whole = tidy(exponent * self.roots.get(atom, 1))
        if not isinstance(whole, int):
            raise ValueError("an exponent that was not noted")
        if whole < 0:
            inverse = self.z3.Real(f"i{atom}")
            key = -1 - atom
            if key not in self.names:
                self.names[key] = inverse
                self.constraints.append(inverse * self.variable(atom) == 1)
            return self._repeat(inverse, -whole)
        return self._repeat(self.variable(atom), whole)

    @staticmethod
    def _repeat(base: Any, times: int) -> Any:
        result = base
        for _ in range(times - 1):
            result = result * base
        return result

    def variable(self, atom: int) -> Any:
        """The variable of an atom, or of its root; its constraints are noted once."""
        found = self.names.get(atom)
        if found is None:
            found = self.z3.Real(f"a{atom}")
            self.names[atom] = found
            self._constrain(atom, found)
        return found

    def _constrain(self, atom: int, x: Any) -> None:
        z3, add = self.z3, self.constraints.append
        info = self.field.atoms[atom]
        root = self.roots.get(atom, 1)
        if root > 1:
            add(x >= 0)
        if "nonnegative" in info.traits:
            add(x > 0 if "nonzero" in info.traits else x >= 0)
        elif "nonzero" in info.traits:
            add(x != 0)
        match info.kind:
            case "size":
                add(x >= 1)
            case "base":
                add(self._repeat(x, root) == self.term(info.key))
            case "prime":
                add(x > 0)
                add(self._repeat(x, root) == info.key)
            case "abs":
                inner = self.term(info.key)
                add(x >= 0)
                add(self._repeat(x, 2 * root) == inner * inner)
            case "sign":
                inner = self.term(info.key)
                add(z3.Or(z3.And(inner > 0, x == 1), z3.And(inner < 0, x == -1),
                          z3.And(inner == 0, x == 0)))  # fmt: skip
            case "exp" if root == 1:
                power = self._mono(info.key)
                add(z3.Or(z3.And(power == 0, x == 1), x > 1 + power))
            case "function":
                name, arg = info.key
                self._function(name, arg, x, root)
            case "pow" if info.key[0].constant == -1:
                add(x * x == 1)

    def _mono(self, mono: Monomial) -> Any:
        self.note(Poly(self.field, {mono: 1}))
        product: Any = self.z3.RealVal(1)
        for atom, e in mono:
            product = product * self.power(atom, e)
        return product

    def _function(self, name: str, arg: Poly, x: Any, root: int) -> None:
        z3, add = self.z3, self.constraints.append
        if root != 1:
            return
        self.note(arg)
        if name == "log":
            inner = self.term(arg)
            # 1 - 1/y < log y < y - 1 for every positive y but 1
            add(inner > 0)
            strict = z3.And(x < inner - 1, x * inner > inner - 1)
            add(z3.Or(z3.And(inner == 1, x == 0), strict))
        elif name == "lambertw":
            add(x >= -1)
        elif name == "lambertwm1":
            add(x <= -1)
        elif name in ("sin", "cos"):
            add(z3.And(x >= -1, x <= 1))

    # ------------------------------------------------------------------- Gram lifting
    def gram(self) -> None:
        """Positive semidefinite Gram matrices of the vectors that the pairings are made of."""
        words = self.kernel.words
        todo = []
        for atom in sorted(self._pairs):
            info = self.field.atoms[atom]
            if info.kind == "trace":
                continue
            todo.append(info.key if info.kind == "pair" else words.form_word(info.key))
        chosen: dict[Word, None] = {}

        def half(word: Word, i: int) -> tuple[Word, Word]:
            return words.transposed_word(word[:i]), word[i:]

        rest = []
        for word in todo:
            if word == words.transposed_word(word) and len(word) % 2 == 0:
                chosen[word[len(word) // 2 :]] = None
            else:
                rest.append(word)
        for word in sorted(rest, key=len):
            splits = [half(word, i) for i in range(1, len(word))]
            best = max(splits, key=lambda s: (s[0] in chosen) + (s[1] in chosen))
            chosen.update(dict.fromkeys(best))
        groups: dict[Any, list[Word]] = {}
        for vector in chosen:
            groups.setdefault(words.row(vector), []).append(vector)
        self.vectors = [v for group in groups.values() for v in group]
        for group in groups.values():
            self._psd(group)

    def _psd(self, vectors: list[Word]) -> None:
        words = self.kernel.words
        entries: dict[tuple[int, int], Any] = {}
        for i, u in enumerate(vectors):
            for j in range(i, len(vectors)):
                value = words.value(words.transposed_word(u) + vectors[j])
                assert isinstance(value, Poly)
                self.note(value)
                entries[i, j] = entries[j, i] = self.term(value)
        most = len(vectors) if len(vectors) <= 4 else 3
        for size in range(1, most + 1):
            for chosen in combinations(range(len(vectors)), size):
                self.constraints.append(self._minor(entries, chosen) >= 0)

    def _minor(self, entries: Any, chosen: tuple[int, ...]) -> Any:
        return self._determinant([[entries[i, j] for j in chosen] for i in chosen])

    def _determinant(self, rows: list[list[Any]]) -> Any:
        if len(rows) == 1:
            return rows[0][0]
        total: Any = self.z3.RealVal(0)
        for j, x in enumerate(rows[0]):
            minor = self._determinant([row[:j] + row[j + 1 :] for row in rows[1:]])
            total = total + x * minor if j % 2 == 0 else total - x * minor
        return total
