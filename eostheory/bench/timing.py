"""Times taken side by side: peers in turn, repeat after repeat, and what the repeats say."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One run: processor time and elapsed time, in seconds."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Interval:
    """A median with an interval for it, both from ``count`` repeats.

    The interval is between order statistics, so that no distribution is assumed; it covers the
    true median with at least 95 % where ``count`` allows that (six or more), else it is the
    whole range.
    """

    median: float
    low: float
    high: float
    count: int

    @staticmethod
    def of(values: Sequence[float]) -> Interval:
        """From the values of the repeats.

        Raises:
            ValueError: no value, or one that is not finite.
        """
        if not values or not all(map(math.isfinite, values)):
            raise ValueError(f"finite values were expected, not {list(values)}")
        ordered = sorted(values)
        out = _left_out(len(ordered))
        return Interval(median(ordered), ordered[out], ordered[-1 - out], len(ordered))

    def map(self, function: Callable[[float], float]) -> Interval:
        """The same for a monotone function of the values."""
        ends = sorted((function(self.low), function(self.high)))
        return Interval(function(self.median), ends[0], ends[1], self.count)


def _left_out(count: int) -> int:
    """How many values at each end the 95 % interval for a median leaves out."""
    out, missed = 0, 2 * 0.5**count
    while True:
        # 2 P(Binomial(count, 1/2) <= out) is what the interval without out + 1 values misses
        missed += 2 * math.comb(count, out + 1) * 0.5**count
        if missed > 0.05:
            return out
        out += 1


def clocked(run: Callable[[], object]) -> Sample:
    """Time one call in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Sample(cpu, wall)


def interleaved(
    peers: Mapping[str, Callable[[], Sample]], repeats: int, warm: int = 1
) -> dict[str, list[Sample]]:
    """Run the peers in turn, A B C, B C A, ...: what the machine does meets all alike.

    Args:
        peers: each name with a function that runs it once and says how long that took.
        repeats: how often each of them counts.
        warm: rounds before, which do not count.
    """
    names = list(peers)
    taken: dict[str, list[Sample]] = {name: [] for name in names}
    for turn in range(-warm, repeats):
        first = turn % max(len(names), 1)
        for name in names[first:] + names[:first]:
            sample = peers[name]()
            if turn >= 0:
                taken[name].append(sample)
    return taken


def speeds(samples: Sequence[Sample], work: float) -> Interval:
    """``work`` per second of processor time."""
    return Interval.of([work / max(s.cpu, 1e-9) for s in samples])


def walls(samples: Sequence[Sample], work: float) -> Interval:
    """``work`` per elapsed second."""
    return Interval.of([work / max(s.wall, 1e-9) for s in samples])


def ratios(
    ours: Sequence[Sample], theirs: Sequence[Sample], work: tuple[float, float] = (1.0, 1.0)
) -> Interval:
    """How many times as fast ours are, repeat by repeat; ``work`` is what each of them did."""
    done, other = work
    return Interval.of(
        [
            (done / max(a.cpu, 1e-9)) / (other / max(b.cpu, 1e-9))
            for a, b in zip(ours, theirs, strict=True)
        ]
    )


def slope(x: Sequence[float], y: Sequence[float]) -> Interval:
    """Slope of y against x by Theil and Sen: the median of the slopes of halves apart.

    Robust against single late repeats.  The interval is the one of a median over disjoint pairs
    ``(i, i + n/2)``, which are independent where the noise is.

    Raises:
        ValueError: fewer than four points.
    """
    if len(x) != len(y) or len(x) < 4:
        raise ValueError(f"at least four points (x, y) were expected, not {len(x)} and {len(y)}")
    half = len(x) // 2
    start = len(x) - half
    return Interval.of([(y[start + i] - y[i]) / (x[start + i] - x[i]) for i in range(half)])
