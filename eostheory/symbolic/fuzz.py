"""A metamorphic fuzz of the kernel: the verifier is tested by laws that it does not know.

A random formula is evaluated entry by entry on an exact instance (code that shares nothing with
the words), against its normal form; and it is rewritten by random valid laws, after which the
normal form must be the same.  The first half finds unsound steps, the second missing ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from random import Random

from eostheory.formula import (
    Expr,
    dot,
    exp,
    eye,
    form,
    log,
    matrix,
    norm2,
    outer,
    scalar,
    sqrt,
    trace,
    vector,
)
from eostheory.formula.core import Add, Mul, Number, Power, add, mul
from eostheory.formula.tensors import Apply, Dot, MatMul, Outer, Trace, Transpose, matmul, transpose
from eostheory.formula.tree import replace_at, walk
from eostheory.symbolic.exact import Instance
from eostheory.symbolic.model import Model
from eostheory.symbolic.scalars import Undefined

A = matrix("A", "m", "n")
B = matrix("B", "n", "n")
S = matrix("S", "n", "n", symmetric=True)
X, Y, Z = vector("x", "n"), vector("y", "n"), vector("z", "m")
P, Q = scalar("p", positive=True), scalar("q")
T = form("T", "n", 2)
_MOST_NODES = 70


@dataclass
class Failure:
    """What went wrong, with the formulas that show it."""

    kind: str
    formula: Expr
    other: Expr | None
    seed: int


class Grower:
    """Random well-shaped formulas."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def scalar(self, depth: int) -> Expr:
        """A scalar formula."""
        r = self.rng
        if depth <= 0:
            return r.choice([P, Q, Number(Fraction(r.randint(-3, 3), r.randint(1, 3)))])
        kind = r.randrange(12)
        match kind:
            case 0 | 1:
                return add(self.scalar(depth - 1), self.scalar(depth - 1))
            case 2 | 3:
                return mul(self.scalar(depth - 1), self.scalar(depth - 1))
            case 4 | 5:
                return dot(self.vector(depth - 1), self.vector(depth - 1))
            case 6 | 7:
                return trace(self.square(depth - 1))
            case 8:
                return norm2(self.vector(depth - 1))
            case 9:
                return sqrt(Power(self.scalar(depth - 2), Number(Fraction(2))))
            case 10:
                return r.choice([log, exp])(P if r.random() < 0.5 else P * P)
            case _:
                return 1 / (1 + Power(self.scalar(depth - 2), Number(Fraction(2))))

    def vector(self, depth: int) -> Expr:
        """A vector of size n."""
        r = self.rng
        if depth <= 0:
            return r.choice([X, Y])
        match r.randrange(8):
            case 0 | 1:
                return add(self.vector(depth - 1), self.vector(depth - 1))
            case 2:
                return mul(self.scalar(depth - 2), self.vector(depth - 1))
            case 3 | 4:
                return matmul(self.square(depth - 1), self.vector(depth - 1))
            case 5:
                return matmul(A.T, Z)
            case 6:
                return T(self.vector(depth - 2), self.vector(depth - 2))
        return r.choice([X, Y])

    def square(self, depth: int) -> Expr:
        """An n x n matrix."""
        r = self.rng
        if depth <= 0:
            return r.choice([B, S, B.T])
        match r.randrange(9):
            case 0 | 1:
                return add(self.square(depth - 1), self.square(depth - 1))
            case 2 | 3:
                return matmul(self.square(depth - 1), self.square(depth - 1))
            case 4:
                return outer(self.vector(depth - 1), self.vector(depth - 1))
            case 5:
                return transpose(self.square(depth - 1))
            case 6:
                return mul(self.scalar(depth - 2), self.square(depth - 1))
            case 7:
                return matmul(A.T, A)
        return r.choice([B, S, eye("n")])

    def any(self, depth: int) -> Expr:
        """A formula of some shape."""
        return self.rng.choice([self.scalar, self.vector, self.square])(depth)


def _distribute(node: Mul | MatMul, position: int) -> Expr:
    """The product over the sum at one of its factors."""
    factors = node.factors
    inner = factors[position]
    assert isinstance(inner, Add)
    return add(
        *(node.rebuild((*factors[:position], t, *factors[position + 1 :])) for t in inner.terms)
    )


def _distributions(node: Mul | MatMul) -> list[Callable[[], Expr]]:
    sums = [i for i, factor in enumerate(node.factors) if isinstance(factor, Add)]
    return [partial(_distribute, node, i) for i in sums]


