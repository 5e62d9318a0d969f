"""Expressions as instructions: each node of a sympy expression becomes IEEE arithmetic.

Powers become products, the negative powers of a base share one reciprocal, parameters are combined
before the state joins them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

import sympy
from sympy import Expr, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import ITE, And, Boolean, Not, Or

from eostheory.trajectories.builder import Builder
from eostheory.trajectories.program import TRANSCENDENTAL
from eostheory.trajectories.sharing import Factors, groups

_HALF = Fraction(1, 2)
_RELATIONS = {  # operation, and whether the operands change places
    sympy.StrictLessThan: ("lt", False),
    sympy.LessThan: ("le", False),
    sympy.StrictGreaterThan: ("lt", True),
    sympy.GreaterThan: ("le", True),
    sympy.Equality: ("eq", False),
    sympy.Unequality: ("ne", False),
}


class Unsupported(Exception):
    """Why an expression has no program."""


def _exponent(e: Expr) -> Fraction | None:
    """The exponent of a power when it is an integer or half of one."""
    exponent = e.exp
    if exponent.is_Rational and exponent.q in (1, 2):
        return Fraction(int(exponent.p), int(exponent.q))
    return None


def _divided(e: Expr) -> Fraction | None:
    """The exponent k > 0 of a power ``base**(-k)``, None of anything else."""
    exponent = _exponent(e) if e.is_Pow else None
    return -exponent if exponent is not None and exponent < 0 else None


class Section:
    """Lowers the expressions of one section, each subexpression once.

    Args:
        builder: what the instructions are emitted to.
        given: values that exist already, by symbol.
        constants: symbols that do not change from step to step.
        roots: all expressions of the section, of which :meth:`value` will be asked.

    Attributes:
        known: the value of every expression that has one, to which a caller may add.
    """

    def __init__(
        self,
        builder: Builder,
        given: dict[Symbol, int],
        constants: set[Symbol],
        roots: Sequence[Expr],
    ) -> None:
        self.builder = builder
        self._once = constants
        self.known: dict[Expr, int] = dict(given)
        self._signed: dict[Expr, tuple[int, int]] = {}
        self._numeric: dict[Expr, bool] = {}
        self._constant: dict[Expr, bool] = {}
        self._shared: dict[Factors, tuple[int, int]] = {}
        self._uses: Counter[Expr] = Counter()
        self._exponents: dict[Expr, set[Fraction]] = defaultdict(set)
        self._groups = groups([(e, self._factors(e)) for e in self._survey(roots)])

    def _survey(self, roots: Sequence[Expr]) -> list[Expr]:
        """How often, and with which exponents, each base is divided by; and all products."""
        seen: set[Expr] = set()
        products = []
        waiting = list(roots)
        self._uses.update(e for e in roots if _divided(e))
        while waiting:
            e = waiting.pop()
            if e in seen:
                continue
            seen.add(e)
            if exponent := _divided(e):
                self._exponents[e.base].add(exponent)
            if e.is_Mul and not self._is_constant(e):
                products.append(e)
            waiting.extend(e.args)
            self._uses.update(a for a in e.args if _divided(a))
        return products

    # ------------------------------------------------------------------ numbers
    def _is_numeric(self, e: Expr) -> bool:
        found = self._numeric.get(e)
        if found is None:
            if not e.args:
                found = bool(e.is_number)
            else:
                found = all(self._is_numeric(a) for a in e.args)
            self._numeric[e] = found
        return found

    def _is_constant(self, e: Expr) -> bool:
        """Whether an expression has parameters only in it, and so can be hoisted."""
        found = self._constant.get(e)
        if found is None:
            if not e.args:
                found = e in self._once or self._is_numeric(e)
            else:
                found = all(self._is_constant(a) for a in e.args)
            self._constant[e] = found
        return found

    def _number(self, e: Expr) -> int:
        """A numeric expression as one double, correctly rounded."""
        number = math.nan
        try:
            if e.is_Rational:
                number = int(e.p) / int(e.q)
            elif e.is_Float:
                number = float(e)
            else:
                number = float(sympy.N(e, 40))
        except (TypeError, ValueError, OverflowError):
            pass
        if not math.isfinite(number):
            raise Unsupported(f"the constant {e} is not a finite real number")
        if not number and e.is_zero is False:
            raise Unsupported(f"the constant {e} is not zero, but smaller than any double")
        return self.builder.constant(number)

    # ------------------------------------------------------------------ expressions
    def value(self, e: Expr) -> int:
        """The value of an expression; it is emitted the first time.

        Raises:
            Unsupported: it has no counterpart in arithmetic, or a constant is no finite double.
        """
        found = self.known.get(e)
        if found is None:
            found = self.known[e] = self._lower(e)
        return found

    def _lower(self, e: Expr) -> int:
        if isinstance(e, Boolean):
            return self._condition(e)
        if self._is_numeric(e):
            return self._number(e)
        if e.is_Add or e.is_Mul:
            sign, value = self.signed(e)
            return value if sign > 0 else self.builder.emit("neg", value)
        if e.is_Pow:
            return self._power(e)
        return self._function(e)

    def signed(self, e: Expr) -> tuple[int, int]:
        """An expression as a sign and a value, so that a sum can subtract instead of negating."""
        if self._is_numeric(e) or not (e.is_Add or e.is_Mul):
            return 1, self.value(e)
        found = self._signed.get(e)
        if found is None:
            found = self._signed[e] = self._sum(e) if e.is_Add else self._product(e)
        return found

    def _parts(self, e: Expr) -> tuple[Expr | None, list[Expr]]:
        """The numeric arguments of a sum or product as one, and the others."""
        numbers = [a for a in e.args if self._is_numeric(a)]
        others = [a for a in e.args if not self._is_numeric(a)]
        return (e.func(*numbers) if numbers else None), others

    def _sum(self, e: Expr) -> tuple[int, int]:
        number, others = self._parts(e)
        terms = [self.signed(a) for a in others]
        once = [t for t in terms if not self.builder.depends_on_state(t[1])]
        step = [t for t in terms if self.builder.depends_on_state(t[1])]
        if number is not None:
            constant = self.builder.constants[self._number(number)]
            sign = 1 if constant >= 0 else -1
            once.append((sign, self.builder.constant(abs(constant))))
        if once:
            step.append(self.builder.total(once))
        return self.builder.total(step)

    def _product(self, e: Expr) -> tuple[int, int]:
        factors = self._factors(e)
        group = self._groups.get(e)
        if group is None:
            return self._multiplied(factors, 1)
        if group.factors not in self._shared:
            self._shared[group.factors] = self._multiplied(group.factors, group.members)
        sign, shared = self._shared[group.factors]
        rest = [f for f in factors.others if f not in group.factors.others]
        constants = group.factors.parameters or group.factors.number != 1.0
        number, parameters = (1.0, ()) if constants else (factors.number, factors.parameters)
        more, value = self._multiplied(
            Factors(factors.sign, number, parameters, tuple(rest)), 1, [shared]
        )
        return sign * more, value

    def _factors(self, e: Expr) -> Factors:
        number, others = self._parts(e)
        factor = 1.0 if number is None else self.builder.constants[self._number(number)]
        return Factors(
            1 if factor >= 0 else -1,
            abs(factor),
            tuple(a for a in others if self._is_constant(a)),
            tuple(a for a in others if not self._is_constant(a)),
        )

    def _multiplied(
        self, factors: Factors, members: int, given: Sequence[int] = ()
    ) -> tuple[int, int]:
        """A product, of which there are ``members`` users, as sign and value."""
        sign, step, below = factors.sign, list(given), []
        for a in factors.others:
            if exponent := self._divides_once(a, members):
                below.append(self._raised(a.base, exponent))
            else:
                more, value = self.signed(a)
                sign *= more
                step.append(value)
        if factors.parameters:
            once = [self.value(a) for a in factors.parameters]
            # nothing else wants this constant with the other sign
            once.append(
                self.builder.constant(factors.number if members > 1 else sign * factors.number)
            )
            sign = sign if members > 1 else 1
            step.append(self.builder.product(once))
        elif factors.number != 1.0 or not step:
            step.append(self.builder.constant(factors.number))
        result = self.builder.product(step)
        if below:
            result = self.builder.emit("div", result, self.builder.product(below))
        return sign, result

    # ------------------------------------------------------------------ powers
    def _divides_once(self, e: Expr, members: int) -> Fraction | None:
        """The exponent of a negative power that nothing else could share: it divides at once."""
        exponent = _divided(e)
        if exponent is None or self._uses[e] > members or len(self._exponents[e.base]) > 1:
            return None
        return exponent

    def _power(self, e: Expr) -> int:
        exponent = _exponent(e)
        if exponent is None:
            base, upper = self.value(e.base), self.value(e.exp)
            return self.builder.emit("pow", base, upper)
        if exponent > 0:
            return self._raised(e.base, exponent)
        one = self.builder.constant(1.0)
        exponents = self._exponents[e.base]
        if len(exponents) < 2:
            return self.builder.emit("div", one, self._raised(e.base, -exponent))
        # several of them: powers of one reciprocal, since a division costs many products
        if all(x.denominator == 2 for x in exponents):
            reciprocal = self.builder.emit("div", one, self._raised(e.base, _HALF))
            return self.builder.power(reciprocal, int(-exponent / _HALF))
        # a whole power of a negative base is real, so no root may come before it
        reciprocal = self.builder.emit("div", one, self.value(e.base))
        return self._root_power(reciprocal, -exponent)

    def _raised(self, base: Expr, exponent: Fraction) -> int:
        return self._root_power(self.value(base), exponent)

    def _root_power(self, value: int, exponent: Fraction) -> int:
        """``value**exponent`` for an exponent of 1/2, 1, 3/2, ..."""
        whole = int(exponent)
        if exponent.denominator == 1:
            return self.builder.power(value, whole)
        root = self.builder.emit("sqrt", value)
        if not whole:
            return root
        return self.builder.emit("mul", self.builder.power(value, whole), root)

    # ------------------------------------------------------------------ functions
    def _function(self, e: Expr) -> int:
        emit, constant = self.builder.emit, self.builder.constant
        if isinstance(e, sympy.Abs):
            return emit("abs", self.value(e.args[0]))
        if isinstance(e, sympy.sign | sympy.Heaviside):
            x, zero = self.value(e.args[0]), constant(0.0)
            at_zero = x if isinstance(e, sympy.sign) else self.value(e.args[1])
            low = constant(-1.0 if isinstance(e, sympy.sign) else 0.0)
            other = emit("select", emit("eq", x, zero), at_zero, x)  # x itself when it is NaN
            other = emit("select", emit("lt", x, zero), low, other)
            return emit("select", emit("lt", zero, x), constant(1.0), other)
        if isinstance(e, sympy.Max | sympy.Min):
            values = [self.value(a) for a in sorted(e.args, key=sympy.default_sort_key)]
            best = values[0]
            for value in values[1:]:
                order = (value, best) if isinstance(e, sympy.Max) else (best, value)
                keep = emit("le", *order)
                if best not in self.builder.constants:
                    keep = emit("or", keep, emit("ne", best, best))  # a NaN stays
                best = emit("select", keep, best, value)
            return best
        if isinstance(e, sympy.Piecewise):
            pairs = [(self.value(x), c) for x, c in e.args]
            rest = constant(math.nan)
            for value, condition in reversed(pairs):
                if condition is sympy.true:
                    rest = value
                else:
                    rest = emit("select", self._condition(condition), value, rest)
            return rest
        name = type(e).__name__
        if TRANSCENDENTAL.get(name) == len(e.args):
            return self.builder.emit(name, *(self.value(a) for a in e.args))
        if isinstance(e, Symbol):
            raise Unsupported(f"{e} is defined nowhere")
        raise Unsupported(
            f"{name} in {e} has no counterpart in arithmetic; there are + - * /, powers, Abs, "
            f"sign, Heaviside, Max, Min, Piecewise, {', '.join(sorted(TRANSCENDENTAL))} of real "
            "expressions (declare symbols real, so that sympy differentiates Abs)"
        )

    def _condition(self, e: Boolean) -> int:
        emit = self.builder.emit
        if isinstance(e, Relational):
            operation, swapped = _RELATIONS[type(e)]
            a, b = (self.value(x) for x in e.args)
            return emit(operation, b, a) if swapped else emit(operation, a, b)
        if isinstance(e, Not):
            return emit("not", self._condition(e.args[0]))
        if isinstance(e, And | Or):
            ordered = sorted(e.args, key=sympy.default_sort_key)
            result = self._condition(ordered[0])
            for other in ordered[1:]:
                operation = "and" if isinstance(e, And) else "or"
                result = emit(operation, result, self._condition(other))
            return result
        if isinstance(e, ITE):  # what comparing a Piecewise with a number becomes
            condition, then, otherwise = (self._condition(c) for c in e.args)
            return emit(
                "or",
                emit("and", condition, then),
                emit("and", emit("not", condition), otherwise),
            )
        if e in (sympy.true, sympy.false):
            zero = self.builder.constant(0.0)
            return emit("eq" if e == sympy.true else "ne", zero, zero)
        raise Unsupported(f"the condition {e} compares nothing")
