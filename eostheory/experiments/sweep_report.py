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

SEED = "seed"
"""The setting that no one chooses: runs that differ in it are taken together."""

MATTERS = (
    "Where the medians at the values of a setting lie; in brackets, how far apart runs are that "
    "share its value. The other settings have their defaults, if those are among the values; "
    "seeds are taken together. ✓ agrees with the paper, ✗ differs, · is not judged."
)


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
        """What was measured, as far as it is numbers."""
        return [float(v) for v in self.measured if _is_number(v)]

    @property
    def texts(self) -> list[str]:
        """What else was measured, each text once."""
        rest = (v for v in self.measured if not _is_number(v))
        return list(dict.fromkeys("none" if v is None else shown(v) for v in rest))

    @property
    def verdict(self) -> str:
        """Whether all agree, or how many of those that can be judged."""
        judged = [a for a in self.agrees if a is not None]
        if not judged:
            return ""
        return GLYPHS[judged[0]] if len(set(judged)) == 1 else f"✓ {sum(judged)} of {len(judged)}"

    def summary(self) -> str:
        """Median, least and most of the numbers, and the texts."""
        numbers, texts = self.numbers, self.texts
        parts = texts if len(texts) <= TEXTS else [f"{len(texts)} different texts"]
        if numbers and min(numbers) == max(numbers):
            parts = [_digits(numbers[0], self), *parts]
        elif numbers:
            ends = f"{shown(min(numbers))} to {shown(max(numbers))}"
            parts = [f"{shown(float(statistics.median(numbers)))} ({ends})", *parts]
        return " / ".join(parts)


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
    usual: Any,
    varied: Sequence[str],
    points: Sequence[Sequence[Any]],
    reports: Sequence[Mapping[str, Any]],
) -> str:
    """The tables of a sweep.

    Args:
        usual: the settings that a run without the sweep would have.
        varied: the settings that differ.
        points: their values, at each point.
        reports: of the points.
    """
    found = quantities(reports)
    groups = {
        name: _groups(usual, varied, points, place)
        for place, name in enumerate(varied)
        if len({point[place] for point in points}) > 1
    }
    lines = [f"# {experiment.name}: sweep over {', '.join(varied)}", ""]
    if groups:
        rows = [[q.name, *(_effect(q, group) for group in groups.values())] for q in found]
        lines += ["## How much each setting matters", "", MATTERS, ""]
        lines += _table(["quantity", *(f"`{name}`" for name in groups)], rows)
    for name, group in groups.items():
        lines += ["", *_by_value(experiment, usual, found, name, group)]
    lines += ["", f"## All {len(points)} runs", ""]
    lines += _table([*(f"`{v}`" for v in varied), *(q.name for q in found)], _runs(points, found))
    lines += [""]
    lines += _table(["", "median (least to most)", "agrees"], _whole(found))
    return "\n".join(lines) + "\n"


def _effect(quantity: Quantity, groups: Mapping[Any, Sequence[int]]) -> str:
    """How a quantity depends on a setting."""
    parts = {value: quantity.among(rows) for value, rows in groups.items()}
    middle = [statistics.median(part.numbers) for part in parts.values() if part.numbers]
    if len({part.measured for part in parts.values()}) == 1:
        size = "nothing changes"
    elif len(middle) > 1:
        wide = [max(p.numbers) - min(p.numbers) for p in parts.values() if len(p.numbers) > 1]
        size = f"{shown(float(min(middle)))} to {shown(float(max(middle)))}"
        size += f" [{shown(max(wide))}]" if wide else ""
    else:
        size = "changes"
    verdicts: dict[str, list[str]] = {}
    for value, part in parts.items():
        verdicts.setdefault(part.verdict or "·", []).append(_text(value))
    if len(verdicts) == 1:
        return f"{size}: {next(iter(verdicts))}".removesuffix(": ·")
    told = "; ".join(f"{kind} at {', '.join(v)}" for kind, v in verdicts.items())
    return f"{size}: {told}"


def _by_value(
    experiment: Experiment,
    usual: Any,
    found: Sequence[Quantity],
    name: str,
    groups: Mapping[Any, Sequence[int]],
) -> list[str]:
    about = next(f.metadata for f in experiment.fields() if f.name == name)
    paper = "the paper does not say" if about["paper"] is None else f"paper: {about['paper']}"
    own = getattr(usual, name)
    head = [f"{_text(v)} (default)" if v == own else _text(v) for v in groups]
    rows = []
    for quantity in found:
        parts = [quantity.among(rows) for rows in groups.values()]
        rows.append([quantity.name, *(f"{p.summary()} {p.verdict}".strip() for p in parts)])
    counts = sorted(set(map(len, groups.values())))
    more = f" Runs at each value: {' or '.join(map(str, counts))}." if counts != [1] else ""
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
    return [[q.name, q.summary(), q.verdict] for q in found]


def _groups(
    usual: Any, varied: Sequence[str], points: Sequence[Sequence[Any]], place: int
) -> dict[Any, list[int]]:
    """The points at each value of a setting, at the defaults of the others but for the seed.

    Where a default was not run, points of all values of that setting are among them.
    """
    fixed = {
        other: getattr(usual, name)
        for other, name in enumerate(varied)
        if other != place and name != SEED
    }
    run = {other: {point[other] for point in points} for other in fixed}
    found: dict[Any, list[int]] = {}
    for row, point in enumerate(points):
        if all(point[other] == v or v not in run[other] for other, v in fixed.items()):
            found.setdefault(point[place], []).append(row)
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [list(head), ["---"] * len(head), *rows]
    escaped = [[cell.replace("|", "&#124;") for cell in line] for line in lines]
    return [f"| {' | '.join(line)} |" for line in escaped]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _digits(value: float, quantity: Quantity) -> str:
    whole = all(isinstance(v, int) for v in quantity.measured)
    return str(int(value)) if whole else shown(value)
