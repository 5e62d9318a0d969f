"""Gradient descent at the edge of stability beside its prediction (damian23, figure 4)."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from eostheory.numeric.objective import module_objective
from eostheory.training import limiting_sharpness, project, track_deviation

# a small network that tells odd digits from even ones
digits = load_digits()
images = digits.data[:100] / 16 - digits.data[:100].mean(0) / 16
images = images @ np.linalg.svd(images, full_matrices=False)[2][:6].T
inputs = torch.as_tensor(images / images.std() + 1)
targets = torch.as_tensor(2.0 * (digits.target[:100] % 2) - 1)[:, None]
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(6, 10), torch.nn.Tanh(), torch.nn.Linear(10, 1))
objective, start = module_objective(network.double(), torch.nn.MSELoss(), inputs, targets)

eta = 2 / 21
found = track_deviation(objective, start, eta, 90, kick=0.5, dense_below=30)
records = found.records
print(
    f"{objective.size} parameters; at the edge 2/eta = {2 / eta:g} after {found.edge} steps; "
    f"{found.event or 'no event'}\n"
)

columns = {
    "step": "step", "mean S": "mean sharpness", "x": "x", "x*": "predicted x", "y": "y",
    "y*": "predicted y", "|v|": "deviation", "error": "error", "L": "loss", "L*": "predicted loss",
    "L dagger": "constrained loss",
}  # fmt: skip
print(" ".join(f"{name:>9}" for name in columns))
for row in range(0, len(records.rows), 6):
    print(" ".join(f"{records[name][row]:9.4g}" for name in columns.values()))

products, thirds = (np.median(records[name][1:]) for name in ("constrained products", "thirds"))
print(
    f"\na constrained step took {products:.0f} Hessian-vector products, {thirds:.0f} third ", end=""
)
print("derivatives; a predicted one 1 product")

# once over the edge and back, and the prediction stayed near all the time
assert found.cycles() >= 1
assert records["error"].max() < 0.15 * records["deviation"].max()
assert (np.diff(records["constrained loss"]) < 0).all()

# where it would come to rest: not exactly at 2/eta, for the loss along u is no parabola
center = project(objective, found.constrained, eta).center
limit = limiting_sharpness(objective, center, eta)
print(f"limiting sharpness {limit.sharpness:.4f} around |x| = {limit.x:.4f}, edge {2 / eta:g}")
