"""What the benchmark says: tables, and for each target whether it is met."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Literal

from eostheory.bench.timing import Interval

Cell = Interval | float | int | str | None
Relation = Literal[">=", "<=", "<"]
State = Literal["met", "missed", "not measured", "wrong"]

SCHEMA = 1
"""Version of the JSON form."""


@dataclass(frozen=True)
class Target:
    """A figure that is to be reached.

    Args:
        name: unique, as ``scale-invariant/1024/c``.
        text: what is compared with what.
        relation: how the measured figure stands to the bound when the target is met.
        bound: the figure.
        unit: of both.
    """

    name: str
    text: str
    relation: Relation
    bound: float
    unit: str = ""

    def holds(self, value: float) -> bool:
        """Whether that figure meets it."""
        if self.relation == ">=":
            return value >= self.bound
        return value <= self.bound if self.relation == "<=" else value < self.bound


@dataclass(frozen=True)
class Judged:
    """A target with what was measured for it, or why nothing was.

    Args:
        wrong: a peer disagrees with the others, so that its time means nothing.
    """

    target: Target
    measured: Interval | None
    reason: str = ""
    wrong: bool = False

    def __post_init__(self) -> None:
        if (self.measured is None) != bool(self.reason):
            raise ValueError(f"{self.target.name}: either a measured figure or a reason")

    @property
    def state(self) -> State:
        """The median decides."""
        if self.measured is None:
            return "wrong" if self.wrong else "not measured"
        return "met" if self.target.holds(self.measured.median) else "missed"

    @property
    def clear(self) -> bool:
        """Whether both ends of the interval say the same as the median."""
        seen = self.measured
        return seen is not None and self.target.holds(seen.low) == self.target.holds(seen.high)


@dataclass(frozen=True)
class Table:
    """Figures side by side; an absent peer has its reason in the last column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: row {row} does not fit {self.columns}")


@dataclass(frozen=True)
class Outcome:
    """What one case found."""

    case: str
    tables: tuple[Table, ...] = ()
    targets: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Report:
    """Everything of one run."""

    machine: dict[str, object]
    settings: dict[str, object]
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def targets(self) -> list[Judged]:
        """Of all cases."""
        return [judged for outcome in self.outcomes for judged in outcome.targets]

    @property
    def failed(self) -> list[Judged]:
        """What was measured and is not met, or is wrong."""
        return [judged for judged in self.targets if judged.state in {"missed", "wrong"}]

    def as_dict(self) -> dict[str, object]:
        """For JSON; ``schema.json`` of this package describes it."""
        return {
            "schema": SCHEMA,
            "machine": self.machine,
            "settings": self.settings,
            "cases": [
                {
                    "case": outcome.case,
                    "tables": [_table(table) for table in outcome.tables],
                    "targets": [_judged(judged) for judged in outcome.targets],
                    "notes": list(outcome.notes),
                }
                for outcome in self.outcomes
            ],
        }


def _cell(cell: Cell) -> object:
    if isinstance(cell, Interval):
        return asdict(cell)
    # a difference may be infinite, which JSON cannot say as a number
    return str(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell


def _table(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "columns": list(table.columns),
        "rows": [[_cell(cell) for cell in row] for row in table.rows],
    }


def _judged(judged: Judged) -> dict[str, object]:
    return {
        **asdict(judged.target),
        "measured": _cell(judged.measured),
        "state": judged.state,
        "clear": judged.clear,
        "reason": judged.reason or None,
    }
