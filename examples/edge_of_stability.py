"""A small network is trained until it lives at the edge of stability, and the run is measured.

The sharpness rises (progressive sharpening) until it passes 2 / eta; then it hovers there while the
loss goes on falling, now up, now down.  Run it with ``python examples/edge_of_stability.py``.
"""

from __future__ import annotations

import torch
from torch import nn

from eostheory.numeric.objective import module_objective
from eostheory.training import gradient_descent

ETA = 0.2
STEPS = 240
COLUMNS = ("step", "loss", "sharpness", "next eigenvalue", "x", "y", "alpha", "output norm")
NUMERALS = ("-", "I", "II", "III", "IV")


def main() -> None:
    """Train, then print a row for every tenth step."""
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(40, 6, generator=draw, dtype=torch.float64)
    y = torch.sin(x.sum(1, keepdim=True))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1))
    objective, start = module_objective(net, nn.MSELoss(), x, y)
    # An odd number of steps: at the edge the iterate oscillates with period two.
    run = gradient_descent(objective, start, ETA, STEPS, every=5, measure="all")

    print(f"{objective.size} parameters, eta = {ETA}, 2 / eta = {2 / ETA:g}")
    print(" ".join(f"{name:>15}" for name in COLUMNS), "  phase")
    for row in range(0, len(run.records.rows), 2):
        numbers = " ".join(f"{run.records[name][row]:15.5g}" for name in COLUMNS)
        print(numbers, "  " + NUMERALS[int(run.records["phase"][row])])
    print(f"the sharpness passes 2 / eta at step {run.crossing}")
    late = run.records["sharpness"][-16:]
    print(f"from then on it is near the edge: {late.mean() * ETA / 2:.3f} of it on average at last")
    print(f"Hessian-vector products per row: {run.records['products'].mean():.1f}")


if __name__ == "__main__":
    main()
