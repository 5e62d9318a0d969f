"""What a folder of an experiment holds, read: records by part, also while they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from eostheory.training import Records, read_records


class Results(Mapping[str, Records]):
    """Records by the name of their part.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._read: dict[str, Records] = {}

    def __getitem__(self, part: str) -> Records:
        if part not in self._read:
            if part not in set(self):
                raise KeyError(f"no part {part!r}; the parts are {', '.join(self) or 'none yet'}")
            self._read[part] = read_records(self.folder / "runs" / part)
        return self._read[part]

    def __iter__(self) -> Iterator[str]:
        runs = self.folder / "runs"
        for about in sorted(runs.rglob("columns.json")):
            yield about.parent.relative_to(runs).as_posix()

    def __len__(self) -> int:
        return sum(1 for _ in self)
