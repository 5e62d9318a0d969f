"""The sharpness of a linear network, from its Gram matrix to the figure (Li, Wang and Li, 2022).

For the mean squared error the residual D = F - Y moves by D(t+1) = (I - eta M) D(t), nearly, with
the Gram matrix M of the network's derivatives.  The sharpness is M's largest eigenvalue.  It rises
and falls with the norm of the output layer A, which grows as long as D'F is negative.  Above 2/eta
the part of D along M's top eigenvector v1 grows, until D'F is positive: A shrinks, and with it the
sharpness.  What is left of D, R, falls all the while.  Run it with ``python examples/li22.py``; a
folder given as an argument takes the figures, else a temporary one.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eostheory import derive
from eostheory.experiments import experiment, run
from eostheory.experiments.li22.networks import two_classes
from eostheory.experiments.report import shown
from eostheory.experiments.settings import chosen
from eostheory.numeric.autodiff import gradient, hessian
from eostheory.training import anomalies, four_phases

WIDTH, STEPS, RISE = 20, 250, 2.2
PHASES = ("I", "II", "III", "IV")

data = two_classes("digits", "", 40, classes=(3, 8))
X, Y = data.inputs.flatten(1), data.signs()  # (n, d) and labels -1 or 1
n, d = X.shape


def split(w: Tensor) -> tuple[Tensor, Tensor]:
    """A (m,) and W (m, d) of the network f(x) = A'Wx."""
    return w[:WIDTH], w[WIDTH:].view(WIDTH, d)


def outputs(w: Tensor) -> Tensor:
    """F (n,)."""
    a, inner = split(w)
    return X @ inner.T @ a


def loss(w: Tensor) -> Tensor:
    """|D|^2/n."""
    residual = outputs(w) - Y
    return torch.dot(residual, residual) / n


def gram(w: Tensor) -> Tensor:
    """M (n, n): what W contributes, by the norm of A, and what A contributes."""
    a, inner = split(w)
    hidden = X @ inner.T
    return 2 / n * (torch.dot(a, a) * X @ X.T + hidden @ hidden.T)


def start() -> Tensor:
    """Weights drawn as PyTorch draws those of linear layers."""
    draw = torch.Generator().manual_seed(0)
    outer, inner = (2 * torch.rand(k, generator=draw).double() - 1 for k in (WIDTH, WIDTH * d))
    return torch.cat([outer / WIDTH**0.5, inner / d**0.5])


def one_step() -> None:
    """1. What the engine derives of one step, and the sharpness beside the Hessian's."""
    derived = derive.linear_network()
    print(
        "1. D(t+1) = (I - eta M*) D(t), exactly, for all sizes; derived, with a factor 1/sqrt(m):"
    )
    print(f"   M  = {derived.gram}\n   M* = {derived.gram_star}")
    w = start()
    of_gram = float(torch.linalg.eigvalsh(gram(w))[-1])
    of_loss = float(torch.linalg.eigvalsh(hessian(loss, w))[-1])
    print(f"   largest eigenvalue of M {of_gram:.4f}, of the Hessian of the loss {of_loss:.4f}")


def descent(eta: float) -> dict[str, np.ndarray]:
    """Gradient descent; at each step what the paper's figures show."""
    rows: dict[str, list[float]] = {}
    w = start()
    for _ in range(STEPS):
        values, vectors = torch.linalg.eigh(gram(w))
        v1, residual = vectors[:, -1], outputs(w) - Y
        rest = residual - torch.dot(residual, v1) * v1
        row = {
            "sharpness": values[-1],
            "norm": torch.dot(split(w)[0], split(w)[0]),
            "slope": torch.dot(residual, outputs(w)),
            "D": torch.dot(residual, residual) / n,
            "R": torch.dot(rest, rest) / n,
        }
        for name, value in row.items():
            rows.setdefault(name, []).append(float(value))
        w = w - eta * gradient(loss, w)
    return {name: np.array(values) for name, values in rows.items()}


def phases() -> None:
    """2. and 3. The sharpness goes with |A|^2, through four phases; D oscillates, R does not."""
    edge = RISE * float(torch.linalg.eigvalsh(gram(start()))[-1])
    eta = 2 / edge
    found = descent(eta)
    apart, share = anomalies(found["sharpness"], found["norm"])
    print(f"\n2. Sharpness and |A|^2 move apart in {len(apart)} of {STEPS - 1} steps")
    # equation (2); a step of descent adds a term of the second order in eta
    agree = np.sign(np.diff(found["norm"])) == -np.sign(found["slope"][:-1])
    print(f"   |A|^2 grows where D'F is negative: so in {agree.mean():.1%} of the steps")
    assert share < 0.5 < agree.mean()

    phase = four_phases(found["sharpness"], found["D"], eta)
    begins = [0, *(np.flatnonzero(np.diff(phase)) + 1)]
    print(f"\n3. The four phases (2/eta = {edge:.2f}), and the residual at their beginning")
    print("   phase   steps          sharpness      |A|^2     |D|^2/n     |R|^2/n")
    for first, last in pairwise([*begins[:9], begins[9] if len(begins) > 9 else STEPS]):
        name = PHASES[phase[first] - 1]
        values = (found[key][first] for key in ("sharpness", "norm", "D", "R"))
        print(f"   {name:5} {first:4} to {last - 1:<4}" + " ".join(f"{v:11.4f}" for v in values))
    climbs = [np.maximum(np.diff(found[key]), 0).sum() for key in ("D", "R")]
    print(f"   all rises added up: {climbs[0]:.3f} of |D|^2/n, {climbs[1]:.3f} of |R|^2/n")
    assert climbs[1] < climbs[0]


def gamma(folder: Path) -> None:
    """4. With a factor 1/sqrt(m), what M owes to the change of W is of order 1/m (figure 20)."""
    found = experiment("li22/fig-20")
    outcome = run(found, chosen(found, variant="quick"), folder=folder, resume=True, plots=("png",))
    print("\n4. Gamma, the part of M that stems from the change of W, for several widths m")
    for finding in outcome.findings[:4]:
        print(f"   {finding.name}: {shown(finding.measured)}; paper: {finding.paper}")


def figure(folder: Path) -> None:
    """5. The paper's figure 1; in the shell: ``eostheory run li22/fig-1``, here its quick form."""
    found = experiment("li22/fig-1")
    outcome = run(found, chosen(found, variant="quick"), folder=folder, resume=True, plots=("png",))
    print("\n5. Figure 1, with two hidden layers")
    for finding in outcome.findings:
        print(f"   {finding.name}: {shown(finding.measured)}; paper: {finding.paper}")
    print("   figure:", *outcome.plots)


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    one_step()
    phases()
    gamma(place / "li22-fig-20")
    figure(place / "li22-fig-1")
