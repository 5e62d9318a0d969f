"""Several unstable directions: gradient descent past the second crossing, and its prediction.

A small tanh network is trained until its sharpness nears 2/eta.  Then gradient descent and the
predicted dynamics of all directions near the edge start from the same point; the prediction takes
gradients and curvature at its own reference points only.  Before that, the same dynamics is
derived exactly for a toy with two directions.
"""

import sympy
import torch
from torch import nn

from eostheory import derive
from eostheory.numeric.dynamics import gd
from eostheory.numeric.objective import module_objective
from eostheory.training.several import block_reference
from eostheory.training.several_track import compare_several, track_unstable

# ------------------------------------------------------------------------- derived, for a toy
a, b, p, q, r = letters = sympy.symbols("a b p q r")
eta, alpha = sympy.symbols("eta alpha", positive=True)
toy = (2 / eta + p) * a**2 / 2 + (2 / eta + q) * b**2 / 2 + r * a * b - alpha * (p + q / 2 + r / 3)
found = derive.several_dynamics(toy, letters, 2, at=dict.fromkeys(letters, 0), eta=eta)
print(found)
print("in the mean x x^T is", found.covariance.tolist(), "\n")

# ----------------------------------------------------------------------- measured, on a network
numbers = torch.Generator().manual_seed(4)
inputs = torch.randn(12, 3, generator=numbers, dtype=torch.float64)
teacher = torch.randn(3, 2, generator=numbers, dtype=torch.float64)
noise = torch.randn(12, 2, generator=numbers, dtype=torch.float64)
targets = torch.tanh(inputs @ teacher) + 0.3 * noise
model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2, bias=False))
loss, start = module_objective(model, nn.MSELoss(), inputs, targets)
first, bias, second = (0.5 * torch.randn(30, generator=numbers, dtype=torch.float64)).split(
    [15, 5, 10]
)
start = torch.cat([first.view(3, 5).T.flatten(), bias, second.view(5, 2).T.flatten()])
rate, warm, steps = 0.7, 60, 140

tracked = track_unstable(loss, start, rate, warm + steps, band=0.1, every=8)
print("eigenvalues that cross 2/eta, and when:", tracked.crossings)
for step in gd(loss, start, rate, warm):
    start = step.after
# off the reference point: gradient descent at rest would take long to notice the edge
reference = block_reference(loss, start, rate, 2)
start = start + torch.tensor([0.02, 0.01], dtype=torch.float64) @ reference.basis

run = compare_several(loss, start, rate, steps, band=0.1, every=4, record_every=8)
rows = run.records
print("step  k  sharpness 1, 2 times eta/2   predicted         displacement  deviation")
for i in range(len(rows.rows)):
    values = [rows[name][i] * rate / 2 for name in ("sharpness_1", "sharpness_2")]
    guess = [rows[f"predicted_{name}"][i] * rate / 2 for name in ("sharpness_1", "sharpness_2")]
    print(
        f"{warm + rows['step'][i]:4.0f}  {rows['k'][i]:.0f}  {values[0]:.4f}  {values[1]:.4f}"
        f"               {guess[0]:.4f}  {guess[1]:.4f}    {rows['size'][i]:.4f}        "
        f"{rows['deviation'][i]:.4f}"
    )
crossed = warm + run.crossings[2]
past = rows["step"] >= run.crossings[2]
share = rows["deviation"][past].max() / rows["size"][past].max()
print(
    f"past the second crossing (step {crossed}): deviation at most {share:.0%} of the displacement"
)
assert run.event is None
