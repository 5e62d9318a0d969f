"""Proof scripts: imported as modules of a package, and the files each one depends on."""

from __future__ import annotations

import ast
import hashlib
import importlib
import re
import sys
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from eostheory.suite.fingerprint import JUDGING_LAYERS, package_digest

if TYPE_CHECKING:
    from eostheory.claims import Claim

_NOT_READ_BY_SCRIPTS = {"claims.yaml", "expected.toml"}


class ScriptError(ValueError):
    """A proof script without a usable ``CLAIMS`` list."""


def import_script(folder: Path, script: str) -> ModuleType:
    """Import ``folder/script`` so that ``from ._common import x`` works in it.

    The folder becomes a package under a name of its own, so that folders of any name, and two
    folders of one name, can be used in one process.  Whatever the script raises goes through.
    """
    folder = folder.resolve()
    package = _package(folder)
    return importlib.import_module(f"{package}.{Path(script).stem}")


def claims_of_script(folder: Path, script: str) -> list[Claim]:
    """The ``CLAIMS`` of a script.

    Raises:
        ScriptError: ``CLAIMS`` is missing, no list, or holds something else than claims.
    """
    from eostheory.claims import Claim

    module = import_script(folder, script)
    found = getattr(module, "CLAIMS", None)
    if found is None:
        raise ScriptError(f"{script} has no CLAIMS; a proof script ends with CLAIMS = [Claim(...)]")
    if not isinstance(found, list | tuple):
        raise ScriptError(f"{script}: CLAIMS is {type(found).__name__}; expected a list of Claim")
    for position, claim in enumerate(found):
        if not isinstance(claim, Claim):
            raise ScriptError(
                f"{script}: CLAIMS[{position}] is {type(claim).__name__}; expected a Claim"
            )
    return list(found)


def sources_of(folder: Path, script: str) -> list[Path]:
    """The script, every file it imports relatively (also indirectly), and the folder's data.

    A change in any of them makes earlier results of the script worthless.
    """
    found: dict[Path, None] = {}
    pending = [folder / script]
    while pending:
        path = pending.pop()
        if path not in found and path.is_file():
            found[path] = None
            pending.extend(_relative_imports(path))
    data = (
        p
        for p in folder.rglob("*")
        if p.is_file()
        and p.suffix not in (".py", ".pyc", ".md")
        and p.name not in _NOT_READ_BY_SCRIPTS
        and not any(part.startswith((".", "__pycache__")) for part in p.relative_to(folder).parts)
    )
    return [*found, *sorted(data)]


def digest_of(folder: Path, script: str) -> str:
    """One hash for everything in :func:`sources_of`, and for ours where it uses more than judges.

    A figure's claim runs an experiment, which is no part of the layers that every verdict rests on.
    """
    total = hashlib.sha256()
    sources = sources_of(folder, script)
    for path in sources:
        total.update(path.name.encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    python = (path for path in sources if path.suffix == ".py")
    if any(_imports(path.read_bytes()).layers - set(JUDGING_LAYERS) for path in python):
        total.update(package_digest().encode())
    return total.hexdigest()


class _Imports(NamedTuple):
    """What a file imports: our packages, and relative names as (level, module, names)."""

    layers: frozenset[str]
    relative: tuple[tuple[int, str, tuple[str, ...]], ...]


@lru_cache(maxsize=1024)
def _imports(source: bytes) -> _Imports:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return _Imports(frozenset(), ())
    absolute: list[str] = []
    relative = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            absolute.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = tuple(alias.name for alias in node.names)
            relative.append((node.level, node.module or "", names))
        elif isinstance(node, ast.ImportFrom):
            absolute.extend(f"{node.module}.{alias.name}" for alias in node.names)
    ours = (name.split(".") for name in absolute if name.startswith("eostheory."))
    return _Imports(frozenset(parts[1] for parts in ours), tuple(relative))


def _relative_imports(path: Path) -> list[Path]:
    found: list[Path] = []
    for level, module, names in _imports(path.read_bytes()).relative:
        base = path.parents[level - 1]
        base = base.joinpath(*module.split(".")) if module else base
        found.append(base.with_suffix(".py"))
        found.extend((base / name).with_suffix(".py") for name in names)
    return found


@cache
def _package(folder: Path) -> str:
    """Register the folder, and the folder around it, as packages; returns the package's name."""
    outer = "_eostheory_proofs_" + hashlib.sha256(str(folder.parent).encode()).hexdigest()[:12]
    plain = re.sub(r"\W", "_", folder.name)
    if plain != folder.name:  # a-b and a_b must not share a package
        plain += "_" + hashlib.sha256(folder.name.encode()).hexdigest()[:6]
    inner = f"{outer}.{plain}"
    for name, path in ((outer, folder.parent), (inner, folder)):
        if name not in sys.modules:
            module = ModuleType(name)
            module.__path__ = [str(path)]
            sys.modules[name] = module
    return inner
