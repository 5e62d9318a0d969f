"""Level sets in closed form, and the Lotka-Volterra form of a vector field."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from eostheory.symbolic.vectorfield import VectorField, vanishes


def solve_power_log(
    expression: sympy.Expr, variable: sympy.Symbol, level: sympy.Expr
) -> list[sympy.Expr]:
    """Positive solutions of ``a*x**k + b*log(x) + c = level`` through Lambert W.

    With ``z = x**k`` and ``s = a*k/b`` the equation is ``s*z*exp(s*z) = s*exp(k*(level-c)/b)``.
    For ``s < 0`` there are two solutions, on the branches 0 and -1 (the smaller one first).
    Each is confirmed by the kernel.  They are real when ``-1/e <= s*exp(...)``, that is, on levels
    above the minimum.

    Raises:
        ValueError: when the expression has another form.
    """
    expression = sympy.expand_log(sympy.expand(expression), force=True)
    constant, rest = expression.as_independent(variable, as_Add=True)
    b = sympy.Integer(0)
    power: tuple[sympy.Expr, sympy.Expr] | None = None
    for term in sympy.Add.make_args(rest):
        coefficient, factor = term.as_independent(variable, as_Add=False)
        if factor == sympy.log(variable):
            b += coefficient
        elif power is None and (factor == variable or (factor.is_Pow and factor.base == variable)):
            power = coefficient, sympy.Integer(1) if factor == variable else factor.exp
        else:
            raise ValueError(f"{expression} is not a*{variable}**k + b*log({variable}) + c")
    if power is None or b == 0:
        raise ValueError(f"{expression} lacks a power or the logarithm of {variable}")
    a, k = power
    s = sympy.simplify(a * k / b)
    inside = s * sympy.exp(sympy.expand(k * (level - constant) / b))
    branches = [0, -1] if (-s).is_positive else [0]
    found = []
    for branch in branches:
        z = sympy.LambertW(inside, branch) / s
        solution = z ** (sympy.Integer(1) / k)
        if vanishes((expression - level).subs(variable, solution)):
            found.append(solution)
    return found


def level_extremes(
    value: sympy.Expr, field: VectorField, coordinate: sympy.Symbol, level: sympy.Expr
) -> list[sympy.Expr]:
    """Extremes of one coordinate on a level set ``f(x) + g(y) = level`` of a planar field.

    At an extreme of ``x`` the other coordinate is stationary for ``g``; its value there is
    substituted, and what remains is solved for ``x`` (Lambert W, or a square root).
    """
    (other,) = [c for c in field.coords if c != coordinate]
    own, rest = sympy.Integer(0), sympy.Integer(0)
    for term in sympy.Add.make_args(sympy.expand(value)):
        if term.has(coordinate) and term.has(other):
            raise ValueError(f"the conserved quantity does not separate: {term}")
        if term.has(other):
            rest += term
        else:
            own += term
    found: list[sympy.Expr] = []
    for point in sympy.solve(sympy.diff(rest, other), other):
        if other.is_positive and point.is_positive is False:
            continue
        target = sympy.expand(level - rest.subs(other, point))
        if own.has(sympy.log):
            found += solve_power_log(own, coordinate, target)
        else:
            for solution in sympy.solve(own - target, coordinate):
                if vanishes((own - target).subs(coordinate, solution)):
                    found.append(solution)
    return found


@dataclass(frozen=True)
class LotkaVolterra:
    """``U_i' = U_i * (rates_i + sum_j matrix_ij U_j)`` for monomials ``U`` in the coordinates."""

    monomials: tuple[sympy.Expr, ...]
    rates: tuple[sympy.Expr, ...]
    matrix: sympy.Matrix

    @property
    def planar(self) -> bool:
        """Whether two monomials suffice: a classical Lotka-Volterra system."""
        return len(self.monomials) == 2

    @property
    def predator_prey(self) -> bool:
        """Planar, no self-interaction, interactions of opposite sign."""
        if not self.planar:
            return False
        m = self.matrix
        opposite = (-m[0, 1] * m[1, 0]).is_positive is True
        return bool(m[0, 0] == 0 and m[1, 1] == 0 and opposite)


