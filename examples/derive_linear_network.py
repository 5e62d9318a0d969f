"""One gradient step of linear networks of any size: residual and Gram matrix, and a real step."""

import sympy
import torch

from eostheory import derive

two = derive.linear_network()
print(two)
three = derive.linear_network(3)
print("\nthree layers, Gram matrix:\n  ", three.gram)

# exactly, on a small network
weights = {"A": sympy.Matrix([1, -2]), "W": sympy.Matrix([[1, 0, 1], [2, 1, -1]])}
data = {"X": sympy.Matrix([[1, 2], [0, 1], [1, 1]]), "Y": sympy.Matrix([1, -1])}
step = sympy.Rational(1, 10)
star = two.exact("gram_star", **weights, **data, eta=step)
print("\nM* =", star)

# the same step by autograd
a, w, x, y = (
    torch.tensor(m.tolist(), dtype=torch.float64)
    for m in (weights["A"], weights["W"], data["X"], data["Y"])
)
a, y = a.squeeze(-1), y.squeeze(-1)


def residual(a, w):
    return x.T @ w.T @ a / 2**0.5 - y


a.requires_grad_(True)
w.requires_grad_(True)
before = residual(a, w)
grads = torch.autograd.grad((before**2).mean(), (a, w))
after = residual(a - 0.1 * grads[0], w - 0.1 * grads[1])
predicted = before - 0.1 * torch.tensor(star.evalf().tolist(), dtype=torch.float64) @ before
print("residual after a step:", after.tolist())
assert torch.allclose(after, predicted, rtol=1e-12)
