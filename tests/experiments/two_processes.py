"""What each of two processes runs: tracked gradient descent on chunks dealt out to both.

Called as ``python two_processes.py RANK WORLD RENDEZVOUS OUT``.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from eostheory.curvature import Products
from eostheory.experiments.models import mlp
from eostheory.experiments.parallel import shared_objective
from eostheory.numeric.objective import module_objective
from eostheory.training import gradient_descent


def problem():
    """A small network, its data in five chunks."""
    draw = torch.Generator().manual_seed(3)
    inputs = torch.randn(23, 4, dtype=torch.float64, generator=draw)
    targets = torch.tanh(inputs.sum(1, keepdim=True))
    torch.manual_seed(5)
    net = mlp([4, 6, 1])
    return module_objective(net, torch.nn.MSELoss(), inputs, targets, chunk=5)


def everything(objective, start):
    """Value, gradient, a product, a third derivative and a tracked run."""
    u = torch.linspace(-1, 1, len(start), dtype=torch.float64)
    with Products(objective, start) as products:
        product, third = products(u), products.third(u, u)
        value, gradient = products.value, products.gradient
    run = gradient_descent(objective, start, 0.4, 30, every=5, measure=["sharpness"])
    return {
        "value": np.asarray(value.detach()),
        "gradient": gradient.detach().numpy(),
        "product": product.numpy(),
        "third": third.numpy(),
        "rows": run.records.rows,
        "w": run.w.numpy(),
    }


def main(rank, world, rendezvous, out):
    """Run as one of ``world`` processes and write what was found."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=int(rank), world_size=int(world)
    )
    objective, start = problem()
    np.savez(Path(out) / f"{rank}.npz", **everything(shared_objective(objective), start))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
