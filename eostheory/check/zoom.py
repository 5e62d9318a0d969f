"""Finds where a function of one variable is not smooth, by zooming in on its undivided differences.

The third difference of the slope at spacing h is of size h^3 where the slope has a Lipschitz second
derivative.  At a jump of the slope it does not shrink at all, at a jump of the first, the second
derivative of the slope like h, h^2; so halving h again and again at the place where the difference
is largest measures how smooth the function is there, until rounding takes over.  Values that jump
show in what is left of them after the integral of the slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

EPS = 2.0**-52

NEGLIGIBLE = 2.0**-26
"""A jump smaller than this share of the slope is one of an approximation inside the loss (that of
softplus beyond its threshold is 2e-9), not one of the function that it stands for."""

ENOUGH = 6
"""Halvings over which an order is measured."""

FLAT = 20
"""Halvings over which a difference that does not shrink is that of a jump."""

FINEST = 2.0**-40
"""The finest spacing, relative to the length of the point."""

Sample = tuple[float, float]
"""Value and slope; NaN where there is none."""


@dataclass(frozen=True)
class Break:
    """A place where a function is less smooth than asked.

    Args:
        at: the place.
        order: the power of the spacing with which differences of the slope shrink there; -1 for a
            jump of the value.
        spacing: at which the two sides were looked at.
        left, right: the derivative that jumps, on both sides.
        size: the difference that is left at that spacing.
    """

    at: float
    order: float
    spacing: float
    left: float
    right: float
    size: float

    @property
    def derivative(self) -> int:
        """Which derivative is not continuous (0 is the value), or, for 4, not bounded."""
        if self.order < -0.5:
            return 0
        return 1 + sum(self.order >= bound for bound in (0.25, 1.25, 2.25))

    @property
    def smoothness(self) -> str:
        """The class of the function here."""
        return ("discontinuous", "C0", "C1", "C2", "C3")[self.derivative]


@dataclass(eq=False)
class Line:
    """A function of one variable, remembered where it was evaluated.

    Args:
        sample: value and slope at t.
        scale: length of the points on the line, which rounding is relative to.
        many: ``sample`` at several t in one pass, or None where there is no such way.
    """

    sample: Callable[[float], Sample]
    scale: float
    many: Callable[[Sequence[float]], list[Sample] | None] | None = None
    known: dict[float, Sample] = field(default_factory=dict)

    def ahead(self, times: Sequence[float]) -> None:
        """Evaluate at what will be asked for in one pass, where that can be done."""
        wanted = [t for t in dict.fromkeys(times) if t not in self.known]
        if self.many is not None and len(wanted) > 1:
            found = self.many(wanted)
            if found is not None:
                self.known.update(zip(wanted, found, strict=True))

    def __call__(self, t: float) -> Sample:
        if t not in self.known:
            self.known[t] = self.sample(t)
        return self.known[t]


@dataclass(frozen=True)
class _Window:
    """Four neighbouring nodes."""

    start: float
    spacing: float
    samples: tuple[Sample, ...]

    def size(self, values: bool) -> float:
        """The undivided difference that is followed; NaN where a node has no value."""
        (a, da), (_, db), (_, dc), (d, dd) = self.samples
        if values:
            return abs(d - a - 0.375 * self.spacing * (da + 3 * db + 3 * dc + dd))
        return abs(dd - 3 * dc + 3 * db - da)

    def floor(self, values: bool, scale: float) -> float:
        """What rounding of the numbers themselves and of the places leaves of it."""
        slopes = [s[1] for s in self.samples]
        change = max(abs(b - a) for a, b in pairwise(slopes))
        if values:
            largest = max(abs(s[0]) for s in self.samples)
            return 4 * EPS * (largest + scale * max(map(abs, slopes)))
        return 8 * EPS * (max(map(abs, slopes)) + scale * change / self.spacing)


def search(
    line: Line, low: float, high: float, nodes: int, paths: int, first: bool = False
) -> Break | None:
    """The least smooth place found between ``low`` and ``high``.

    Args:
        nodes: of the first grid.
        paths: candidates that are followed, of slopes and of values each.
        first: be content with the first place found.
    """
    spacing = (high - low) / (nodes - 0.9)
    if not spacing > 64 * FINEST * line.scale:
        return None
    # Off the middle, so that kinks at round numbers are not hit but enclosed.
    grid = [low + (i + 0.0372) * spacing for i in range(nodes)]
    line.ahead(grid)
    samples = [line(t) for t in grid]
    windows = [_Window(grid[i], spacing, tuple(samples[i : i + 4])) for i in range(len(grid) - 3)]
    slopes = [abs(s[1]) for s in samples]
    finite = [s for s in samples if math.isfinite(s[0]) and math.isfinite(s[1])]
    if not finite:
        return None
    most = max(abs(s[0]) for s in finite)
    # A slope that changes no value on the line by more than some roundings is no slope: where a
    # loss saturates it is computed as the difference of numbers that cancel.
    least = 16 * EPS * max(*(abs(s[1]) for s in finite), most / (high - low))
    for values in (True, False):
        sizes = [w.size(values) for w in windows]
        found: list[Break] = []
        for i in _candidates(windows, sizes, values, paths):
            near = [s for s in slopes[max(0, i - 4) : i + 8] if s == s]
            place = _follow(line, windows[i], values, max(near), 0.0 if values else least)
            if place is not None:
                found.append(place)
                if first:
                    break
        if found:
            worst = min(found, key=lambda place: place.order)
            places = windows[:: max(1, len(windows) // (4 if first else 8))]
            scatter = sorted(_noise(line, w, values) for w in places)
            if worst.size > 32 * scatter[len(scatter) // 2]:
                return worst
    return None


def _candidates(windows: list[_Window], sizes: list[float], values: bool, paths: int) -> list[int]:
    """Windows of the largest differences, and of the largest beside what surrounds them."""
    usable = [i for i, size in enumerate(sizes) if math.isfinite(size) and size > 0]
    scores: list[Callable[[int], float]] = [lambda i: sizes[i]]

    def beside(i: int) -> float:
        """Against the slope there: small jumps where the loss is flat."""
        most = max(abs(s[1]) for s in windows[i].samples) * (windows[i].spacing if values else 1)
        return sizes[i] / most if most > 0 else 0.0

    def sudden(i: int) -> float:
        """Against differences a few nodes away: what is smooth changes slowly."""
        around = [sizes[j] for j in (i - 4, i - 3, i + 3, i + 4) if 0 <= j < len(sizes)]
        around = [x for x in around if x == x]
        return sizes[i] / (max(around) + 1e-300) if around else 0.0

    scores += [sudden, beside]
    chosen: list[int] = []
    for turn in range(paths):
        score = scores[turn % len(scores)]
        free = [i for i in usable if all(abs(i - j) > 2 for j in chosen)]
        if not free:
            break
        chosen.append(max(free, key=score))
    return chosen


def _noise(line: Line, window: _Window, values: bool) -> float:
    """How far differences scatter by rounding here, at the finest spacing that shows it."""
    steps = 0.0
    for power in range(34, 15, -2):
        spacing = line.scale * 2.0**-power
        if spacing * 6 > window.spacing:
            break
        start = window.start + 0.618 * window.spacing
        line.ahead([start + i * spacing for i in range(7)])
        samples = [line(start + i * spacing) for i in range(7)]
        kind = 0 if values else 1
        numbers = [s[kind] for s in samples]
        if not all(math.isfinite(x) for x in numbers):
            break
        moves = [abs(b - a) for a, b in pairwise(numbers)]
        if moves.count(0.0) >= 3:
            steps = max(steps, min((x for x in moves if x > 0), default=0.0))
            continue
        # A jump between two of these nodes would hide itself as noise; it is found elsewhere.
        windows = (_Window(start, spacing, tuple(samples[i : i + 4])) for i in range(4))
        return max(steps, *(w.size(values) for w in windows))
    return steps


def _follow(line: Line, window: _Window, values: bool, slope: float, least: float) -> Break | None:
    """Halve the spacing at the largest difference until rounding, and measure the order."""
    floor = 32 * window.floor(values, line.scale)
    scatter = _noise(line, window, values) if window.size(values) > floor else 0.0
    levels: list[tuple[float, float]] = []
    windows: list[_Window] = []
    while True:
        size = window.size(values)
        if not size > 32 * max(scatter, least, window.floor(values, line.scale)):
            break
        levels.append((window.spacing, size))
        windows.append(window)
        if window.spacing < FINEST * line.scale:
            break
        if len(levels) > FLAT and levels[-1 - FLAT][1] < 1.5 * levels[-1][1]:
            break  # a jump
        if values and len(levels) > 2 * ENOUGH and 0.5 < _order(levels) < 1.5:
            return None  # a jump of the slope shrinks like this in the values, for long
        half = window.spacing / 2
        times = [window.start + i * half for i in range(7)]
        if times[1] not in line.known:
            # This halving and the next, wherever it goes.
            finer = [t + j * half / 2 for t in times[:4] for j in (1, 3, 5)]
            line.ahead([*times[1::2], *finer])
        samples = [window.samples[i // 2] if i % 2 == 0 else line(times[i]) for i in range(7)]
        children = [_Window(times[i], half, tuple(samples[i : i + 4])) for i in range(4)]
        finite = [c for c in children if math.isfinite(c.size(values))]
        if not finite:
            return None  # beside a place without a value
        window = max(finite, key=lambda c: c.size(values))
    return _judge(line, levels, windows, values, slope)


def _order(levels: list[tuple[float, float]], over: int = ENOUGH) -> float:
    return math.log2(levels[-1 - over][1] / levels[-1][1]) / over


def _judge(
    line: Line,
    levels: list[tuple[float, float]],
    windows: list[_Window],
    values: bool,
    slope: float,
) -> Break | None:
    if len(levels) <= ENOUGH:
        return None
    order = _order(levels)
    if values:
        if order > 0.25:
            return None
        last = windows[-1]
        whole = max(abs(s[0]) for s in last.samples) + slope
        if levels[-1][1] < NEGLIGIBLE * whole:
            return None
        middle = last.start + 1.5 * last.spacing
        left, right = last.samples[0][0], last.samples[3][0]
        return Break(middle, -1.0, last.spacing, left, right, levels[-1][1])
    if order < 0.25 and levels[-1][1] < 4 * NEGLIGIBLE * slope:
        # The jump of an approximation hides what is finer: judge what is coarser.
        jump = levels[-1][1]
        kept = [i for i, (_, size) in enumerate(levels) if size > 8 * jump]
        levels, windows = [levels[i] for i in kept], [windows[i] for i in kept]
        if len(levels) <= ENOUGH:
            return None
        order = _order(levels)
    # What is steep but smooth reaches order 3 at the end; what is not stays below.
    if max(order, _order(levels, 3)) > 2.75 or (order > 2.25 and len(levels) < 10):
        return None
    return _sides(line, windows[-1], order, levels[-1][1])


def _sides(line: Line, window: _Window, order: float, size: float) -> Break:
    """The derivative that jumps, on both sides of the place, by one-sided differences."""
    place = window.start + 1.5 * window.spacing
    found = Break(place, order, window.spacing, math.nan, math.nan, size)
    k = found.derivative
    if k == 4:
        return found
    h = window.spacing * (4 if k == 1 else 16)
    weights = {1: (1.0,), 2: (-1.0, 1.0), 3: (1.0, -2.0, 1.0)}[k]

    def one(sign: int) -> float:
        slopes = [line(place + sign * h * (i + 1))[1] for i in range(k)]
        total = sum(w * s for w, s in zip(weights, slopes, strict=True))
        return total * float(sign) ** (k - 1) / h ** (k - 1)

    return Break(place, order, window.spacing, one(-1), one(1), size)
