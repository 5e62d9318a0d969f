"""What every derivation returns: named values, hypotheses, and their ways out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import sympy
from sympy import CRootOf, Symbol

from eostheory.derive.errors import NotDerived
from eostheory.derive.torch_code import TorchFunction, lower
from eostheory.formula import Expr, to_latex

if TYPE_CHECKING:
    from eostheory.derive.formula_out import FormulaFunction

Status = Literal["holds", "fails", "unknown", "given"]


@dataclass(frozen=True)
class Hypothesis:
    """Something that must hold for the result.

    ``holds`` and ``fails`` come from an exact check, for every value of the symbols; ``given`` was
    asserted by the caller; ``unknown`` depends on the symbols, or could not be decided.
    """

    text: str
    status: Status = "unknown"

    def __str__(self) -> str:
        return f"[{self.status}] {self.text}"


@dataclass(frozen=True)
class Derived:
    """Base of the results; ``shown`` lists the fields to print and their LaTeX names."""

    shown: ClassVar[Mapping[str, str]] = {}
    title: ClassVar[str] = ""

    def values(self) -> Iterator[tuple[str, Any]]:
        """Names and values that are there."""
        for name in self.shown:
            value = getattr(self, name)
            if value is not None and value != ():
                yield name, value

    @property
    def assumptions(self) -> tuple[Hypothesis, ...]:
        """The hypotheses under which everything holds."""
        found: tuple[Hypothesis, ...] = getattr(self, "hypotheses", ())
        return found

    # ------------------------------------------------------------------------- ways out
    def sympy(self, name: str) -> Any:
        """One value as sympy; formulas of symbolic size become matrix expressions."""
        value = self._value(name)
        if isinstance(value, tuple):
            return tuple(_as_sympy(v) for v in value)
        return _as_sympy(value)

    def latex(self, name: str = "") -> str:
        """One value, or all of them with their names, as LaTeX (no delimiters)."""
        if name:
            return latex_of(self._value(name))
        shown, roots = self._lettered()
        rows = [rf"{self.shown[k]} &= {latex_of(v)}" for k, v in shown]
        for letter, root in roots.items():
            gen = root.poly.gen
            poly = latex_of(root.poly.as_expr().subs(gen, letter))
            rows.append(rf"{letter} &\approx {float(root):.6g}, \quad {poly} = 0")
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _lettered(self) -> tuple[list[tuple[str, Any]], dict[Symbol, CRootOf]]:
        """The values with letters for roots of polynomials, and what the letters stand for."""
        values = list(self.values())
        found: dict[CRootOf, Symbol] = {}
        for _, value in values:
            if isinstance(value, sympy.Basic):
                for root in sorted(value.atoms(sympy.CRootOf), key=str):
                    found.setdefault(root, sympy.Symbol(f"r_{len(found) + 1}"))
        return [(k, renamed(v, found)) for k, v in values], {v: k for k, v in found.items()}

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def to_torch(self, name: str) -> TorchFunction | FormulaFunction:
        """One value as a float64, batched, differentiable torch function.

        Its leading inputs are the parameters of the object, the others follow by name.  Formulas
        of symbolic size take their matrices by name.  ``"gradients[0]"`` is an entry of a tuple.

        Raises:
            Unsupported: for what is no number, vector or matrix.
        """
        value = self._value(name)
        if isinstance(value, Expr):
            from eostheory.derive.formula_out import formula_function

            return formula_function(value, name)
        if isinstance(value, sympy.Equality):
            value = value.rhs
        return lower(value, getattr(self, "params", ()) or (), name)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: text and LaTeX of every value, and the hypotheses."""
        return {
            "what": self.title,
            "values": {
                k: {"name": self.shown[k], "text": text_of(v), "latex": latex_of(v)}
                for k, v in self.values()
            },
            "hypotheses": [{"text": h.text, "status": h.status} for h in self.assumptions],
        }

    def __str__(self) -> str:
        shown, roots = self._lettered()
        width = max((len(k) for k, _ in shown), default=0)
        lines = [self.title] if self.title else []
        for name, value in shown:
            first, *rest = text_of(value).split("\n")
            lines.append(f"  {name:<{width}} = {first}")
            lines += [f"  {'':<{width}}   {line}" for line in rest]
        for letter, root in roots.items():
            poly = root.poly.as_expr().subs(root.poly.gen, letter)
            lines.append(f"  where {letter} = {float(root):.6g} is the root of {poly}")
        if self.assumptions:
            lines.append("under")
            lines += [f"  {h}" for h in self.assumptions]
        return "\n".join(lines)

    def _value(self, name: str) -> Any:
        plain, bracket, index = name.partition("[")
        if bracket:
            entries = self._value(plain)
            place = index.removesuffix("]")
            if not isinstance(entries, tuple) or not place.isdecimal():
                raise NotDerived(f"{name}: an entry of a tuple is written name[0]")
            if int(place) >= len(entries):
                raise NotDerived(f"{name}: there are {len(entries)} entries, counted from 0")
            return entries[int(place)]
        if name not in {f.name for f in dataclasses.fields(self)} | set(self.shown):
            known = ", ".join(k for k, _ in self.values())
            raise NotDerived(f"{type(self).__name__} has no {name!r}; it has {known}")
        value = getattr(self, name)
        if value is None:
            raise NotDerived(f"{name} was not derived: {self._why(name)}")
        return value

    def _why(self, name: str) -> str:
        return "see the hypotheses"


def _as_sympy(value: Any) -> Any:
    if isinstance(value, Expr):
        from eostheory.derive.formula_out import to_matrix_expression

        return to_matrix_expression(value)
    return value


def latex_of(value: Any) -> str:
    """LaTeX of a sympy value, a formula, or a tuple of them."""
    if isinstance(value, Expr):
        return to_latex(value)
    if isinstance(value, tuple):
        return r"\left(" + r",\; ".join(map(latex_of, value)) + r"\right)"
    if isinstance(value, str):
        return rf"\text{{{value}}}"
    return str(sympy.latex(value))


def text_of(value: Any) -> str:
    """Readable text of the same; a matrix is printed row by row."""
    if isinstance(value, sympy.MatrixBase) and value.shape[1] == 1:
        return "[" + ", ".join(map(str, value)) + "]"
    if isinstance(value, sympy.MatrixBase):
        rows = ["[" + ", ".join(map(str, value.row(i))) + "]" for i in range(value.rows)]
        return "\n".join(rows)
    if isinstance(value, tuple):
        return "(" + ", ".join(map(text_of, value)) + ")"
    if isinstance(value, sympy.Equality):
        return f"{value.lhs} = {value.rhs}"
    return str(value)


def short(value: Any, limit: int = 90) -> str:
    """Text of at most a line."""
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def renamed(value: Any, table: Mapping[Any, Any]) -> Any:
    """``value`` with symbols exchanged, all through nested results."""
    if not table:
        return value
    if isinstance(value, sympy.MatrixBase):
        return sympy.ImmutableMatrix(value.xreplace(dict(table)))
    if isinstance(value, sympy.Basic):
        return value.xreplace(dict(table))
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(renamed(v, table) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Hypothesis | TorchFunction | Expr):
            return value
        changed = {
            f.name: renamed(getattr(value, f.name), table)
            for f in dataclasses.fields(value)
            if f.init
        }
        return dataclasses.replace(value, **changed)
    return value
