"""Flows: what they conserve, where they rest, and the identities of scale-invariant losses."""

import sympy

from eostheory import derive

X = sympy.Symbol("X", positive=True)
x, y, z, Y = sympy.symbols("x y z Y")
alpha, beta = sympy.symbols("alpha beta", positive=True)

# the flow behind self-stabilization
edge = derive.vector_field([X, Y], [X * Y, alpha - beta * X**2 / 2])
print(edge)
assert sympy.simplify(edge.invariant - (beta * X**2 + 2 * Y**2 - 4 * alpha * sympy.log(X))) == 0
assert edge.frequencies == (2 * alpha,)

# gradient flow of a two-layer scalar network is balanced
balanced = derive.flow((x * y - 1) ** 2, [x, y])
print()
print(balanced)
assert balanced.invariant in (x**2 - y**2, y**2 - x**2)

# the scale-invariant loss of Lyu, Li and Arora (2022), appendix F
loss = 2 - (x + y) / sympy.sqrt(x**2 - x * y + y**2)
found = derive.scale_invariance(loss, [x, y, z])
print()
print(found)
assert found.invariant
assert not derive.scale_invariance(x**2 * y, [x, y]).invariant
sphere = derive.flow(loss, [x, y, z], sphere=True)
print("\non the sphere:", sphere.speeds)
