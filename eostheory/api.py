"""The suite from Python: run it, or judge one claim in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eostheory.claims import Settings
from eostheory.claims import judge as judge_claim
from eostheory.claims.catalogue import nearest
from eostheory.suite import Request, UnknownClaim, load_library, run, split_targets
from eostheory.suite.scripts import claims_of_script
from eostheory.suite.selection import Selection


def verify(
    targets: Sequence[str] = (),
    *,
    profile: str = "default",
    seed: int = 0,
    mutate: bool = True,
    jobs: int = 0,
) -> dict[str, Any]:
    """Run the suite, as ``eostheory verify`` does, and return its report.

    Args:
        targets: ids, globs or folders of proofs; none means every claim of the bundled papers.
        profile: quick, default or thorough.
        jobs: worker processes; 0 means one per core.

    Returns:
        The report; its form is the published schema ``eostheory-report/1``.

    Raises:
        LoadError: a folder, a list or its expectations are broken.
        UnknownClaim: an id that no list has.
    """
    paths, patterns = split_targets(targets)
    request = Request(
        paths=tuple(paths),
        selection=Selection(patterns=tuple(patterns)),
        profile=profile,
        seed=seed,
        mutate=mutate,
        jobs=jobs,
    )
    return run(request)


def judge(
    claim_id: str,
    *,
    folder: str | Path | None = None,
    profile: str = "default",
    seed: int = 0,
    mutate: bool = False,
) -> dict[str, Any]:
    """Judge one claim in this process and return its record; what a witness raises goes through.

    Raises:
        UnknownClaim: no list has the id, or nobody has encoded the claim.
    """
    library = load_library([Path(folder)] if folder is not None else ())
    if claim_id not in library.entries:
        raise UnknownClaim(f"unknown id {claim_id!r}{nearest(claim_id, library.entries)}")
    entry = library.entries[claim_id]
    paper = library.paper(entry.paper)
    for script in paper.scripts:
        for claim in claims_of_script(paper.folder, script):
            if claim.id == claim_id:
                return judge_claim(claim, entry, Settings(profile, seed, mutate))
    raise UnknownClaim(f"{claim_id} is open: no proof script encodes it yet")
