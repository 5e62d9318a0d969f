"""Discover, plan, run, cache, and judge verdicts against their expectations."""

from eostheory.suite.errors import LoadError, NothingSelected, UnknownClaim
from eostheory.suite.events import (
    ClaimFinished,
    ClaimStarted,
    Event,
    Listener,
    RunFinished,
    RunStarted,
)
from eostheory.suite.library import Library, Paper, bundled_proofs, load_library
from eostheory.suite.outcome import EXIT_MEANINGS, LEVELS, Exit
from eostheory.suite.run import Request, run
from eostheory.suite.selection import ExpressionError, Selection, select, split_targets
from eostheory.suite.survey import Known, survey

__all__ = [
    "EXIT_MEANINGS",
    "LEVELS",
    "ClaimFinished",
    "ClaimStarted",
    "Event",
    "Exit",
    "ExpressionError",
    "Known",
    "Library",
    "Listener",
    "LoadError",
    "NothingSelected",
    "Paper",
    "Request",
    "RunFinished",
    "RunStarted",
    "Selection",
    "UnknownClaim",
    "bundled_proofs",
    "load_library",
    "run",
    "select",
    "split_targets",
    "survey",
]
