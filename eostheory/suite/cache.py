"""Results of earlier runs, as checked JSON files.  A damaged file is a missing one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENVIRONMENT = "EOSTHEORY_CACHE_DIR"
_KEEP_SECONDS = 60 * 24 * 3600


def default_folder() -> Path:
    """``$EOSTHEORY_CACHE_DIR``, or the usual place for caches of this system."""
    if chosen := os.environ.get(ENVIRONMENT):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "eostheory"


class Cache:
    """A folder of JSON values by key.

    A value is written to a file of another name and then moved, so no reader sees half of it;
    it carries its key and a checksum, so a file that was damaged anyway is never trusted.  A
    folder that cannot be written makes the cache forgetful, not the run fail.

    Args:
        folder: where; ``None`` is a cache that forgets everything at once.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, key: str) -> dict[str, Any] | None:
        """The value stored under ``key``, or ``None`` if there is none that can be trusted."""
        if self.folder is None:
            return None
        path = self._path(key)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            value = stored["value"]
            if stored["key"] != key or stored["sha256"] != _checksum(value):
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return dict(value) if isinstance(value, dict) else None

    def put(self, key: str, value: Mapping[str, Any]) -> bool:
        """Store ``value``; whether that worked."""
        if self.folder is None:
            return False
        path = self._path(key)
        text = json.dumps({"key": key, "sha256": _checksum(value), "value": value})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)
        except OSError:
            return False
        return True

    def prune(self, now: float | None = None) -> None:
        """Remove what no run has asked for in two months."""
        if self.folder is None:
            return
        oldest = (time.time() if now is None else now) - _KEEP_SECONDS
        for path in self.folder.glob("??/*.json"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.json"


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` so that ``path`` holds either all of it or what it held before."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _checksum(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
