"""The benchmark: the numeric engine beside its peers, in one run, against its targets.

``eostheory bench`` prints what :func:`run` finds.  JAX and a C compiler are peers only: without
them the rows that need them say so.
"""

from __future__ import annotations

from eostheory.bench import show
from eostheory.bench.cases import Case, Settings
from eostheory.bench.catalogue import UnknownCase, catalogue, run, select
from eostheory.bench.result import Judged, Outcome, Report, Table, Target
from eostheory.bench.timing import Interval

__all__ = [
    "Case",
    "Interval",
    "Judged",
    "Outcome",
    "Report",
    "Settings",
    "Table",
    "Target",
    "UnknownCase",
    "catalogue",
    "run",
    "select",
    "show",
]
