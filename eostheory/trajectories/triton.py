"""Trajectories on a CUDA device, through Triton."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from eostheory.trajectories.inputs import reject
from eostheory.trajectories.program import Program
from eostheory.trajectories.run import CHECK_INTERVAL, Stretch
from eostheory.trajectories.triton_source import source

LAUNCH = 2**22
"""Steps of one launch, about: a long run stays interruptible and below a display's watchdog."""


class Kernel:
    """A program as a Triton kernel; it is printed, and compiled for a device, at its first use.

    Additions, products, quotients and roots are rounded as IEEE 754 says and, unless ``fma``,
    never fused.  Triton's own ``div_rn`` and ``sqrt_rn`` are for float32 alone, but for float64 its
    plain quotient and root are ``div.rn.f64`` and ``sqrt.rn.f64``, since PTX has no others; with
    ``enable_fp_fusion=False`` it emits ``mul.rn`` and ``add.rn``, which nothing later may contract.

    Args:
        program: what to run.
        fma: let the compiler fuse products into sums.
    """

    def __init__(self, program: Program, fma: bool = False) -> None:
        self._program = program
        self._fma = fma
        self._run: Any = None

    def advance(self, stretch: Stretch) -> None:
        """Take the steps of a stretch on the device where it lives, in place.

        Raises:
            ModuleNotFoundError: Triton is not installed.
            ValueError: a start or parameter that is not finite, or tensors on a CPU (Triton's
                interpreter, TRITON_INTERPRET=1, takes those).
        """
        reject(self._program, stretch)
        if stretch.state.device.type == "cpu" and not interpreted():
            raise ValueError(
                "the triton backend runs on a CUDA device and the start is on the CPU: move it "
                "with start.to('cuda'), or use backend='llvm'"
            )
        if self._run is None:
            self._run = load(source(self._program)).run
        size = stretch.state.shape[1]
        block = 32 if size <= 8192 else 64
        # Triton passes Python's floats as float32
        limit = torch.tensor([stretch.bound], dtype=torch.float64, device=stretch.state.device)
        begin, stop, record = stretch.step, stretch.step + stretch.steps, 0
        with _device(stretch.state.device):
            while begin < stop and size:
                end = launch_end(begin, stop, stretch.every)
                self._run[(-(-size // block),)](
                    stretch.state, stretch.parameters, stretch.fates.status, stretch.fates.at,
                    stretch.records[record:], limit, size, begin, end, stretch.every,
                    BLOCK=block, num_warps=block // 32, enable_fp_fusion=self._fma,
                )  # fmt: skip
                record += end // stretch.every - begin // stretch.every
                begin = end


@lru_cache(maxsize=128)
def _kernel(program: Program, fma: bool) -> Kernel:
    return Kernel(program, fma)


def advance(program: Program, stretch: Stretch, *, fma: bool = False) -> None:
    """`Kernel.advance` of the program's kernel, which is kept."""
    _kernel(program, fma).advance(stretch)


def _device(device: torch.device) -> AbstractContextManager[object]:
    """Kernels start on the current device; make that the one of the tensors."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def launch_end(begin: int, stop: int, every: int) -> int:
    """Where a launch may end without a look at its lanes that there would not be anyway."""
    end = begin + LAUNCH
    if end >= stop:
        return stop
    offset = end % every
    natural = end - offset % CHECK_INTERVAL
    return natural if natural > begin else stop


def interpreted() -> bool:
    """Whether Triton interprets kernels on the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def load(text: str) -> Any:
    """A module with the given source, imported from a file: Triton reads its kernels' source.

    The file is in the user's cache folder, under the digest of the text; it is written as a
    whole or not, and read back before it is trusted.

    Raises:
        ModuleNotFoundError: Triton is not installed.
    """
    if importlib.util.find_spec("triton") is None:
        raise ModuleNotFoundError(
            "the triton backend needs Triton, which is not installed: pip install triton (Linux), "
            "or use backend='llvm' on the CPU"
        )
    digest = hashlib.sha256(text.encode()).hexdigest()
    name = f"eostheory_triton_{digest[:24]}"
    if name in sys.modules:
        return sys.modules[name]
    path = _written(text, name)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"the kernel in {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _written(text: str, name: str) -> Path:
    """Where the text stands; in a folder of this process if the cache cannot be written."""
    for folder in (_cache_folder(), Path(_process_folder())):
        path = folder / f"{name}.py"
        try:
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                return path
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=name, suffix=".part")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                os.replace(temporary, path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            return path
        except OSError:
            continue
    raise OSError("no folder for generated kernels can be written; set EOSTHEORY_CACHE_DIR")


def _cache_folder() -> Path:
    """``$EOSTHEORY_CACHE_DIR``, or the usual place for caches of this system."""
    if named := os.environ.get("EOSTHEORY_CACHE_DIR"):
        return Path(named) / "triton"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "eostheory" / "triton"


@lru_cache(maxsize=1)
def _process_folder() -> str:
    return tempfile.mkdtemp(prefix="eostheory-triton-")
