"""Where tensors live."""

from __future__ import annotations

import os

import torch

LARGE = 4096
"""Parameters from which a GPU pays; below it, launching a kernel costs more than running it."""


def default_device(device: torch.device | str | None = None, size: int = 0) -> torch.device:
    """Where a problem with ``size`` parameters is computed.

    ``device`` if given, else what the environment variable ``EOSTHEORY_DEVICE`` names, else a
    CUDA device where there is one and the problem is large, else the CPU.
    """
    if device is not None:
        return torch.device(device)
    if named := os.environ.get("EOSTHEORY_DEVICE"):
        return torch.device(named)
    return torch.device("cuda" if size >= LARGE and torch.cuda.is_available() else "cpu")
