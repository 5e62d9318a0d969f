"""What the figures were measured on, and how to keep to one core of it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

_PACKAGES = ("torch", "llvmlite", "sympy", "numpy", "scipy", "jax", "jaxlib", "scikit-learn")


def describe() -> dict[str, str | int | float | dict[str, str | None]]:
    """Processor, vector width, cores, load and versions of what is compared."""
    info = _cpuinfo()
    return {
        "cpu": info.get("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "cores": os.cpu_count() or 1,
        "vector_doubles": vector_doubles(),
        "last_cache": info.get("cache size", "unknown"),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0,
        "versions": {name: _version(name) for name in ("eostheory", *_PACKAGES)},
    }


def vector_doubles() -> int:
    """How many float64 numbers a vector register of this processor holds."""
    binding = import_module("llvmlite.binding")
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # LLVM does not know this system's processor
        return 2
    wide = (("avx512f", 8), ("avx", 4))
    return next((width for feature, width in wide if features.get(feature)), 2)


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if name == "eostheory":  # run from a checkout
            import eostheory

            return eostheory.__version__
        return None


def resident_bytes() -> int | None:
    """Memory of this process that is in RAM, or None where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """One core for this process and its children, and one thread for torch; restored after."""
    import torch

    threads = torch.get_num_threads()
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {name: os.environ.get(name) for name in names}
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    torch.set_num_threads(1)
    os.environ.update(dict.fromkeys(names, "1"))
    if allowed:
        os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        if allowed:
            os.sched_setaffinity(0, allowed)
        torch.set_num_threads(threads)
        for name, old in environment.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old
