"""Dynamics that close on fewer variables: find the reduction, check it, and run that instead."""

import sympy
import torch

from eostheory.numeric.batchnorm import regression_data
from eostheory.numeric.losses import Draw
from eostheory.trajectories.reductions import (
    commutes,
    operations,
    reductions_of,
    two_layer_linear,
)
from eostheory.trajectories.rules import gradient_descent
from eostheory.trajectories.simulation import simulate

# Linear regression with batch normalisation, as in lyu22 Q.2: 40 weights, 20 samples.
data = regression_data(seed=0, dim=40, count=20)
(reduced,) = reductions_of(data)
print(reduced.model)
print(f"{reduced.full_size} weights -> {len(reduced.state)} variables")
recurrence = reduced.recurrence(["loss", "effective_rate", "deviation"])
print(f"{operations(recurrence)} operations a step")

# A hundred starts at once: 20,000 steps of gradient descent with weight decay.
w = Draw(7).normal(100, 40)
w = w / w.norm(dim=1, keepdim=True)
run = simulate(
    recurrence, reduced.reduce(w), reduced.parameters(eta=0.5, weight_decay=2e-4), 20_000, every=50
)
loss, rate = run.records[:, 0], run.records[:, 1]
print("median loss after 50, 5,000 and 20,000 steps:", loss[[0, 99, 399]].median(1).values)
# the weights themselves come back, and with them whatever is asked of the full model
sharpness = reduced.spherical_sharpness(run.state)
weights = reduced.restore(run.state[:, :1], w[0])[0]
print("spherical sharpness:", sharpness.median(), " 2 / effective rate:", (2 / rate[-1]).median())
assert torch.isclose(reduced.loss(weights), loss[-1, 0])

# A two-layer linear network of 5,000 neurons on 4 samples: 15 variables instead of 55,000.
draw = Draw(1)
network = two_layer_linear(draw.normal(10, 4), draw.normal(4), width=5000)
start = network.reduce(draw.normal(5000), draw.normal(5000, 10) / 10**0.5)
eta = 1.9 / float(network.sharpness(start))
run = simulate(network.recurrence(["loss", "output_norm2", "gram_top"]), start,
               network.parameters(eta), 500)  # fmt: skip
before, after = (eta * float(network.sharpness(x)) for x in (start, run.state))
print(f"{network.full_size} weights -> {len(network.state)} variables")
print(f"eta * sharpness: {before:.4f} -> {after:.4f}")
assert float(run.records[-1, 0]) < 1e-6

# A reduction of one's own is checked by sympy: x^2 y^2 closes on (x y, x^2 + y^2).
x, y, p, s = sympy.symbols("x y p s", real=True)
full = gradient_descent(x**2 * y**2 / 2, (x, y))
(h,) = full.parameters
own = type(full)(
    "product", (p, s), (p * (1 - h * s + h**2 * p**2), s - 4 * h * p**2 + h**2 * p**2 * s), (h,)
)
assert commutes(full, {p: x * y, s: x**2 + y**2}, own) == {}
assert set(commutes(full, {p: x * y, s: x**2 - y**2}, own)) == {p, s}
