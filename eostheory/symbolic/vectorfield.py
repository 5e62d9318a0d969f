"""Planar vector fields: find (not merely check) what they conserve, their equilibria and orbits.

Everything is searched with sympy and accepted only when the kernel's normal form confirms it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import sympy

from eostheory.formula import Expr
from eostheory.symbolic.convert import from_sympy, to_sympy
from eostheory.symbolic.lower import Kernel


@dataclass(frozen=True)
class VectorField:
    """``d coords / dt = speeds``, with sympy symbols and expressions."""

    coords: tuple[sympy.Symbol, ...]
    speeds: tuple[sympy.Expr, ...]

    @staticmethod
    def of(coords: Sequence[Expr], speeds: Sequence[Expr]) -> VectorField:
        """From formulas: scalar symbols and their time derivatives."""
        return VectorField(
            tuple(to_sympy(c) for c in coords), tuple(sympy.expand(to_sympy(s)) for s in speeds)
        )

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """The symbols that are no coordinates."""
        free = set().union(*(s.free_symbols for s in self.speeds)) - set(self.coords)
        return tuple(sorted(free, key=lambda s: str(s.name)))

    def along(self, function: sympy.Expr) -> sympy.Expr:
        """The time derivative of a function along the flow."""
        pairs = zip(self.coords, self.speeds, strict=True)
        return sympy.Add(*(sympy.diff(function, c) * s for c, s in pairs))


@dataclass(frozen=True)
class FirstIntegral:
    """A conserved quantity, how it was found, and the check that accepted it."""

    value: sympy.Expr
    method: str
    check: str = "its time derivative is zero in normal form"

    def formula(self) -> Expr:
        """The conserved quantity as a formula (symbols are matched by name)."""
        return from_sympy(self.value, {})


def vanishes(expression: sympy.Expr) -> bool:
    """Whether a scalar expression is zero, decided by the kernel (not by sympy)."""
    kernel = Kernel()
    return kernel.is_zero(kernel.scalar(from_sympy(expression, {})))


def is_conserved(field: VectorField, value: sympy.Expr) -> bool:
    """Whether ``value`` is constant along the flow, and not constant altogether."""
    if not set(field.coords) & value.free_symbols:
        return False
    return vanishes(field.along(value))


def first_integral(field: VectorField, degree: int = 4) -> FirstIntegral | None:
    """A conserved quantity of a planar field; None when no ansatz finds one.

    Tried in order: a linear ansatz in monomials and logarithms, separation of variables,
    integrating factors ``x**p * y**q * exp(r*x + s*y)``, and products of Darboux polynomials.
    """
    if len(field.coords) != 2:
        raise ValueError(f"a planar field has two coordinates, not {len(field.coords)}")
    for search in (_linear_ansatz, _separable, _integrating_factor, _darboux):
        for value, method in search(field, degree):
            value = sympy.expand(value)
            if is_conserved(field, value):
                return FirstIntegral(_normalised(field, value), method)
    return None


def _normalised(field: VectorField, value: sympy.Expr) -> sympy.Expr:
    """Without additive constant and denominators, growing in the last coordinate."""
    value = value.as_independent(*field.coords, as_Add=True)[1]
    split = [t.as_independent(*field.coords, as_Add=False) for t in sympy.Add.make_args(value)]
    denominators = [sympy.fraction(sympy.together(c))[1] for c, _ in split]
    scale = sympy.lcm_list(denominators) if denominators else sympy.Integer(1)
    if any(c.could_extract_minus_sign() and f.has(field.coords[-1]) for c, f in split):
        scale = -scale
    return sympy.Add(*(sympy.cancel(c * scale) * f for c, f in split))


Found = Iterator[tuple[sympy.Expr, str]]


def _linear_ansatz(field: VectorField, degree: int) -> Found:
    """``sum c_k f_k`` with unknown ``c_k``: the time derivative is linear in them."""
    x, y = field.coords
    powers = [x**i * y**j for i, j in product(range(degree + 1), repeat=2) if 0 < i + j <= degree]
    for functions, names in (
        ([*powers, sympy.log(x), sympy.log(y)], "linear ansatz in monomials and logarithms"),
        ([*powers, sympy.exp(x), sympy.exp(y), sympy.exp(2 * x), sympy.exp(2 * y)],
         "linear ansatz in monomials and exponentials"),
    ):  # fmt: skip
        yield from ((v, names) for v in _kernel_of(field, functions))


def _kernel_of(field: VectorField, functions: list[sympy.Expr]) -> Iterator[sympy.Expr]:
    """Combinations of ``functions`` that the flow conserves, from a linear system."""
    x, y = field.coords
    rates = [sympy.expand(field.along(f) * x * y) for f in functions]
    rows: dict[sympy.Expr, dict[int, sympy.Expr]] = {}
    for k, rate in enumerate(rates):
        for term in sympy.Add.make_args(rate):
            coefficient, rest = term.as_independent(*field.coords, as_Add=False)
            column = rows.setdefault(rest, {})
            column[k] = column.get(k, sympy.Integer(0)) + coefficient
    matrix = sympy.Matrix(
        [[row.get(k, sympy.Integer(0)) for k in range(len(functions))] for row in rows.values()]
    )
    for vector in matrix.nullspace(simplify=sympy.cancel):
        yield sympy.Add(*(sympy.cancel(c) * f for c, f in zip(vector, functions, strict=True)))


def _separable(field: VectorField, degree: int) -> Found:
    """``x' = f1(x) g1(y)``, ``y' = f2(x) g2(y)``: integrate ``f2/f1 dx - g1/g2 dy``."""
    x, y = field.coords
    parts = []
    for speed in field.speeds:
        split = sympy.separatevars(sympy.factor(speed), symbols=(x, y), dict=True)
        if not split:
            return
        parts.append(split)
    first, second = parts
    left = sympy.cancel(second[x] * second.get("coeff", 1) / first[x])
    right = sympy.cancel(first[y] * first.get("coeff", 1) / second[y])
    value = sympy.integrate(left, x) - sympy.integrate(right, y)
    if not value.has(sympy.Integral):
        yield value, "separation of variables"


def _integrating_factor(field: VectorField, degree: int) -> Found:
    """``mu = x**p y**q exp(r x + s y)`` with ``div(mu F) = 0``, which is linear in p, q, r, s."""
    x, y = field.coords
    f, g = field.speeds
    p, q, r, s = sympy.symbols("p q r s")
    divergence = sympy.diff(f, x) + sympy.diff(g, y)
    condition = divergence + p * f / x + q * g / y + r * f + s * g
    numerator = sympy.expand(sympy.numer(sympy.together(condition)))
    equations = sympy.Poly(numerator, x, y).coeffs()
    for solution in sympy.linsolve(equations, p, q, r, s):
        values = [v.subs({p: 0, q: 0, r: 0, s: 0}) for v in solution]
        factor = x ** values[0] * y ** values[1] * sympy.exp(values[2] * x + values[3] * y)
        value = sympy.integrate(sympy.expand(factor * f), y)
        rest = sympy.simplify(sympy.diff(value, x) + factor * g)
        value = value - sympy.integrate(sympy.expand(rest), x)
        if not value.has(sympy.Integral):
            yield value, f"integrating factor {factor}"


def _darboux(field: VectorField, degree: int) -> Found:
    """``sum lambda_i log f_i`` over invariant lines ``f_i`` with cofactors ``K_i``."""
    x, y = field.coords
    a, b = sympy.symbols("a b")
    lines: list[sympy.Expr] = []
    for line, unknowns in ((x + a, [a]), (y + a, [a]), (x + a * y + b, [a, b])):
        rest = sympy.expand(field.along(line))
        for speed_zero in (sympy.solve(line, x if line.has(x) else y),):
            variable = x if line.has(x) else y
            on_line = sympy.expand(rest.subs(variable, speed_zero[0]))
            other = y if variable == x else x
            equations = sympy.Poly(on_line, other).coeffs() if on_line != 0 else []
            for solution in sympy.solve(equations, unknowns, dict=True) or []:
                found = line.subs(solution)
                if not found.free_symbols & set(unknowns) and found not in lines:
                    lines.append(found)
    if lines:
        logs = [sympy.log(line) for line in lines]
        cofactors = [sympy.cancel(field.along(line) / line) for line in lines]
        unknown = sympy.symbols(f"l0:{len(lines)}")
        total = sympy.expand(sympy.Add(*(u * k for u, k in zip(unknown, cofactors, strict=True))))
        equations = sympy.Poly(total, x, y).coeffs() if total != 0 else []
        for solution in sympy.linsolve(equations, *unknown):
            names = [v for v in unknown if any(entry.has(v) for entry in solution)]
            for chosen in names:
                point = {v: sympy.Integer(int(v == chosen)) for v in names}
                weights = [entry.subs(point) for entry in solution]
                value = sympy.Add(*(w * f for w, f in zip(weights, logs, strict=True)))
                yield value, "Darboux polynomials"


# ------------------------------------------------------------------------- equilibria
def equilibria(field: VectorField) -> list[tuple[sympy.Expr, ...]]:
    """Points where all speeds vanish, each confirmed by the kernel.

    Coordinates that are declared positive keep only solutions that sympy does not refute.
    """
    found: list[tuple[sympy.Expr, ...]] = []
    for solution in sympy.solve(field.speeds, field.coords, dict=True):
        point = tuple(sympy.simplify(solution.get(c, c)) for c in field.coords)
        pairs = zip(field.coords, point, strict=True)
        if any(c.is_positive and p.is_positive is False for c, p in pairs):
            continue
        table = dict(zip(field.coords, point, strict=True))
        if all(vanishes(speed.subs(table)) for speed in field.speeds):
            found.append(point)
    return found


def linearise(field: VectorField, point: Sequence[sympy.Expr]) -> sympy.Matrix:
    """The Jacobian at a point."""
    table = dict(zip(field.coords, point, strict=True))
    jacobian = sympy.Matrix(field.speeds).jacobian(sympy.Matrix(field.coords))
    return jacobian.subs(table).applyfunc(sympy.simplify)


def frequency_squared(field: VectorField, point: Sequence[sympy.Expr]) -> sympy.Expr | None:
    """The square of the frequency at a centre of a planar field (trace zero), else None."""
    jacobian = linearise(field, point)
    if not vanishes(jacobian.trace()):
        return None
    return sympy.simplify(jacobian.det())


def hamiltonian_form(field: VectorField, value: sympy.Expr) -> sympy.Expr | None:
    """The density ``rho`` with ``F = rho * (H_y, -H_x)`` for a conserved ``H``; None without."""
    x, y = field.coords
    slope = sympy.diff(value, y)
    if slope == 0:
        return None
    density = sympy.simplify(field.speeds[0] / slope)
    if vanishes(density * sympy.diff(value, x) + field.speeds[1]):
        return density
    return None
