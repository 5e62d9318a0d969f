"""What the figures show, counted on the records of a run: letters, statements and measurements.

A statement is observed once for each network or panel, and must hold on each.  "Much smaller" is
read as less than half, "most of the time" as more than half.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eostheory.experiments.evidence import Evidence
from eostheory.experiments.li22.facts import climbed, fall_below, passed
from eostheory.formula import Equation, Inequality, Predicate, as_expr, scalar, vector
from eostheory.training import anomalies, four_phases

if TYPE_CHECKING:
    from eostheory.agree import Measured, Sample

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Run = Mapping[str, Array]

DIGITS = (
    "digits 3 and 8 stand for the two classes of CIFAR-10, and 2/eta, which is not printed, is a "
    "multiple of the sharpness at the start"
)
ratio = vector("sharpness_over_edge", "steps", r"\eta\Lambda/2")
one = as_expr(1)
before = scalar("steps_before_edge", r"\#\{t<t_0\}")
rising = scalar("sharpness_rises_before_edge", r"\#\{t<t_0:\Delta\Lambda>0\}")
falling = scalar("loss_falls_before_edge", r"\#\{t<t_0:\Delta\mathcal L<0\}")
up = scalar("steps_to_the_top", r"t_{\mathrm{top}}-t_0")
down = scalar("steps_from_the_top", r"t_{\mathrm{below}}-t_{\mathrm{top}}")
phase = vector("phase", "visits", r"\text{phase}")
moves = vector(
    "moves", "increments", r"\mathrm{sign}\Delta\Lambda\cdot\mathrm{sign}\Delta\|\mathbf A\|"
)
rest_rises = scalar("rises_of_rest", r"\sum_t\max(0,\Delta\|R\|^2)/\|R(0)\|^2")
loss_rises = scalar("rises_of_loss", r"\sum_t\max(0,\Delta\|D\|^2)/\|D(0)\|^2")
steps = scalar("steps", r"\#\{t\}")
second_low = scalar("second_below_one_over_eta", r"\#\{t:\lambda_2<1/\eta\}")
output_small = scalar("output_part_small", r"\#\{t:\lambda_{\max}(M_A)<\Lambda/2\}")

RISES = Equation(rising, before)
FALLS = Equation(falling, before)
DROPS = Inequality(down, "<", up)
AROUND = Predicate("switches", (ratio, one), "crosses the value at least four times")
REACHED = Predicate("crosses", (ratio, one), "is below the value, and later above")
CYCLE = Predicate(
    "cyclic", (phase, as_expr(4)), "each phase follows the one before, and the first comes again"
)
TOGETHER = Predicate("mostly", (moves, one), "more than half of the entries are the value")
STEADIER = Inequality(rest_rises, "<", loss_rises)
SECOND = Equation(second_low, steps)
OUTPUT = Equation(output_small, steps)


def number(flags: Flags) -> float:
    """How many of them hold."""
    return float(np.count_nonzero(flags))


def over_edge(run: Run) -> Array:
    """Sharpness over 2/eta, at each step."""
    found: Array = run["sharpness"] / run["edge"]
    return found


def start_of(run: Run) -> dict[Any, float]:
    """Sharpness and loss until the sharpness is above 2/eta for the first time."""
    first = int(np.argmax(over_edge(run) > 1))
    grows = np.diff(run["sharpness"][: first + 1]) > 0
    shrinks = np.diff(run["loss"][: first + 1]) < 0
    return {before: float(first), rising: number(grows), falling: number(shrinks)}


def fall_of(run: Any) -> dict[Any, float]:
    """The first time above 2/eta: how long it rises and falls."""
    found = fall_below(run)
    return {} if found is None else dict(zip((up, down), map(float, found), strict=True))


def phases_of(run: Run) -> dict[Any, Array]:
    """The phases in the order of their visits."""
    eta = 2 / float(run["edge"][0])
    found = passed(four_phases(run["sharpness"], run["loss"], eta))
    return {phase: np.array(found, dtype=np.float64)}


def moves_of(run: Run, rows: slice = slice(None)) -> dict[Any, Array]:
    """Whether sharpness and output norm move together (1) or apart (-1), step by step."""
    sharpness, norm = run["sharpness"][rows], run["output norm"][rows]
    found = np.ones(len(sharpness) - 1)
    found[anomalies(sharpness, norm)[0]] = -1
    return {moves: found}


def rises_of(run: Run) -> dict[Any, float]:
    """What loss and residual off v1 rise by, all rises added up."""
    return {rest_rises: climbed(run["rest"]), loss_rises: climbed(run["loss"])}


def spectrum_of(run: Run) -> dict[Any, float]:
    """Second eigenvalue and output part, at each step."""
    return {
        steps: float(len(run["step"])),
        second_low: number(2 * run["second"] < run["edge"]),
        output_small: number(2 * run["output part"] < run["sharpness"]),
    }


def tests(sample: Sample) -> None:
    """How the predicates are decided."""
    sample.predicate("switches", lambda v, x: _switches(v, x) >= 4)
    sample.predicate("crosses", _crosses)
    sample.predicate("cyclic", _cyclic)
    sample.predicate("mostly", _mostly)


def _above(series: Measured, level: Measured) -> Flags:
    return np.asarray(np.asarray(series.value) > level.value)


def _switches(series: Measured, level: Measured) -> int:
    return int(np.count_nonzero(np.diff(_above(series, level))))


def _crosses(series: Measured, level: Measured) -> bool:
    flags = _above(series, level)
    return bool(flags.any() and not flags[0])


def _mostly(series: Measured, level: Measured) -> bool:
    same = np.asarray(series.value) == level.value
    return bool(2 * np.count_nonzero(same) > same.size)


def _cyclic(series: Measured, around: Measured) -> bool:
    visits = np.asarray(series.value)
    onward = (b == a % around.value + 1 for a, b in pairwise(visits))
    return bool(len(visits) > around.value and visits[0] == 1) and all(onward)


def lax(part: str, small: Any, large: Any, *, wide: bool = True) -> dict[str, str]:
    """Waivers of a bound between two positive numbers; ``wide`` if they differ by more than two."""
    changes = [f"right {large} {c}" for c in ("x2", "x1.001", *(["x1/2"] if wide else []))]
    changes += [f"left {small} {c}" for c in ("x1/2", "x1.001", *(["x2"] if wide else []))]
    found = {
        f"{part}:{change}": "which is larger is printed, by how much is not" for change in changes
    }
    return found | {f"{part}:left {small} sign": "a weaker bound: both are positive"}


def level(part: str) -> dict[str, str]:
    """Waivers of a series that crosses one."""
    names = (f"argument 1 {ratio} x1.001", "argument 2 1 x1.001")
    why = "a thousandth is less than the sharpness goes beyond the edge"
    return {f"{part}:{name}": why for name in names}


def line(run: Run, values: Array, label: str, **more: Any) -> dict[str, Any]:
    """A line of a plot, of at most 400 points."""
    rows = slice(None, None, -(-len(values) // 400))
    return {"label": label, "x": run["step"][rows], "y": values[rows], **more}


def plot_sharpness(sample: Sample, title: str, run: Run, *columns: str) -> None:
    """Sharpness and other columns beside 2/eta."""
    names = {"second": "second of M", "output part": "largest of M_A"}
    lines = [line(run, run["sharpness"], "sharpness"), line(run, run["edge"], "2/eta")]
    lines += [line(run, run[name], names[name]) for name in columns]
    sample.plot(title, "step", "eigenvalue", lines)


def plot_residual(sample: Sample, title: str, run: Run) -> None:
    """Loss and |R|^2/n."""
    lines = [line(run, run["loss"], "|D|²/n"), line(run, run["rest"], "|R|²/n")]
    sample.plot(title, "step", "", lines, yscale="log")


def plot_norm(sample: Sample, title: str, run: Run) -> None:
    """Sharpness and |A|^2, each over its value at the start, with the anomalies."""
    sharpness = run["sharpness"] / run["sharpness"][0]
    norm = (run["output norm"] / run["output norm"][0]) ** 2
    where = anomalies(run["sharpness"], run["output norm"])[0]
    points = {"x": run["step"][where], "y": sharpness[where], "style": "points"}
    sample.plot(
        title,
        "step",
        "over the value at the start",
        [
            line(run, sharpness, "sharpness"),
            line(run, norm, "|A|²"),
            {"label": "they move apart", **points},
        ],
    )


def only(found: Evidence) -> Run:
    """The columns of a run that has one part."""
    (run,) = found.parts.values()
    return run
