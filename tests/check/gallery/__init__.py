"""Losses whose findings are known, and why.

Every entry says what must be found, worked out by hand from the statement of each check.  Most are
the same small loss, :func:`~.valley.valley`, which satisfies everything, with one thing broken:
then exactly one check fails, and the checks that need it are not applicable.

A check that an entry does not mention has to pass, or to be not applicable because of one that it
needs.  A tuple of statuses leaves open what the theory leaves open, never a failure.
"""

from importlib import import_module

from .entries import GALLERY, Entry

__all__ = ["GALLERY", "Entry"]

# each enters its losses
for _family in (
    "valley",
    "evaluation",
    "derivatives",
    "hypotheses",
    "minimizers",
    "sphere",
    "papers",
    "networks",
):
    import_module(f".{_family}", __name__)
