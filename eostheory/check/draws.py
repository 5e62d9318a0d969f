"""Hypothesis, so that its draws follow from the seed alone and it leaves nothing behind.

Hypothesis mixes numbers into its draws that it reads in the source of the user's imported modules,
and keeps them in a folder ``.hypothesis`` of the current one: what a loss is tried on would depend
on what else was imported, and a report would change with the surroundings.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def secluded() -> Iterator[None]:
    """Within it Hypothesis reads no source.

    This is no public option of Hypothesis: a version that does it otherwise is left as it is, and
    draws well, if not always the same.
    """
    try:
        module: Any = importlib.import_module("hypothesis.internal.conjecture.providers")
        original, nothing = module._get_local_constants, module.Constants
        cache = module.CONSTANTS_CACHE.cache
    except (ImportError, AttributeError):
        yield
        return
    empty = nothing()
    module._get_local_constants = lambda: empty
    cache.clear()
    try:
        yield
    finally:
        module._get_local_constants = original
        cache.clear()
