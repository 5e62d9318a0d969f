"""The C peers: the hand-written kernels of the folder ``c``, built where they are run."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from torch import Tensor

from eostheory.bench.machine import vector_doubles

NO_COMPILER = "no C compiler"
"""What a row says where there is none."""

FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC")
UNROLLS = (1, 2, 4, 8)


class Unbuildable(Exception):
    """There is no compiler, or it refused."""


def compiler() -> str:
    """The C compiler: ``$CC``, else gcc, clang or cc, whichever is found first.

    Raises:
        Unbuildable: none of them is found.
    """
    for name in (os.environ.get("CC", ""), "gcc", "clang", "cc"):
        if name and (found := shutil.which(name)):
            return found
    raise Unbuildable(NO_COMPILER)


def compiler_version() -> str | None:
    """First line of what the compiler says about itself, or None without one."""
    try:
        text = subprocess.run(
            [compiler(), "--version"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (Unbuildable, OSError, subprocess.SubprocessError):
        return None
    return text.splitlines()[0] if text else None


def build(name: str, folder: Path, *, unroll: int = 4, fma: bool = False) -> ctypes.CDLL:
    """Compile ``c/<name>.c`` for this processor.

    Args:
        folder: where the library is put.
        unroll: vectors that are advanced together.
        fma: allow fused multiply-adds.

    Raises:
        Unbuildable: there is no compiler, or it failed.
    """
    command = compiler()
    library = folder / f"{name}-{unroll}-{'fma' if fma else 'exact'}.so"
    contract = "-ffp-contract=fast" if fma else "-ffp-contract=off"
    sizes = (f"-DWIDTH={vector_doubles()}", f"-DUNROLL={unroll}")
    with resources.as_file(resources.files("eostheory.bench") / "c") as sources:
        source = str(sources / f"{name}.c")
        done = subprocess.run(
            [command, *FLAGS, contract, *sizes, "-o", str(library), source, "-lm"],
            capture_output=True,
            text=True,
        )
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise Unbuildable(f"{Path(command).name} failed: {reason[0] if reason else 'no message'}")
    return ctypes.CDLL(str(library))


class Kernel:
    """One function of such a library, called on tensors.

    Args:
        library: what :func:`build` gave.
        function: ``scalar``, or ``vectors`` for a batch that is a multiple of ``lanes``.
    """

    def __init__(self, library: ctypes.CDLL, function: str) -> None:
        self._function = library[function]
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        self._function.argtypes = [pointer, pointer, count, count, count, pointer, pointer]
        self._function.restype = None

    def __call__(
        self, start: Tensor, parameters: Tensor, every: int, records: Tensor, end: Tensor
    ) -> None:
        """From ``start`` (n, B), ``every`` steps for each record; ``end`` is the state after."""
        for tensor in (start, parameters, records, end):
            if not tensor.is_contiguous() or str(tensor.dtype) != "torch.float64":
                raise ValueError(f"a contiguous float64 tensor was expected, not {tensor.dtype}")
        self._function(
            start.data_ptr(), parameters.data_ptr(), start.shape[1], len(records), every,
            records.data_ptr(), end.data_ptr(),
        )  # fmt: skip
