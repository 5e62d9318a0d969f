"""Letters of section 4 and appendix B, as the paper prints them, in any number of dimensions."""

from __future__ import annotations

from eostheory.formula import form, matrix, scalar, vector

D = "d"
"""Number of parameters: any."""

eta = scalar("eta", r"\eta", positive=True)
alpha = scalar("alpha", r"\alpha", positive=True)
beta = scalar("beta", r"\beta", positive=True)
delta = scalar("delta", r"\delta", positive=True)

# Taylor data at the reference point theta*
star = vector("theta_star", D, r"\theta^*")
gradL = vector("grad_L", D, r"\nabla L")
gradS = vector("grad_S", D, r"\nabla S")
hess = matrix("hess_L", D, D, r"\nabla^2 L", symmetric=True)
T = form("T", D, 2, r"\nabla^3 L")
u = vector("u", D, "u")

# One step of gradient descent, and the two coordinates of section 4.1
theta = vector("theta", D, r"\theta_t")
theta_next = vector("theta_next", D, r"\theta_{t+1}")
grad_theta = vector("grad_theta", D, r"\nabla L(\theta_t)")
sharpness = scalar("S_theta", r"S(\theta_t)")
sharpness_star = scalar("S_star", r"S(\theta^*)", positive=True)
x = scalar("x", "x_t")
y = scalar("y", "y_t")
x_next = scalar("x_next", "x_{t+1}")
y_next = scalar("y_next", "y_{t+1}")

# Sizes: the whole displacement, and its part transverse to u
r = scalar("r", "r", positive=True)
q = scalar("q", "q", positive=True)
xi = scalar("xi", r"\xi", nonzero=True)
v = vector("v", D, "v")
"""The displacement is ``r xi u + q v`` with ``v`` orthogonal to ``u``."""
probe = vector("a", D, "a")
"""An arbitrary vector, to say that another one vanishes."""
P = matrix("P_perp", D, D, r"P_{u,\nabla S}^\perp", symmetric=True)

PERPENDICULAR = {"perpendicular": "grad S is orthogonal to u"}
KERNEL = {"kernel": "grad L and grad S lie in the kernel of the Hessian"}
STANDING = {**PERPENDICULAR, **KERNEL}
