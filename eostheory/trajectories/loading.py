"""Reading saved runs back."""

from __future__ import annotations

import json
import os
import zipfile

import numpy as np
import torch
from torch import Tensor

from eostheory.trajectories.recurrence import Recurrence
from eostheory.trajectories.run import FORMAT, TENSORS, Fates, Run
from eostheory.trajectories.simulation import Compiled, compile

_DAMAGED = (
    ValueError, KeyError, TypeError, EOFError, OverflowError,
    zipfile.BadZipFile, RuntimeError,  # of an archive that seems encrypted or of another kind
)  # fmt: skip


def load(path: str | os.PathLike[str], recurrence: Recurrence) -> Run:
    """A saved run of ``recurrence``, on the CPU, to read or to resume.

    Raises:
        ValueError: the file is not a saved run, is damaged, or holds a run of another program.
        OSError: the file cannot be read.
    """
    compiled = compile(recurrence)
    try:
        # opened here: numpy leaves a damaged file open
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"]))
            if about["format"] != FORMAT:
                raise ValueError(f"its format is {about['format']!r}, not {FORMAT!r}")
            arrays = {n: torch.from_numpy(archive[n].copy()) for n in TENSORS}
            settings = {n: int(about[n]) for n in ("first", "step", "every", "threads")}
            bound, key, name = float.fromhex(about["bound"]), about["program"], about["name"]
        if known := key == compiled.program.key:
            _fits(arrays, settings, compiled)
    except _DAMAGED as error:
        raise ValueError(f"{path} is no saved run, or a damaged one: {error}") from error
    if not known:
        raise ValueError(
            f"{path} holds a run of {name!r}, whose program differs from that of "
            f"{recurrence.name!r}: load it with the recurrence that made it"
        )
    return Run(
        compiled,
        arrays["parameters"],
        arrays["records"],
        arrays["state"],
        Fates(
            arrays["parameters"].shape[1],
            arrays["state"].device,
            arrays["status"].reshape(-1),
            arrays["at"].reshape(-1),
        ),
        settings["first"],
        settings["step"],
        settings["every"],
        bound,
        settings["threads"],
    )


def _fits(arrays: dict[str, Tensor], settings: dict[str, int], compiled: Compiled) -> None:
    """Raise ValueError unless the arrays of a file are those of one run."""
    program, state = compiled.program, arrays["state"]
    lanes = tuple(state.shape[1:])
    first, step, every = settings["first"], settings["step"], settings["every"]
    if not (0 <= first <= step and every >= 1 and settings["threads"] >= 1):
        raise ValueError(f"settings {settings} make no sense")
    shapes = {
        "parameters": (len(program.parameters), *(lanes or (1,))),
        "records": (step // every - first // every, len(program.observables), *lanes),
        "state": (len(program.state), *lanes),
        "status": lanes,
        "at": lanes,
    }
    for name, dtype in TENSORS.items():
        if arrays[name].dtype != dtype:
            raise ValueError(f"{name} is {arrays[name].dtype}, not {dtype}")
        if tuple(arrays[name].shape) != shapes[name]:
            raise ValueError(f"{name} has shape {tuple(arrays[name].shape)}, not {shapes[name]}")
