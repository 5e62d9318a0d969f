"""From the rule of an adaptive learning rate to its sharpness-reduction flow.

Three rules: gradient descent with weight decay on a scale-invariant loss (given as the recursion
of the squared norm of the weights, nothing else), RMSprop with one rate that uses the newest
moment, and the square root of AdaGrad's sum, which is not of this kind.
"""

import sympy

from eostheory import derive

n, v, g, x, y, s = sympy.symbols("n v g x y s")
lr, wd, beta_2 = sympy.symbols("lr wd beta_2", positive=True)

# |w_{t+1}|^2 = (1 - lr wd)^2 |w|^2 + lr^2 |grad L(w)|^2, and |grad L(w)| = g/|w| with the
# gradient g on the sphere; the direction moves with the rate lr/((1 - lr wd) |w|^2)
weight_decay = derive.scheduler(
    (1 - lr * wd) ** 2 * n + lr**2 * g**2 / n,
    state=n,
    gradient=g,
    rate=lr / ((1 - lr * wd) * n),
    given=[lr * wd < 1],
)
print(weight_decay)
assert weight_decay.quasi_rmsprop == "holds"
assert sympy.expand(weight_decay.decay - (1 - lr * wd) ** 4) == 0
assert weight_decay.c_b == 2

newest = beta_2 * v + (1 - beta_2) * g**2
rmsprop = derive.scheduler(
    newest,
    state=v,
    gradient=g,
    rate=lr / sympy.sqrt(newest),
    moment=v / lr**2,
    given=[beta_2 < 1],
)
print("\nRMSprop with the newest moment: rate error at most delta(v) (1 - beta) (1 + gbar^2),")
print("delta =", rmsprop.delta)
assert rmsprop.quasi_rmsprop == "holds"

adagrad = derive.scheduler(v + g**2, state=v, gradient=g, rate=lr / sympy.sqrt(v))
assert adagrad.quasi_rmsprop == "fails"
print("\nAdaGrad:", *(h for h in adagrad.hypotheses if h.status == "fails"))

# where RMSprop goes along the minimizers of (x y - 1)^2: from a steep one to the flattest
flow = derive.sharpness_flow(
    (x * y - 1) ** 2, [x, y], at={x: s, y: 1 / s}, coords=[s], scheduler=rmsprop, given=[s > 0]
)
print()
print(flow)
drift = flow.to_torch("speeds")
position = 3.0
for _ in range(1000):
    position += 0.1 * float(drift(position, C_b=1.0)[..., 0])
print("\nfrom s = 3 the flow goes to", round(position, 6))
assert abs(position - 1) < 1e-6
