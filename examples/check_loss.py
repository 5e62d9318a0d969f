"""A new loss is held against the theory: from the first call to the loss that is fixed.

A small network normalizes its hidden layer with torch's own ``layer_norm``.  Its gradients and
Hessians are right, but not its third derivatives, on which sharpness and its gradient rest.
"""

import torch
from torch.nn.functional import layer_norm

import eostheory

draw = torch.Generator().manual_seed(0)
inputs = torch.randn(8, 3, dtype=torch.float64, generator=draw)
targets = torch.tanh(inputs.sum(1))


def network(w, norm):
    hidden = torch.tanh(norm(inputs @ w[:12].reshape(3, 4)))
    return ((hidden @ w[12:] - targets) ** 2).mean() / 2


def fused(w):
    return network(w, lambda h: layer_norm(h, h.shape[-1:]))


def elementary(w):
    def norm(h):
        h = h - h.mean(-1, keepdim=True)
        return h / torch.sqrt((h**2).mean(-1, keepdim=True) + 1e-5)

    return network(w, norm)


first = eostheory.check_loss(fused, size=16, checks="derivatives", profile="quick")
print(first)
assert [f.check for f in first.findings if f.status == "fail"] == ["third-derivative"]

second = eostheory.check_loss(elementary, size=16, profile="quick")
print()
print(second)
assert second.ok
