"""Folders of proofs: which papers there are, what they list and what is expected of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import eostheory
from eostheory.claims.catalogue import (
    FILE_NAME,
    Catalogue,
    CatalogueEntry,
    CatalogueError,
    check_outside_needs,
    load_catalogue,
)
from eostheory.suite.errors import LoadError
from eostheory.suite.expectations import Expectation, load_expectations


@dataclass(frozen=True)
class Paper:
    """One paper folder: its list, its expectations and its proof scripts.

    Attributes:
        scripts: names of the proof scripts, sorted; files that begin with ``_`` are helpers.
    """

    folder: Path
    catalogue: Catalogue
    expectations: Mapping[str, Expectation]
    scripts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The part of the ids before the slash."""
        return self.catalogue.paper


@dataclass(frozen=True)
class Library:
    """The papers of a run."""

    papers: tuple[Paper, ...]

    @property
    def entries(self) -> dict[str, CatalogueEntry]:
        """Every listed claim, in the order of the lists."""
        return {e.id: e for p in self.papers for e in p.catalogue.entries.values()}

    def paper(self, name: str) -> Paper:
        """The paper called ``name``; raises ``KeyError``."""
        return next(p for p in self.papers if p.name == name)


def bundled_proofs() -> Path:
    """The proofs that come with eostheory: inside the wheel, or in the repository.

    Raises:
        LoadError: the installation lacks them.
    """
    package = Path(eostheory.__file__).resolve().parent
    for folder in (package / "_proofs", package.parent / "proofs"):
        if folder.is_dir():
            return folder
    raise LoadError(f"{package}: no bundled proofs; reinstall eostheory, or give a folder")


def find_folders(path: Path) -> list[Path]:
    """The paper folders at ``path``: itself, or its direct subfolders, if they have a list.

    Raises:
        LoadError: no such folder, or no list in it.
    """
    if not path.is_dir():
        raise LoadError(f"{path}: no such folder")
    if (path / FILE_NAME).is_file():
        return [path]
    found = sorted(p.parent for p in path.glob(f"*/{FILE_NAME}"))
    if not found:
        raise LoadError(
            f"{path}: neither it nor a subfolder has a {FILE_NAME}; "
            "'eostheory template DIR' writes a folder to start from"
        )
    return found


def load_library(paths: Sequence[Path] = ()) -> Library:
    """Load the papers at ``paths``, or the bundled ones if there are none.

    Needs may name claims of papers outside the run; they are then looked up in the bundled lists.

    Raises:
        LoadError: whatever is wrong with a folder, a list or its expectations.
    """
    roots = [Path(p) for p in paths] or [bundled_proofs()]
    folders = list(dict.fromkeys(f.resolve() for root in roots for f in find_folders(root)))
    try:
        papers = [_load_paper(folder) for folder in folders]
        _refuse_shared_names(papers)
        own = {i for p in papers for i in p.catalogue.entries}
        outside = {n for p in papers for e in p.catalogue.entries.values() for n in e.needs} - own
        names = {p.name for p in papers}
        known = own | (_bundled_ids(except_for=names) if outside else set())
        check_outside_needs([p.catalogue for p in papers], known)
    except CatalogueError as reason:
        raise LoadError(str(reason)) from reason
    return Library(tuple(papers))


def _load_paper(folder: Path) -> Paper:
    catalogue = load_catalogue(folder)
    expectations = load_expectations(folder, catalogue)
    scripts = sorted(p.name for p in folder.glob("*.py") if not p.name.startswith("_"))
    return Paper(folder, catalogue, expectations, tuple(scripts))


def _refuse_shared_names(papers: Iterable[Paper]) -> None:
    seen: dict[str, Path] = {}
    for paper in papers:
        if paper.name in seen:
            raise LoadError(
                f"{paper.folder / FILE_NAME}: duplicate ids: {seen[paper.name] / FILE_NAME} "
                f"also lists the paper {paper.name!r}"
            )
        seen[paper.name] = paper.folder


def _bundled_ids(except_for: set[str]) -> set[str]:
    catalogues = [load_catalogue(folder) for folder in find_folders(bundled_proofs())]
    return {i for c in catalogues if c.paper not in except_for for i in c.entries}
