"""From a loss to its dynamics at the edge of stability.

A scalar two-layer model ``a*b`` fitted to 1, with a cubic term, at a point on the edge: sharpness
and its gradient, the coefficients of self-stabilization, and the same as torch functions.
"""

import sympy
import torch

from eostheory import derive

x, y, z = sympy.symbols("x y z")
eta, alpha, beta = sympy.symbols("eta alpha beta", positive=True)

# the toy of Damian, Nichani and Lee (2023), appendix B
toy = (2 / eta + sympy.sqrt(beta) * y) * x**2 / 2 - alpha / sympy.sqrt(beta) * y - z
geometry = derive.loss(toy, [x, y, z], at={x: 0, y: 0}, eta=eta)
print(geometry)
assert geometry.sharpness == 2 / eta
assert (geometry.alpha, geometry.beta) == (alpha, beta)
assert all(h.status == "holds" for h in geometry.hypotheses)

# a loss of one's own: exact also where the eigenvalues are roots of a cubic
a, b, c = sympy.symbols("a b c")
own = (a * b - 1) ** 2 + a * c**2 + b**3 * c
point = {a: 2, b: 1, c: -1}
here = derive.loss(own, [a, b, c], at=point)
print()
print(here)

# anywhere else, numerically: the symbolic Hessian as a batched torch function ...
anywhere = derive.hessian(own, [a, b, c]).to_torch("hessian")
theta = torch.tensor([[2.0, 1.0, -1.0], [0.5, 1.5, 0.25]], dtype=torch.float64)
top = torch.linalg.eigvalsh(anywhere.at(theta))[:, -1]
# ... agrees with the exact value
assert abs(float(top[0]) - float(here.sharpness)) < 1e-12
print("\nsharpness at two points:", top.tolist())
