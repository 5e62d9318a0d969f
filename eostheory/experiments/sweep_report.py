"""What a sweep found, as tables: how much each setting matters, then every run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eostheory.experiments.experiment import Experiment
from eostheory.experiments.report import GLYPHS, shown

TEXTS = 2
"""So many different texts are written out."""


@dataclass(frozen=True)
class Quantity:
    """A finding at all points of a sweep.

    Args:
        name: of the finding.
        measured: at each point; None where the run did not report it.
        agrees: with the paper, at each point; None where that cannot be decided.
    """

    name: str
    measured: tuple[Any, ...]
    agrees: tuple[bool | None, ...]

    def among(self, rows: Sequence[int]) -> Quantity:
        """At some of the points."""
        return Quantity(
            self.name,
            tuple(self.measured[row] for row in rows),
            tuple(self.agrees[row] for row in rows),
        )

    @property
    def numbers(self) -> list[float]:
        """What was measured, if all of it is numbers; else nothing."""
        known = [v for v in self.measured if isinstance(v, int | float) and not isinstance(v, bool)]
        return [float(v) for v in known] if len(known) == len(self.measured) else []

    @property
    def verdict(self) -> str:
        """How many agree, of those that can be judged."""
        judged = [a for a in self.agrees if a is not None]
        if not judged:
            return ""
        if len(judged) == 1:
            return GLYPHS[judged[0]]
        return f"{sum(judged)} of {len(judged)} ✓"

    def summary(self) -> str:
        """Median, least and most, or the texts."""
        numbers = self.numbers
        if not numbers:
            texts = list(dict.fromkeys("none" if v is None else shown(v) for v in self.measured))
            return " / ".join(texts) if len(texts) <= TEXTS else f"{len(texts)} different"
        if min(numbers) == max(numbers):
            return _digits(numbers[0], self)
        ends = f"{shown(min(numbers))} to {shown(max(numbers))}"
        return f"{shown(float(statistics.median(numbers)))} ({ends})"


def quantities(reports: Sequence[Mapping[str, Any]]) -> list[Quantity]:
    """The findings of all reports, in the order in which they come."""
    found = [{f["name"]: f for f in report["findings"]} for report in reports]
    names = dict.fromkeys(name for report in found for name in report)
    return [
        Quantity(
            name,
            tuple(report.get(name, {}).get("measured") for report in found),
            tuple(report.get(name, {}).get("agrees") for report in found),
        )
        for name in names
    ]


def markdown(
    experiment: Experiment,
    varied: Sequence[str],
    points: Sequence[Sequence[Any]],
    reports: Sequence[Mapping[str, Any]],
) -> str:
    """The tables of a sweep.

    Args:
        varied: the settings that differ.
        points: their values, at each point.
        reports: of the points.
    """
    found = quantities(reports)
    groups = [_groups(points, place) for place in range(len(varied))]
    several = [place for place, group in enumerate(groups) if len(group) > 1]
    lines = [f"# {experiment.name}: sweep over {', '.join(varied)}", ""]
    if several:
        lines += ["## How much each setting matters", "", *_matters(found, varied, groups, several)]
    for place in several:
        lines += ["", *_by_value(experiment, found, varied[place], groups[place])]
    lines += ["", f"## All {len(points)} runs", ""]
    lines += _table([*(f"`{v}`" for v in varied), *(q.name for q in found)], _runs(points, found))
    lines += [""]
    lines += _table(["", "median (least to most)", "agree"], _whole(found))
    return "\n".join(lines) + "\n"


def _matters(
    found: Sequence[Quantity],
    varied: Sequence[str],
    groups: Sequence[Mapping[Any, Sequence[int]]],
    several: Sequence[int],
) -> list[str]:
    rows = [[q.name, *(_effect(q, groups[place]) for place in several)] for q in found]
    head = ["quantity", *(f"`{varied[place]}`" for place in several)]
    text = (
        "Where the medians at the values of a setting lie, and, in brackets, how far apart runs "
        "are that share a value. ✓ agrees with the paper, ✗ differs, as far as that is judged."
    )
    return [text, "", *_table(head, rows)]


def _effect(quantity: Quantity, groups: Mapping[Any, Sequence[int]]) -> str:
    """How a quantity depends on a setting."""
    parts = {value: quantity.among(rows) for value, rows in groups.items()}
    if len(set(quantity.measured)) == 1:
        size = "nothing changes"
    elif quantity.numbers:
        middle = [statistics.median(part.numbers) for part in parts.values()]
        apart = max(max(part.numbers) - min(part.numbers) for part in parts.values())
        size = f"{shown(float(min(middle)))} to {shown(float(max(middle)))}"
        size += f" [{shown(apart)}]" if any(len(rows) > 1 for rows in groups.values()) else ""
    else:
        kinds = {part.measured for part in parts.values()}
        size = "other texts" if len(kinds) > 1 else "the same texts"
    verdicts: dict[str, list[str]] = {}
    for value, part in parts.items():
        judged = {a for a in part.agrees if a is not None}
        kind = "" if not judged else "✓ and ✗" if len(judged) > 1 else GLYPHS[judged.pop()]
        verdicts.setdefault(kind, []).append(_text(value))
    if len(verdicts) == 1:
        return f"{size} {next(iter(verdicts))}".strip()
    told = "; ".join(f"{kind or '·'} at {', '.join(v)}" for kind, v in verdicts.items())
    return f"{size}: {told}"


def _by_value(
    experiment: Experiment,
    found: Sequence[Quantity],
    name: str,
    groups: Mapping[Any, Sequence[int]],
) -> list[str]:
    about = next(f.metadata for f in experiment.fields() if f.name == name)
    paper = "the paper does not say" if about["paper"] is None else f"paper: {about['paper']}"
    usual = getattr(experiment.defaults(), name)
    head = [f"{_text(v)} (default)" if v == usual else _text(v) for v in groups]
    rows = []
    for quantity in found:
        parts = [quantity.among(rows) for rows in groups.values()]
        rows.append([quantity.name, *(f"{p.summary()} {p.verdict}".strip() for p in parts)])
    count = max(map(len, groups.values()))
    more = f" {count} runs for each value." if count > 1 else ""
    return [
        f"## `{name}`", "", f"{about['text']} ({paper}).{more}", "",
        *_table(["quantity", *head], rows),
    ]  # fmt: skip


def _runs(points: Sequence[Sequence[Any]], found: Sequence[Quantity]) -> list[list[str]]:
    shown_: Callable[[Any], str] = lambda v: "none" if v is None else shown(v)  # noqa: E731
    return [
        [*map(_text, point), *(shown_(q.measured[row]) for q in found)]
        for row, point in enumerate(points)
    ]


def _whole(found: Sequence[Quantity]) -> list[list[str]]:
    return [[q.name, q.summary() if q.numbers else "", q.verdict] for q in found]


def _groups(points: Sequence[Sequence[Any]], place: int) -> dict[Any, list[int]]:
    """The points at each value of a setting."""
    found: dict[Any, list[int]] = {}
    for row, point in enumerate(points):
        found.setdefault(point[place], []).append(row)
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [list(head), ["---"] * len(head), *rows]
    escaped = [[cell.replace("|", "&#124;") for cell in line] for line in lines]
    return [f"| {' | '.join(line)} |" for line in escaped]


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _digits(value: float, quantity: Quantity) -> str:
    whole = all(isinstance(v, int) for v in quantity.measured)
    return str(int(value)) if whole else shown(value)
