"""What a caller of the suite can do wrong, as one family of exceptions."""

from __future__ import annotations


class LoadError(ValueError):
    """A folder of proofs that cannot be used: the message says what, where and what to do."""


class UnknownClaim(ValueError):
    """An id that no list has; the message names the nearest ids."""


class NothingSelected(ValueError):
    """A selection that no listed claim meets."""
