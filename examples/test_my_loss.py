"""Checks of a loss as tests of pytest: ``pytest -v examples/test_my_loss.py``.

Each property of each loss is one test with the id ``loss/check``: ``-k gradient`` runs those of the
gradient, ``-k factorization`` those of one loss, ``--loss-profile thorough`` looks harder.
"""

import torch

import eostheory


def factorization(w):
    """The product of two numbers is fitted to 1: minimizers are a curve."""
    return (w[0] * w[1] - 1) ** 2 / 2


def rayleigh(w):
    """Scale-invariant, as behind a normalization layer."""
    curvatures = torch.tensor([1.0, 2.0, 4.0], dtype=w.dtype)
    return (curvatures * w**2).sum() / (2 * (w**2).sum())


def relu_network():
    """A network and its data; made when the first of its tests runs."""
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(12, 2, dtype=torch.float64, generator=draw)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    return {
        "loss": net,
        "data": (inputs, inputs.prod(1, keepdim=True)),
        "criterion": torch.nn.MSELoss(),
        "expected_failures": {"smooth": "a ReLU has kinks"},
    }


@eostheory.parametrize_with_loss_checks(
    [
        {"loss": factorization, "size": 2},
        {"loss": rayleigh, "size": 3, "scale_invariant": True},
        relu_network,
    ],
    profile="quick",
)
def test_my_loss(loss_check):
    loss_check()
