"""Times taken side by side: peers in turn, repeat after repeat, and what the repeats say."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median


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


def stretches(values: Sequence[float], parts: int = 8) -> Interval:
    """Mean of what costs unequally from step to step, with the range of interleaved parts.

    A median, of the values or of the parts, would hide what is rare and expensive, as a cold check
    is; so the mean of all values stands in its place and is what a target is judged by.
    """
    parts = min(parts, len(values))
    seen = [mean(values[i::parts]) for i in range(parts)]
    return Interval(mean(values), min(seen), max(seen), parts)


def growth(
    values: Sequence[float], covariates: Sequence[Sequence[float]] = (), parts: int = 50
) -> Interval:
    """How much ``values`` grow from first to last, with a 95 % interval.

    Least squares of means over ``parts`` stretches in a row on a constant, the covariates (which
    explain variation that is no growth) and time; from the scatter about the fit, two standard
    errors to either side.

    Args:
        values: one for each step.
        covariates: as long as the values.

    Raises:
        ValueError: fewer values than a fit needs.
    """
    import numpy as np

    parts = min(parts, len(values) // 2)
    columns = 2 + len(covariates)
    if parts <= columns:
        raise ValueError(f"{len(values)} values are too few to see growth")
    size = len(values) // parts

    def means(x: Sequence[float]) -> list[float]:
        return [mean(x[i * size : (i + 1) * size]) for i in range(parts)]

    time_ = (np.arange(parts) / (parts - 1)).tolist()
    table = np.array([[1.0] * parts, time_, *(means(c) for c in covariates)]).T
    seen = np.array(means(values))
    found, _, rank, _ = np.linalg.lstsq(table, seen, rcond=None)
    if rank < columns:  # a covariate that never changes explains nothing
        return growth(values, (), parts)
    scatter = float(((seen - table @ found) ** 2).sum()) / (parts - columns)
    error = 2 * (scatter * float(np.linalg.inv(table.T @ table)[1, 1])) ** 0.5
    rise = float(found[1])
    return Interval(rise, rise - error, rise + error, parts)
