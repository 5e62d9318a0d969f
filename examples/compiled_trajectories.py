"""From a formula to a million steps: losses, update rules and what became of each trajectory.

A loss in sympy becomes one fused loop that runs a whole batch of starts and step sizes; the same
program runs operation by operation in torch, and both give the same bits.
"""

import sympy
import torch

from eostheory import derive
from eostheory import trajectories as t

# ----- the toy of Damian, Nichani and Lee (2023), appendix B, for 200 starts x_0 at once
toy = t.gradient_descent(t.self_stabilisation_toy())
print(toy.name, "of", *toy.state, "with", *toy.parameters, "records", *toy.observables)
size = torch.logspace(-4, 4, 200, dtype=torch.float64)
run = t.simulate(
    toy, {"x": size, "y": 0.0, "z": 0.0}, {"eta": 0.01, "alpha": 1.0, "beta": 1.0},
    20_000, every=20, bound=1e6,
)  # fmt: skip
diverged = run.status == t.Status.DIVERGED
print(f"{int(diverged.sum())} of 200 diverged, the first with x_0 = {float(size[diverged][0]):.3g}")
print(f"the last of them at step {int(run.at.max())}; records are {tuple(run.records.shape)}")
calm = run["sharpness"][:, ~diverged]
print(f"elsewhere eta * sharpness stays in [{calm.min() / 100:.4f}, {calm.max() / 100:.4f}]")

# the oracle takes the first steps one operation at a time
few = {"every": 20, "bound": 1e6}
slow = t.simulate(
    toy, {"x": size, "y": 0.0, "z": 0.0}, [0.01, 1.0, 1.0], 400, backend="eager", **few
)
fast = t.simulate(toy, {"x": size, "y": 0.0, "z": 0.0}, [0.01, 1.0, 1.0], 400, **few)
assert torch.equal(slow.state, fast.state)
assert torch.equal(slow.records.nan_to_num(), fast.records.nan_to_num())

# the two-dimensional theory of the same: predicted dynamics
theory = t.simulate(t.predicted_dynamics(), {"x": size[60:61], "y": 0.0}, [0.01, 1.0, 1.0], 4_000)
real = t.simulate(toy, {"x": size[60:61], "y": 0.0, "z": 0.0}, [0.01, 1.0, 1.0], 4_000)
gap = float((theory["sharpness"] - real["sharpness"]).abs().max())
print(f"predicted and real sharpness differ by {gap:.2g} of {float(real['sharpness'].max()):.4g}")

# ----- a loss of one's own, with weight decay and observables of one's choice
a, b = sympy.symbols("a b")
eta, decay = sympy.symbols("eta lambda", positive=True)
own = t.gradient_descent(
    (sympy.tanh(a * b) - sympy.Rational(1, 2)) ** 2, [a, b], eta, decay,
    record={"product": a * b, "balance": a**2 - b**2},
)  # fmt: skip
rates = torch.linspace(0.1, 2.0, 5, dtype=torch.float64)
ends = t.simulate(own, {"a": 2.0, "b": 0.5}, {"eta": rates, "lambda": 1e-3}, 5_000, every=5_000)
print("a b after 5000 steps:", [round(p, 4) for p in ends["product"][0].tolist()])

# ----- lyu22, figure 4: weight decay on a scale-invariant loss flattens without end ...
problem = t.three_dimensional_example()
record = {**t.direction(problem.variables), **t.effective_rate(problem.variables, eta, decay)}
descent = t.gradient_descent(problem, eta=eta, weight_decay=decay, record=record)
figure = t.simulate(descent, [0.3, 1.3, 1.2], {"eta": 0.5, "lambda": 0.08}, 3_000, every=500)
print("z of the direction:", [f"{z:.2g}" for z in figure["theta_z"].tolist()])

# ... and is projected descent with a scheduler, here derived from the norm's recursion
n, g = sympy.symbols("n g")
scheduler = derive.scheduler(
    (1 - eta * decay) ** 2 * n + eta**2 * g**2 / n,
    state=n,
    gradient=g,
    rate=eta / ((1 - eta * decay) * n),
    given=[eta * decay < 1],
)
projected = derive.trajectory(scheduler, loss=problem.loss, variables=problem.variables)
square = 0.3**2 + 1.3**2 + 1.2**2
moment = float(scheduler.moment.subs({eta: 0.5, decay: 0.08, n: square}))
start = [w / square**0.5 for w in (0.3, 1.3, 1.2)]
steps = t.simulate(projected, [*start, moment], {"eta": 0.5, "lambda": 0.08}, 3_000, every=500)
difference = float((steps["z"] - figure["theta_z"]).abs().max())
print(f"the same from the derived rate, up to {difference:.1g}")
assert difference < 1e-6

# ----- its RMS-drift: two descent steps in one, with the energy that the flow conserves
drift = t.rms_drift(c_b=2, kappa=0, record={**t.drift_energy(2, 0)})
slow_drift = t.simulate(drift, [0.01, 0.0], {"eta": 1e-3}, 20_000, every=2_000)
print("energy of the drift:", [round(e, 3) for e in slow_drift["energy"].tolist()])
