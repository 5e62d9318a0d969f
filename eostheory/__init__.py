"""Executable theory of the edge of stability.

The statements of the papers are data (:mod:`eostheory.formula`); each is judged by a derivation
(:mod:`eostheory.symbolic`) and a simulation (:mod:`eostheory.numeric`) that do not see each other.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
