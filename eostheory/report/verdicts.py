"""The ten verdicts as a reader meets them: order, glyph, colour and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Look:
    """How one verdict is shown.

    Attributes:
        name: the verdict.
        glyph: one character for a terminal that can print it.
        plain: one ASCII character for a terminal that cannot.
        style: rich style.
        meaning: one sentence for a legend.
    """

    name: str
    glyph: str
    plain: str
    style: str
    meaning: str


LOOKS: tuple[Look, ...] = (
    Look("proved", "✓", "+", "green", "Derived exactly, for every size and parameter it covers."),
    Look("certified", "■", "=", "cyan", "Rigorous, on a stated domain or at stated sizes."),
    Look("supported", "○", "o", "blue", "Numbers only: it held on every instance drawn."),
    Look("assumed", "≔", ":", "white", "A definition or an assumption, well formed and in use."),
    Look("refuted", "✗", "x", "bold red", "False as printed, with a witness."),
    Look("conflict", "≠", "#", "bold magenta", "The two witnesses disagree: an error of ours."),
    Look("undecided", "?", "?", "yellow", "Judged without result; what was tried is listed."),
    Look("vacuous", "∅", "0", "magenta", "Its hypotheses cannot be met."),
    Look("error", "!", "!", "bold red", "Its proof script failed."),
    Look("open", "·", ".", "dim", "Listed, and not encoded yet."),
)

_BY_NAME = {look.name: look for look in LOOKS}

LEGS: dict[str, str] = {
    "derivation_statement": "derivation and statement",
    "simulation_statement": "simulation and statement",
    "derivation_simulation": "derivation and simulation",
}

NATURES: dict[str, str] = {
    "conclusion": "the conclusion itself is wrong",
    "slip": "a slip inside a proof whose conclusion survives",
    "step": "a wrong step of a proof whose conclusion is false too, or not judged",
    "hypothesis": "a hypothesis is missing",
    "extraction": "the text conversion broke the formula; the paper is not to blame",
}


def look(verdict: str) -> Look:
    """The look of ``verdict``; a verdict from a newer version is shown by its bare name."""
    return _BY_NAME.get(verdict) or Look(verdict, "•", "*", "", "A verdict of another version.")


def urgency(verdict: str) -> int:
    """Place of ``verdict`` among those that somebody must look at: our own errors come first."""
    order = ("conflict", "error", "refuted", "vacuous", "undecided")
    return order.index(verdict) if verdict in order else len(order)


def glyph(console: Console, seen: Look) -> str:
    """A verdict's glyph in a form that ``console`` can print."""
    try:
        seen.glyph.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return seen.plain
    return seen.glyph
