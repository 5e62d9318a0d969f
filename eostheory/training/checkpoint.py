"""Checkpoints: the whole state of a run in one file that is complete or not there at all.

A checkpoint is a NumPy archive without pickles.  It is written beside its place, forced to the
disk and renamed, so that a process killed at any time leaves the one before.  It carries a digest
of its contents, the configuration of the run, and digests of the code that made it: resuming under
another configuration or other code would silently continue another run, and is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import platform
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
import torch
from torch import Tensor

import eostheory

FORMAT = 1
LAYERS = ("numeric", "curvature", "training")
"""Packages whose code decides the bits of a run."""

State = Mapping[str, Any]


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: damaged, foreign, or of another run."""


def digest(*arrays: Tensor | npt.NDArray[Any] | bytes | str) -> str:
    """A short digest of tensors, arrays or texts, to tell data apart in a configuration."""
    found = hashlib.sha256()
    for array in arrays:
        if isinstance(array, str):
            array = array.encode()
        if isinstance(array, bytes):
            found.update(array)
            continue
        plain = array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
        found.update(f"{plain.dtype.str}{plain.shape}".encode())
        found.update(np.ascontiguousarray(plain).tobytes())
    return found.hexdigest()[:16]


@cache
def _source(path: Path) -> str:
    # Once per process: what it runs is what it read when it started.
    return digest(path.read_bytes())


def code() -> dict[str, str]:
    """Digests of the modules that decide the bits of a run, and versions of what they stand on."""
    root = Path(eostheory.__file__).parent
    found = {
        f"{layer}/{path.name}": _source(path)
        for layer in LAYERS
        for path in sorted((root / layer).glob("*.py"))
    }
    found |= {"torch": torch.__version__, "numpy": np.__version__, "scipy": scipy.__version__}
    found["machine"] = platform.machine()
    found["threads"] = str(torch.get_num_threads())
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, one phrase per key."""
    lines = []
    for key in sorted(set(before) | set(now)):
        if key not in before:
            lines.append(f"{key} is new ({now[key]!r})")
        elif key not in now:
            lines.append(f"{key} is gone (was {before[key]!r})")
        elif before[key] != now[key]:
            lines.append(f"{key} was {before[key]!r}, is {now[key]!r}")
    return lines


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` such that a reader finds the old file or the new one, whole.

    Raises:
        OSError: it could not be written; the old file is untouched.
    """
    beside = path.with_name(path.name + ".part")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # directories cannot be opened everywhere
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def dump(state: State, header: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint of ``state``: nested mappings whose leaves are tensors, arrays,
    numbers, texts, booleans or None; ``header`` is what JSON can hold.

    Raises:
        TypeError: a leaf of another type, named.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    plain: dict[str, Any] = {}
    devices: dict[str, str] = {}

    def walk(part: Mapping[str, Any], path: str) -> None:
        for key, value in part.items():
            place = f"{path}{key}"
            if isinstance(value, Mapping):
                plain[place + "/"] = None
                walk(value, place + "/")
            elif isinstance(value, Tensor):
                arrays[f"tensor:{place}"] = value.detach().cpu().numpy()
                if value.device.type != "cpu":
                    devices[place] = value.device.type
            elif isinstance(value, np.ndarray):
                arrays[f"array:{place}"] = value
            elif value is None or isinstance(value, bool | int | float | str):
                plain[place] = value
            else:
                raise TypeError(
                    f"{place} of the state is {type(value).__name__}; a checkpoint holds tensors, "
                    "arrays, numbers, texts, booleans and None"
                )

    walk(state, "")
    about = json.dumps(
        {"format": FORMAT, "header": dict(header), "plain": plain, "devices": devices},
        sort_keys=True,
    )
    arrays["about"] = np.frombuffer(about.encode(), dtype=np.uint8)
    arrays["digest"] = np.frombuffer(_digest(arrays).encode(), dtype=np.uint8)
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()


def _digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    parts: list[Any] = []
    for name in sorted(arrays):
        if name != "digest":
            parts += [name, arrays[name]]
    return digest(*parts)


def load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """State and header of the checkpoint at ``path``; tensors come back where they were.

    Raises:
        CheckpointError: the file is damaged, or no checkpoint of this format.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        wanted = arrays["digest"].tobytes().decode()
        about = json.loads(arrays["about"].tobytes().decode())
    except (
        OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, EOFError, OverflowError,
        MemoryError,
    ) as e:  # fmt: skip
        raise CheckpointError(
            f"{path} is damaged or no checkpoint ({type(e).__name__}: {e}): remove it to start anew"
        ) from e
    if about.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has format {about.get('format')!r}, this version reads {FORMAT}"
        )
    if _digest(arrays) != wanted:
        raise CheckpointError(f"{path} is damaged (its digest differs): remove it to start anew")
    state: dict[str, Any] = {}
    leaves = dict(about["plain"])
    for name, array in arrays.items():
        kind, _, place = name.partition(":")
        if kind == "tensor":
            # Cloned by torch, in whose memory every tensor begins at a multiple of 64 bytes: sums
            # of BLAS are not the same bits for other alignments.
            leaves[place] = torch.from_numpy(array).clone().to(about["devices"].get(place, "cpu"))
        elif kind == "array":
            leaves[place] = array
    for place in sorted(leaves):
        *folders, key = place.split("/")
        part = state
        for folder in folders:
            part = part.setdefault(folder, {})
        if key:
            part[key] = leaves[place]
    return state, about["header"]
