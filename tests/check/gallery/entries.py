"""How an entry of the gallery is made, and what findings are expected of whole families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

PASS, FAIL, NOT_APPLICABLE, UNKNOWN = "pass", "fail", "not-applicable", "unknown"
APPLIES, FAILS = "applies", "fails"
NO_FAILURE = (PASS, NOT_APPLICABLE, UNKNOWN)

Expected = Mapping[str, str | tuple[str, ...]]

PREDICTIONS = (
    "progressive-sharpening",
    "small-epsilon",
    "predicted-dynamics",
    "limiting-sharpness",
)
SPHERICAL = ("sharpness-reduction-flow", "rms-drift")
NETWORK = ("four-phases", "output-norm")

# A function of a flat vector has no output layer; what is not declared is not judged; and a loss
# that was not declared scale-invariant may well not be.
FUNCTION: Expected = dict.fromkeys((*NETWORK, "declared-hessian"), NOT_APPLICABLE)
# An isolated minimizer leaves nothing to move along.
PLAIN: Expected = {
    **FUNCTION,
    **dict.fromkeys(("scale-invariant", *SPHERICAL), NOT_APPLICABLE),
}
# Without a lower bound there is no minimizer, which a search cannot prove.
UNBOUNDED: Expected = {"minimizer-manifold": UNKNOWN}
# A network as a module.
MODULE: Expected = {
    "declared-hessian": NOT_APPLICABLE,
    "scale-invariant": NOT_APPLICABLE,
}


@dataclass(frozen=True)
class Entry:
    """A loss and what ``check_loss`` has to find.

    Args:
        make: the loss, anew (some of them have state).
        options: keyword arguments of ``check_loss``; data may be a function that loads them.
        expected: status, or statuses, of the checks that do not simply pass or fall with another.
        applies: verdicts on theorems, by id.
        says: words of the message of a check.
        slow: takes minutes.
    """

    name: str
    make: Callable[[], Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    expected: Expected = field(default_factory=dict)
    applies: Mapping[str, str] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    slow: bool = False

    def __str__(self) -> str:
        return self.name

    def arguments(self) -> dict[str, Any]:
        """The options, their data loaded."""
        given = dict(self.options)
        if callable(given.get("data")):
            given["data"] = given["data"]()
        return given


GALLERY: dict[str, Entry] = {}


def enter(name: str, make: Callable[[], Any], expected: Expected = PLAIN, /, **more: Any) -> None:
    """Put an entry into the gallery; ``more`` beyond the fields of an entry are options."""
    assert name not in GALLERY, name
    known = {k: more.pop(k) for k in ("applies", "says", "slow") if k in more}
    GALLERY[name] = Entry(name, make, more, expected, **known)


def vector(*values: float) -> Tensor:
    """(D,) float64."""
    return torch.tensor(values, dtype=torch.float64)
