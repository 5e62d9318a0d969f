"""The device that a run asks for, tried before anything is computed."""

from __future__ import annotations

import torch


class DeviceError(ValueError):
    """A device that is not there, or that cannot compute what an experiment needs."""


def usable(name: torch.device | str | None) -> torch.device:
    """The device of a name; the CPU for None.

    Raises:
        DeviceError: no such name, or nothing can be computed there; the message says why.
    """
    try:
        device = torch.device("cpu" if name is None else name)
    except RuntimeError:
        raise DeviceError(f"unknown device {name!r}: write cpu, cuda, cuda:1, ...") from None
    if device.type == "cuda":
        there = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= there:
            have = f"{there} of them" if there else "none"
            why = "" if torch.version.cuda else "; this torch was built without CUDA"
            raise DeviceError(f"no CUDA device for {device}: this machine has {have}{why}")
    try:
        float(torch.ones(1, dtype=torch.float64, device=device))
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f"{device} cannot compute in double precision here: {reason}") from error
    return device