def lotka_volterra(field: VectorField) -> LotkaVolterra | None:
    """The Lotka-Volterra form of a field with monomial terms (a quasi-polynomial field).

    Dividing each speed by its coordinate leaves monomials ``U``; they are the new variables, and
    ``U'/U`` is again a combination of them.  The number of monomials is the dimension: a planar
    field of the form ``x' = x*f(y)``, ``y' = y*g(x)`` gives two.  Accepted by the kernel.
    """
    rates: list[dict[sympy.Expr, sympy.Expr]] = []
    for coordinate, speed in zip(field.coords, field.speeds, strict=True):
        table: dict[sympy.Expr, sympy.Expr] = {}
        for term in sympy.Add.make_args(sympy.expand(speed / coordinate)):
            coefficient, monomial = term.as_independent(*field.coords, as_Add=False)
            if any(
                not p.base.is_Symbol if p.is_Pow else not p.is_Symbol
                for p in sympy.Mul.make_args(monomial)
                if p != 1
            ):
                return None
            table[monomial] = table.get(monomial, sympy.Integer(0)) + coefficient
        rates.append(table)
    monomials = sorted({m for t in rates for m in t if m != 1}, key=sympy.default_sort_key)
    exponents = [[sympy.cancel(sympy.diff(m, c) * c / m) for c in field.coords] for m in monomials]
    size = len(monomials)
    matrix = sympy.zeros(size, size)
    linear = [sympy.Integer(0)] * size
    for i, powers in enumerate(exponents):
        for power, table in zip(powers, rates, strict=True):
            linear[i] += power * table.get(sympy.Integer(1), 0)
            for j, m in enumerate(monomials):
                matrix[i, j] += power * table.get(m, 0)
    for i, m in enumerate(monomials):
        speed = m * (linear[i] + sum(matrix[i, j] * u for j, u in enumerate(monomials)))
        if not vanishes(sympy.expand(field.along(m) - speed)):
            return None
    return LotkaVolterra(tuple(monomials), tuple(linear), matrix)


def separable_lotka_volterra(field: VectorField) -> bool:
    """Whether *coordinate-wise* changes ``p = P(x)``, ``q = Q(y)`` make the field Lotka-Volterra.

    For ``x' = x*f(y)``, ``y' = g(x)`` (or ``y*g(x)``) put ``u = log x`` (``v = log y``).  In the
    logarithms of its variables a Lotka-Volterra system is ``u' = a - b*exp(v)``,
    ``v' = c*exp(u) - d``; a change of each coordinate alone keeps ``u'`` a function of ``v`` only,
    so both right-hand sides must be affine in one exponential of the other coordinate.
    """
    logs = _logarithmic(field)
    if logs is None:
        return False
    (u, v), (f, g) = logs
    return _affine_exponential(f, v) and _affine_exponential(g, u)


def _logarithmic(
    field: VectorField,
) -> tuple[tuple[sympy.Symbol, ...], tuple[sympy.Expr, ...]] | None:
    x, y = field.coords
    u, v = sympy.symbols("u v", real=True)
    f, g = field.speeds
    for table, divide in (
        ({x: sympy.exp(u), y: sympy.exp(v)}, (x, y)),
        ({x: sympy.exp(u), y: v}, (x, sympy.Integer(1))),
        ({x: u, y: sympy.exp(v)}, (sympy.Integer(1), y)),
        ({x: u, y: v}, (sympy.Integer(1), sympy.Integer(1))),
    ):
        own = sympy.powsimp(sympy.expand((f / divide[0]).subs(table)))
        other = sympy.powsimp(sympy.expand((g / divide[1]).subs(table)))
        if not own.has(u) and not other.has(v):
            return (u, v), (own, other)
    return None


def _affine_exponential(function: sympy.Expr, variable: sympy.Symbol) -> bool:
    """``a + b*exp(c*variable)`` with ``b != 0``: then ``f'' / f'`` is a non-zero constant."""
    slope = sympy.diff(function, variable)
    if slope == 0:
        return False
    ratio = sympy.simplify(sympy.diff(slope, variable) / slope)
    return not ratio.has(variable) and ratio != 0