def laws(node: Expr) -> list[Callable[[], Expr]]:
    """The valid rewritings that apply at a node."""
    found: list[Callable[[], Expr]] = []
    if node.shape == ():
        found.append(lambda: (node * (1 + Q * Q)) / (Q * Q + 1))
    match node:
        case Add(terms) if len(terms) > 1:
            found.append(lambda: Add(tuple(reversed(terms))))
        case Mul(factors) if len(factors) > 1:
            found.append(lambda: Mul(tuple(reversed(factors))))
            found += [
                partial(_distribute, node, i) for i, f in enumerate(factors) if isinstance(f, Add)
            ]
        case MatMul(factors):
            found += [
                partial(_distribute, node, i) for i, f in enumerate(factors) if isinstance(f, Add)
            ]
            if len(node.shape) == 2:
                found.append(lambda: transpose(MatMul(tuple(transpose(f) for f in factors[::-1]))))
            head = factors[0]
            if len(node.shape) == 1 and len(factors) == 2 and isinstance(head, Outer):
                left, right = head.left, head.right
                found.append(lambda: dot(right, factors[1]) * left)
        case Dot(Add(terms), right):
            found.append(lambda: add(*(dot(t, right) for t in terms)))
        case Dot(left, right):
            found.append(lambda: dot(right, left))
            found.append(lambda: trace(outer(left, right)))
            if isinstance(left, MatMul):
                head, tail = left.factors[0], left.factors[1:]
                rest_ = tail[0] if len(tail) == 1 else MatMul(tail)
                found.append(lambda: dot(rest_, matmul(transpose(head), right)))
        case Trace(arg):
            found.append(lambda: trace(transpose(arg)))
            if isinstance(arg, MatMul):
                turned = (*arg.factors[1:], arg.factors[0])
                found.append(lambda: trace(MatMul(turned)))
            if isinstance(arg, Outer):
                found.append(partial(dot, arg.right, arg.left))
        case Transpose(arg):
            if isinstance(arg, Add):
                found.append(lambda: add(*(transpose(t) for t in arg.terms)))
            if isinstance(arg, Outer):
                found.append(partial(outer, arg.right, arg.left))
        case Apply(own, (first, second)):
            found.append(lambda: own(second, first))
            if isinstance(first, Add):
                found.append(lambda: add(*(own(t, second) for t in first.terms)))
        case Outer(left, right):
            found.append(lambda: transpose(outer(right, left)))
    if node == S:
        found.append(lambda: transpose(S))
    return found


def rewrite(expr: Expr, rng: Random, times: int) -> Expr:
    """``expr`` after some random valid rewritings."""
    for _ in range(times):
        places = list(walk(expr))
        path, node = rng.choice(places)
        options = laws(node)
        if options and len(places) < 3 * _MOST_NODES:
            expr = replace_at(expr, path, rng.choice(options)())
    return expr


def instance(rng: Random) -> Instance:
    """Exact values for the letters, at sizes drawn from 2 to 4."""
    n, m = rng.randint(2, 4), rng.randint(1, 3)

    def number() -> Fraction:
        return Fraction(rng.randint(-3, 3))

    half = [[number() for _ in range(n)] for _ in range(n)]
    cube = {(i, j): [number() for _ in range(n)] for i in range(n) for j in range(n) if i <= j}
    table = {
        A: tuple(tuple(number() for _ in range(n)) for _ in range(m)),
        B: tuple(tuple(number() for _ in range(n)) for _ in range(n)),
        S: tuple(tuple(half[min(i, j)][max(i, j)] for j in range(n)) for i in range(n)),
        X: tuple(number() for _ in range(n)),
        Y: tuple(number() for _ in range(n)),
        Z: tuple(number() for _ in range(m)),
        P: Fraction(rng.randint(1, 5), rng.randint(1, 3)),
        Q: number(),
        T: tuple(tuple(tuple(cube[min(i, j), max(i, j)]) for j in range(n)) for i in range(n)),
    }
    return Instance(table, {})


def fuzz(seed: int, rounds: int, depth: int = 4) -> Failure | None:
    """The first failure within ``rounds``, or None."""
    rng = Random(seed)
    for _ in range(rounds):
        expr = Grower(rng).any(rng.randint(2, depth))
        if sum(1 for _ in walk(expr)) > _MOST_NODES:
            continue
        failure = examine(expr, rng, seed)
        if failure is not None:
            return failure
    return None


def examine(expr: Expr, rng: Random, seed: int = 0) -> Failure | None:
    """Check one formula against an instance and against its rewritings."""
    model = Model()
    model.kernel.signs.oracle = None
    kernel = model.kernel
    try:
        value = kernel.lower(expr)
    except Undefined:
        return None
    normal = model.lift.formula(value, expr.shape)
    place = instance(rng)
    zero = not value.terms
    try:
        own = place.evaluate(expr)
        other = place.evaluate(0 * expr if zero and expr.shape != () else normal)
    except Undefined:
        return None
    if place.compare(own, other) == "differ":
        return Failure("normal form differs in value", expr, normal, seed)
    changed = rewrite(expr, rng, 6)
    try:
        difference = kernel.minus(value, kernel.lower(changed))
    except Undefined:
        return None
    if not kernel.is_zero(difference):
        return Failure("a valid rewriting changes the normal form", expr, changed, seed)
    return None
