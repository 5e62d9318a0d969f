"""Networks as their authors would use them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from eostheory.numeric.losses import Draw

from .entries import (
    FAIL,
    MODULE,
    NETWORK,
    NO_FAILURE,
    NOT_APPLICABLE,
    PASS,
    PREDICTIONS,
    UNKNOWN,
    Expected,
    enter,
)


def digits(count: int | None = None, pooled: bool = False) -> tuple[Tensor, Tensor]:
    """The first of scikit-learn's digits; or of its zeros and ones, averaged to 4 x 4 pixels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
    if pooled:
        x, y = x[y < 2], y[y < 2]
        x = nn.functional.avg_pool2d(x.reshape(-1, 1, 8, 8), 2).reshape(-1, 16)
    return x[:count], y[:count]


def perceptron(*widths: int, activation: Callable[[], nn.Module] = nn.Tanh) -> nn.Module:
    """As ``nn.Linear`` initialises it."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers[:-1])


# Separable data: the cross-entropy has no minimizer, its infimum is at infinity, which a search
# cannot prove.  li22 is about squared error.
CLASSIFIER: Expected = {
    **MODULE,
    "minimizer-manifold": UNKNOWN,
    **dict.fromkeys(NETWORK, NOT_APPLICABLE),
}
# Along the way alpha is positive at some points and negative at others.
TO_AND_FRO: Expected = {**CLASSIFIER, "progressive-sharpening": UNKNOWN}
enter(
    "a digits classifier",
    lambda: perceptron(16, 2, 2),
    TO_AND_FRO,
    data=lambda: digits(20, pooled=True),
    criterion=nn.CrossEntropyLoss(),
)
# Of two hidden units both may die, which leaves a minimum that is attained.
enter(
    "a digits classifier with ReLU",
    lambda: perceptron(16, 4, 2, activation=nn.ReLU),
    {**CLASSIFIER, "smooth": FAIL},
    data=lambda: digits(20, pooled=True),
    criterion=nn.CrossEntropyLoss(),
)
enter(
    "a digits classifier of full width",
    lambda: perceptron(64, 32, 10),
    TO_AND_FRO,
    data=lambda: digits(100),
    criterion=nn.CrossEntropyLoss(),
)
enter(
    "a digits classifier of full size",
    lambda: perceptron(64, 32, 10),
    # Only run on request, in more than one profile: how far the run gets is left open.
    {**CLASSIFIER, **dict.fromkeys(PREDICTIONS, NO_FAILURE)},
    data=digits,
    criterion=nn.CrossEntropyLoss(),
    slow=True,
)


def weight_normed() -> nn.Module:
    from torch.nn.utils.parametrizations import weight_norm

    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(weight_norm(nn.Linear(2, 1)), nn.Tanh(), nn.Linear(1, 1))


def directions_do_not_vanish(w: Tensor) -> bool:
    """Bias, length g, direction v (2,), output weight, output bias: v / |v| needs |v| > 0."""
    return float(torch.linalg.vector_norm(w[2:4])) >= 0.2


# Scale-invariant in the direction v of the weights, not in their length g, nor in the biases.
INPUTS = Draw(5, "cpu").normal(6, 2).float()
enter(
    "a weight-normalised network",
    weight_normed,
    # Descent goes on to lower values at |w| > 20.  150 steps show three phases of four, and too few
    # turns of the sharpness.
    {**MODULE, "minimizer-manifold": UNKNOWN, **dict.fromkeys(NETWORK, (UNKNOWN, PASS))},
    data=(INPUTS, torch.sin(2 * INPUTS[:, :1])),
    criterion=nn.MSELoss(),
    domain=directions_do_not_vanish,
)


class LogisticMatrixFactorization(nn.Module):
    """Johnson 2014: implicit feedback r_ui with the weights 1 + alpha r_ui, a bias per user and
    per item, and a penalty on the factors."""

    def __init__(self, users: int, items: int, rank: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(2)
            self.users, self.items = nn.Embedding(users, rank), nn.Embedding(items, rank)
            self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)

    def forward(self, pairs: Tensor) -> Tensor:
        u, i = pairs[:, 0], pairs[:, 1]
        bias = self.user_bias(u) + self.item_bias(i)
        return (self.users(u) * self.items(i)).sum(-1) + bias.squeeze(-1)


class LogisticLoss(nn.Module):
    """Mean of the weighted logistic loss over the pairs."""

    def forward(self, score: Tensor, count: Tensor) -> Tensor:
        positive = 2.0 * count
        return ((1 + positive) * nn.functional.softplus(score) - positive * score).mean()


PAIRS = torch.cartesian_prod(torch.arange(3), torch.arange(2))
COUNTS = torch.tensor([2, 0, 1, 0, 3, 4.0])
# Biases and a factor fit any six scores.  (1 + p) s(x) = p where p > 0, but for p = 0 the score
# goes to minus infinity, so that again there is no minimizer.
enter(
    "logistic matrix factorization",
    lambda: LogisticMatrixFactorization(3, 2, 1),
    {
        **MODULE,
        "minimizer-manifold": UNKNOWN,
        **dict.fromkeys(NETWORK, NOT_APPLICABLE),
    },
    data=(PAIRS, COUNTS),
    criterion=LogisticLoss(),
)
