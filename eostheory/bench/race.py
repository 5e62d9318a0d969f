"""Peers on one task: do they agree, how fast are they, and how do they compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from eostheory.bench.cases import Wrong
from eostheory.bench.peers import Peer
from eostheory.bench.result import Cell, Table
from eostheory.bench.timing import Interval, Sample, interleaved, ratios, speeds, walls

COLUMNS = ("peer", "steps/s", "steps/s by the clock", "compiled is", "difference", "note")


@dataclass(frozen=True)
class Race:
    """What a race found.

    Args:
        peers: who ran, by name.
        samples: their times.
        difference: largest difference of each from the reference, relative to its length.
        absent: who did not run, with the reason.
        wrong: who ran and does not agree, with how far off it is.
    """

    peers: Mapping[str, Peer]
    samples: Mapping[str, Sequence[Sample]]
    difference: Mapping[str, float]
    absent: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)

    def ratio(self, ours: str, theirs: str) -> Interval | str:
        """How many times as fast ours is, or why that is not known."""
        for name in (ours, theirs):
            if name not in self.samples:
                if name in self.wrong:
                    return Wrong(self.wrong[name])
                return self.absent.get(name) or f"{name} did not run"
        work = (self.peers[ours].work, self.peers[theirs].work)
        return ratios(self.samples[ours], self.samples[theirs], work)

    def against(self, ours: str, theirs: Sequence[str]) -> Interval | str:
        """`ratio` to the fastest of several; if one is wrong, nobody knows which that is."""
        for name in theirs:
            if name in self.wrong:
                return Wrong(self.wrong[name])
        return self.ratio(ours, self.fastest(theirs))

    def fastest(self, names: Sequence[str]) -> str:
        """The fastest of those that ran; the first of them where none did."""
        ran = [name for name in names if name in self.samples]
        return max(ran, key=self._speed, default=names[0])

    def _speed(self, name: str) -> float:
        return speeds(self.samples[name], self.peers[name].work).median

    def table(self, title: str, ours: str) -> Table:
        """Side by side."""
        rows: list[tuple[Cell, ...]] = []
        for name, peer in self.peers.items():
            if name not in self.samples:
                rows.append((name, None, None, None, self.difference[name], self.wrong[name]))
                continue
            taken = self.samples[name]
            ratio: Cell = None
            if name != ours and ours in self.samples:
                ratio = self.ratio(ours, name)
            rows.append(
                (
                    name,
                    speeds(taken, peer.work),
                    walls(taken, peer.work),
                    ratio,
                    self.difference[name],
                    peer.note,
                )
            )
        rows += [(name, None, None, None, None, reason) for name, reason in self.absent.items()]
        return Table(title, COLUMNS, tuple(rows))


def race(
    peers: Sequence[Peer],
    absent: Mapping[str, str],
    *,
    check: int,
    tolerance: float,
    repeats: int,
) -> Race:
    """Let the peers run in turn, those that agree with the first after ``check`` steps.

    Args:
        peers: the first is the reference.
        absent: who cannot run here, with the reason.
        check: steps after which the states are compared; few enough that rounding has not grown.
        tolerance: largest relative difference that rounding explains.
        repeats: how often each is timed.
    """
    expected = peers[0].final(check)
    difference = {peer.name: _difference(peer.final(check), expected) for peer in peers}
    wrong = {
        peer.name: f"{peer.name} differs from {peers[0].name} by {difference[peer.name]:.2g}: "
        "not counted"
        for peer in peers
        if not difference[peer.name] <= tolerance
    }
    for peer in peers:
        # a trajectory that stops early takes no steps: its speed would be a fiction
        faults = getattr(peer, "faults", None)
        if faults is not None and peer.name not in wrong and (reason := faults()):
            wrong[peer.name] = reason
    fair = [peer for peer in peers if peer.name not in wrong]
    samples = interleaved({peer.name: peer.time for peer in fair}, repeats)
    return Race({peer.name: peer for peer in peers}, samples, difference, absent, wrong)


def _difference(found: Tensor, expected: Tensor) -> float:
    """Largest over the trajectories of ``|found - expected| / |expected|``."""
    if found.shape != expected.shape:
        return float("inf")
    off = (found - expected).norm(dim=0) / expected.norm(dim=0)
    largest = float(off.max())
    return largest if largest == largest else float("inf")
