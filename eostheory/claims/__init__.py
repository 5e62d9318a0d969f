"""Claims, their verdicts, and the mutants that test the verdicts."""

from eostheory.claims.claim import Claim, ClaimError
from eostheory.claims.judge import Settings, judge
from eostheory.claims.mutate import Mutant, mutants
from eostheory.claims.verdict import Leg, Legs, Verdict, verdict_of

__all__ = [
    "Claim",
    "ClaimError",
    "Leg",
    "Legs",
    "Mutant",
    "Settings",
    "Verdict",
    "judge",
    "mutants",
    "verdict_of",
]
