"""Draws of Hypothesis that depend on their seed, and not on what else has been imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def no_local_constants() -> Iterator[None]:
    """Keep Hypothesis from drawing numbers that it reads from the source of imported modules.

    Good for finding bugs, bad for a verdict: the same seed would give other instances in another
    process, or after any change of any file.  Nor are these numbers kept in ``.hypothesis``, a
    folder of the current one.  It is no public option: releases that do it otherwise are left as
    they are, and draw well, if not always the same.
    """
    providers: Any
    try:
        from hypothesis.internal.conjecture import providers

        none = providers.Constants()
        before = (providers._get_local_constants, providers.CONSTANTS_CACHE)
    except (ImportError, AttributeError):
        yield
        return
    providers._get_local_constants, providers.CONSTANTS_CACHE = (lambda: none), {}
    try:
        yield
    finally:
        providers._get_local_constants, providers.CONSTANTS_CACHE = before
