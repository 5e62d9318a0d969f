"""Derive and prove: exact normal forms, relations, and decisions about statements."""

from eostheory.symbolic.decision import Decision
from eostheory.symbolic.model import Model
from eostheory.symbolic.recheck import recheck

__all__ = ["Decision", "Model", "recheck"]
