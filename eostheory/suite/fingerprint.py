"""What a result depends on besides its own proof script: our layers, libraries and settings."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import eostheory
from eostheory.claims.catalogue import CatalogueEntry

JUDGING_LAYERS = ("formula", "symbolic", "numeric", "agree", "claims")
_LIBRARIES = (
    "hypothesis",
    "llvmlite",
    "numpy",
    "python-flint",
    "scikit-learn",
    "scipy",
    "sympy",
    "torch",
    "z3-solver",
)


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of eostheory, Python and the libraries that compute; imports none of them."""
    found = {"eostheory": eostheory.__version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


@lru_cache(maxsize=1)
def environment() -> dict[str, str | int]:
    """Where a run happened, for its report."""
    return {
        **versions(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count() or 1,
    }


def layers_digest() -> str:
    """One hash over the source of every layer that takes part in judging."""
    return _source_digest(JUDGING_LAYERS)


def package_digest() -> str:
    """One hash over all of our source: for scripts that use more than what judges."""
    return _source_digest(("",))


@lru_cache(maxsize=2)
def _source_digest(folders: tuple[str, ...]) -> str:
    package = Path(eostheory.__file__).parent
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted((package / folder).rglob("*.py")):
            total.update(str(path.relative_to(package)).encode() + b"\0")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def result_key(entry: CatalogueEntry, script_digest: str, settings: Mapping[str, object]) -> str:
    """The cache key of a verdict: equal keys mean that judging again would repeat itself."""
    listed = {k: v for k, v in asdict(entry).items() if k != "line"}
    return _hash(
        {
            "entry": listed,
            "script": script_digest,
            "layers": layers_digest(),
            "versions": versions(),
            "settings": dict(settings),
        }
    )


def index_key(script: Path, script_digest: str) -> str:
    """The cache key of what a script encodes."""
    parts = {"index": str(script), "script": script_digest, "layers": layers_digest()}
    return _hash({**parts, "versions": versions()})


def _hash(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
