"""Self-stabilization, from a loss to the figure (Damian, Nichani and Lee, 2023).

Gradient descent with learning rate eta is stable where the sharpness S, the largest eigenvalue of
the Hessian, is below 2/eta.  Training raises S (progressive sharpening, with coefficient alpha).
Above 2/eta the iterate swings out along the top eigenvector u, and by the loss's third derivative
that pushes S down again (with coefficient beta).  Run it with ``python examples/damian23.py``; a
folder given as an argument takes the figure, else a temporary one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import sympy
import torch
from sklearn.datasets import load_digits
from torch import nn

from eostheory import derive
from eostheory.experiments import experiment, run
from eostheory.numeric.objective import module_objective
from eostheory.training import limiting_sharpness, project, track_deviation

ETA = 2 / 21


def coefficients() -> None:
    """1. From a loss to its coefficients, exactly: the paper's loss of three variables."""
    x, y, z = sympy.symbols("x y z")
    eta, alpha, beta = sympy.symbols("eta alpha beta", positive=True)
    loss = (2 / eta + sympy.sqrt(beta) * y) * x**2 / 2 - alpha / sympy.sqrt(beta) * y - z
    here = derive.loss(loss, [x, y, z], at={x: 0, y: 0}, eta=eta)
    # alpha = -grad L . grad S, beta = |grad S|^2, delta = sqrt(2 alpha/beta) is the size of the
    # oscillation at rest, epsilon = eta sqrt(alpha) has to be small
    for name in ("sharpness", "alpha", "beta", "delta", "epsilon"):
        print(f"{name:>9} = {getattr(here, name)}")
    assert here.sharpness == 2 / eta
    assert here.delta == sympy.sqrt(2 * alpha / beta)
    # what holds at this point for every alpha, beta, eta > 0, such as a simple top eigenvalue
    for hypothesis in here.hypotheses:
        print(f"    {hypothesis}")


def cycle() -> None:
    """2. One cycle of a small network, beside the dynamics that the paper predicts for it."""
    digits = load_digits()
    images = digits.data[:100] / 16 - digits.data[:100].mean(0) / 16
    images = images @ np.linalg.svd(images, full_matrices=False)[2][:6].T
    inputs = torch.as_tensor(images / images.std() + 1)
    odd = torch.as_tensor(2.0 * (digits.target[:100] % 2) - 1)[:, None]
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 1)).double()
    objective, start = module_objective(network, nn.MSELoss(), inputs, odd)

    # gradient descent to the edge; from there it is compared with the constrained trajectory,
    # which stays at S <= 2/eta, and with the predicted displacement from that
    found = track_deviation(objective, start, ETA, 90, kick=0.5, dense_below=30)
    records = found.records
    print(f"\n{objective.size} parameters; the edge 2/eta = {2 / ETA:g} after {found.edge} steps")
    print(
        "delta = {:.3g}, epsilon = {:.3g} there\n".format(
            *(records[n][0] for n in ("delta", "epsilon"))
        )
    )
    columns = {
        "step": "step",
        "S": "mean sharpness",  # of two steps, as the paper shows it
        "|x|": "x",  # displacement along u ...
        "|x| pred.": "predicted x",  # ... and as predicted
        "y": "y",  # what the displacement makes of the sharpness: about S - 2/eta
        "y pred.": "predicted y",
        "L": "loss",
        "L pred.": "predicted loss",
        "L constr.": "constrained loss",
    }
    print(" ".join(f"{name:>9}" for name in columns))
    for row in range(0, len(records.rows), 6):
        values = [float(records[name][row]) for name in columns.values()]
        values[2:4] = map(abs, values[2:4])
        print(" ".join(f"{value:9.4g}" for value in values))
    off = float(records["error"].max() / records["deviation"].max())
    print(f"\n{found.cycles()} cycle; the prediction is never off by more than {off:.1%} of the")
    print("largest displacement, and the loss of the constrained trajectory falls at every step")
    assert found.cycles() >= 1
    assert off < 0.15
    assert (np.diff(records["constrained loss"]) < 0).all()

    # where it would come to rest: not exactly at 2/eta, for the loss along u is no parabola
    center = project(objective, found.constrained, ETA).center
    limit = limiting_sharpness(objective, center, ETA)
    print(f"limiting sharpness {limit.sharpness:.4f} around |x| = {limit.x:.4f}")


def figure(folder: Path) -> None:
    """3. The paper's figure 2; in the shell: ``eostheory run damian23/fig-2``."""
    outcome = run(experiment("damian23/fig-2"), folder=folder, resume=True, plots=("png",))
    print()
    for finding in outcome.findings:
        print(f"{finding.name}: {finding.measured}; paper: {finding.paper}")
    print("figure:", *outcome.plots)


if __name__ == "__main__":
    coefficients()
    cycle()
    figure(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "damian23-fig-2")
