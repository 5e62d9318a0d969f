"""The order in which claims are judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eostheory.claims.catalogue import CatalogueEntry


def topological(entries: Mapping[str, CatalogueEntry], chosen: Iterable[str]) -> list[str]:
    """``chosen``, what a claim needs before the claim, otherwise in the order given.

    The lists have no cycles (they are refused at load).
    """
    wanted = dict.fromkeys(chosen)
    order: dict[str, None] = {}
    for root in wanted:
        trail = [(root, iter(entries[root].needs))] if root not in order else []
        while trail:
            name, needs = trail[-1]
            need = next((n for n in needs if n in entries and n not in order), None)
            if need is None:
                order[name] = None
                trail.pop()
            else:
                trail.append((need, iter(entries[need].needs)))
    return [i for i in order if i in wanted]
