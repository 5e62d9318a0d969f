"""What a simulation saw: instances, their draws and observations, and what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eostheory.agree.evaluate import Batch, Table, sizes_of, stack
from eostheory.agree.measured import Measured
from eostheory.formula.nodes import FormSymbol, Symbol

Test = Callable[..., "bool | None"]
Signature = tuple[frozenset[Any], str]


@dataclass(frozen=True)
class Observation:
    """Measured values of some symbols at one moment of one instance.

    Args:
        table: symbol -> measured value, multilinear map -> dense array or callable.
        scale: value of the small parameter, for order bounds.
        series: observations of one name and instance are the scales of one limit.
    """

    table: Table
    scale: float | None = None
    series: str = ""


@dataclass
class Instance:
    """One accepted instance: what was drawn and what was observed on it."""

    number: int
    draws: dict[str, str] = field(default_factory=dict)
    observations: list[Observation] = field(default_factory=list)
    tests: dict[str, Test] = field(default_factory=dict)
    _batches: dict[Any, list[tuple[Batch, list[Observation]]]] = field(
        default_factory=dict, repr=False
    )

    def batches(
        self, needed: frozenset[Symbol | FormSymbol]
    ) -> list[tuple[Batch, list[Observation]]]:
        """The observations that cover ``needed``, stacked where the sizes agree.

        Only ``needed`` is stacked; sub-expressions already evaluated on a batch are remembered,
        so that variants of one statement cost little.
        """
        if needed not in self._batches:
            groups: dict[Any, list[Observation]] = {}
            for seen in self.observations:
                if needed <= seen.table.keys():
                    part = {k: seen.table[k] for k in needed}
                    shape = tuple(sorted(sizes_of(seen.table).items()))
                    exactly = tuple(
                        sorted(
                            (k.name, v.shape) for k, v in part.items() if isinstance(v, Measured)
                        )
                    )
                    groups.setdefault((shape, exactly), []).append(seen)
            self._batches[needed] = [(_batch(needed, group), group) for group in groups.values()]
        return self._batches[needed]

    def describe(self) -> dict[str, Any]:
        """Printable form: the number and the draws."""
        return {"instance": self.number, "draws": dict(self.draws)}


def _batch(needed: frozenset[Symbol | FormSymbol], group: list[Observation]) -> Batch:
    batch = stack([{k: seen.table[k] for k in needed} for seen in group])
    # Sizes may be fixed by symbols that the statement does not use (an identity matrix, say).
    return Batch(batch.values, batch.forms, sizes_of(group[0].table), len(group))


@dataclass
class Record:
    """Everything one simulation produced.

    Args:
        instances: the accepted instances, in the order in which they were drawn.
        asked: hypotheses that the simulation asked about; only those are scored for it.
        withheld: hypotheses that were withheld in this run.
        rejected: number of drawn instances that did not meet the hypotheses, with reasons.
        events: typed events (divergence, not a number, ...) that ended an instance.
        evidence: notes and plots of the first accepted instance.
        error: traceback of an exception in the simulation, or None.
    """

    instances: list[Instance] = field(default_factory=list)
    asked: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    seed: int = 0
    examples: int = 0
    profile: str = "default"
    error: str | None = None

    @property
    def observations(self) -> int:
        """How many observations there are over all instances."""
        return sum(len(i.observations) for i in self.instances)
