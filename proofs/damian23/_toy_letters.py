"""Letters of appendix B."""

from __future__ import annotations

from eostheory.formula import matrix, scalar, vector

from ._common import D

loss = scalar("L", "L")
x = scalar("x", "x")
y = scalar("y", "y")
z = scalar("z", "z")
t = scalar("t", "t", integer=True, nonnegative=True)
h = scalar("h", "h", positive=True)
x_dagger = scalar("x_dagger", r"x_t^\dagger")
y_dagger = scalar("y_dagger", r"y_t^\dagger")
z_dagger = scalar("z_dagger", r"z_t^\dagger")
S_t = scalar("S_t", "S_t")
S_down = scalar("S_down", r"S(x^\dagger, y^\dagger - h, z)")
S_up = scalar("S_up", r"S(x^\dagger, y^\dagger + h, z)")

e1 = vector("e_1", D, "e_1")
e2 = vector("e_2", D, "e_2")
e3 = vector("e_3", D, "e_3")
point = vector("point", D, r"\theta")
test = vector("a", D, "a")
u_t = vector("u_t", D, "u_t")
grad_t = vector("grad_L_t", D, r"\nabla L_t")
grad_S_t = vector("grad_S_t", D, r"\nabla S_t")
hess_t = matrix("hess_L_t", D, D, r"\nabla^2 L_t", symmetric=True)
P = matrix("P_perp", D, D, r"P_{u,\nabla S}^\perp", symmetric=True)
