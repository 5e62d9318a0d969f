"""A new loss is held against the theory: from the first call to the loss that is fixed.

A small network normalizes its hidden layer by torch's own ``layer_norm``.  The loss has right
gradients and Hessians, but not third derivatives, on which the gradient of the sharpness rests.
"""

import torch
from torch.nn.functional import layer_norm

import eostheory

draw = torch.Generator().manual_seed(0)
inputs = torch.randn(8, 2, dtype=torch.float64, generator=draw)
targets = inputs[:, 0] * inputs[:, 1]


def network(w, norm):
    hidden = torch.tanh(norm(inputs @ w[:6].reshape(2, 3)))
    return ((hidden @ w[6:] - targets) ** 2).mean() / 2


def fused(w):
    return network(w, lambda hidden: layer_norm(hidden, [3], eps=0.1))


def elementary(w):
    def norm(hidden):
        hidden = hidden - hidden.mean(1, keepdim=True)
        return hidden / torch.sqrt((hidden**2).mean(1, keepdim=True) + 0.1)

    return network(w, norm)


first = eostheory.check_loss(fused, size=9, checks="derivatives", profile="quick")
print(first)
assert [found.check for found in first.failures] == ["third-derivative"]

second = eostheory.check_loss(elementary, size=9, profile="quick")
print()
print(second)
assert second.ok
