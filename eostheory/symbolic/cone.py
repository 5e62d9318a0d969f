"""Exact cone membership: is a monomial dominated by an order, given that others are bounded?

``m = O(o_1 + ... + o_k)`` holds when ``m = sum theta_j o_j + sum c_i f_i`` in exponents, with
``theta`` a convex combination and ``c >= 0``: the weighted mean of the ``o_j`` is at most their
sum, and every ``f_i`` is O(1).  By Farkas' lemma the condition is also necessary for monomials in
independent quantities, and a separating direction is the curve along which the bound fails.
"""

from __future__ import annotations

from fractions import Fraction

from eostheory.symbolic.sizes import Size, Var

Certificate = tuple[dict[int, Fraction], dict[int, Fraction]]
"""Weights of the orders, and of the facts."""


def member(size: Size, orders: list[Size], facts: list[Size]) -> Certificate | None:
    """The weights, or None when there are none."""
    quick = _quick(size, orders, facts)
    if quick is not None:
        return quick
    import z3

    theta = [z3.Real(f"t{j}") for j in range(len(orders))]
    weight = [z3.Real(f"c{i}") for i in range(len(facts))]
    solver = z3.SolverFor("QF_LRA")
    solver.add(*(t >= 0 for t in theta), *(c >= 0 for c in weight), z3.Sum(theta) == 1)
    columns = [dict(o) for o in orders] + [dict(f) for f in facts]
    target = dict(size)
    variables = sorted({v for c in (*columns, target) for v in c})
    for var in variables:
        parts = [
            _ratio(c.get(var, Fraction(0))) * x
            for c, x in zip(columns, [*theta, *weight], strict=True)
            if c.get(var)
        ]
        solver.add((z3.Sum(parts) if parts else z3.RealVal(0)) == _ratio(target.get(var, 0)))
    if solver.check() != z3.sat:
        return None
    model = solver.model()

    def value(x: z3.ArithRef) -> Fraction:
        found = model.eval(x, model_completion=True)
        return Fraction(found.numerator_as_long(), found.denominator_as_long())

    result = (
        {j: v for j, t in enumerate(theta) if (v := value(t))},
        {i: v for i, c in enumerate(weight) if (v := value(c))},
    )
    return result if verify(size, orders, facts, result) else None


def _quick(size: Size, orders: list[Size], facts: list[Size]) -> Certificate | None:
    """One order, and facts that are powers of a single quantity."""
    single: dict[tuple[Var, bool], tuple[int, Fraction]] = {}
    for i, fact in enumerate(facts):
        if len(fact) == 1:
            var, e = fact[0]
            single.setdefault((var, e > 0), (i, e))
    for j, order in enumerate(orders):
        rest = dict(size)
        for var, e in order:
            rest[var] = rest.get(var, Fraction(0)) - e
        weights: dict[int, Fraction] = {}
        for var, e in rest.items():
            if not e:
                continue
            found = single.get((var, e > 0))
            if found is None:
                break
            weights[found[0]] = e / found[1]
        else:
            return {j: Fraction(1)}, weights
    return None


def verify(size: Size, orders: list[Size], facts: list[Size], weights: Certificate) -> bool:
    """Check the certificate by exact arithmetic."""
    theta, cone = weights
    if sum(theta.values()) != 1 or any(v < 0 for v in (*theta.values(), *cone.values())):
        return False
    total: dict[Var, Fraction] = {}
    for column, table in ((orders, theta), (facts, cone)):
        for index, weight in table.items():
            for var, e in column[index]:
                total[var] = total.get(var, Fraction(0)) + weight * e
    return {v: e for v, e in total.items() if e} == {v: e for v, e in size if e}


def direction(
    size: Size, orders: list[Size], facts: list[Size], still: set[Var]
) -> dict[Var, Fraction] | None:
    """Growth rates ``y`` with ``y.f <= 0`` for every fact and ``y.size > y.o`` for every order."""
    import z3

    variables = sorted({v for s in (size, *orders, *facts) for v, _ in s})
    rate = {v: z3.Real(f"y{i}") for i, v in enumerate(variables)}
    solver = z3.SolverFor("QF_LRA")

    def along(part: Size) -> z3.ArithRef:
        return z3.Sum([_ratio(e) * rate[v] for v, e in part]) if part else z3.RealVal(0)

    solver.add(*(rate[v] == 0 for v in still if v in rate))
    solver.add(*(along(f) <= 0 for f in facts))
    solver.add(*(along(size) >= along(o) + 1 for o in orders))
    if solver.check() != z3.sat:
        return None
    model = solver.model()
    found = {}
    for v in variables:
        value = model.eval(rate[v], model_completion=True)
        found[v] = Fraction(value.numerator_as_long(), value.denominator_as_long())
    return found


def _ratio(value: Fraction | int) -> object:
    import z3

    q = Fraction(value)
    return z3.RealVal(f"{q.numerator}/{q.denominator}")
