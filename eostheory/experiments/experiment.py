"""What an experiment is: settings, a run, plots, and what the paper reports beside what it found.

One module declares one figure of a paper.  The run writes records; plots and findings are functions
of the records alone, so that they can be made again from the folder, also of a run that goes on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eostheory.experiments.results import Results
    from eostheory.experiments.session import Session


def setting(
    default: Any,
    text: str,
    *,
    paper: Any = None,
    least: float | None = None,
    most: float | None = None,
    choices: Sequence[str] = (),
) -> Any:
    """A field of a settings class: a frozen dataclass, whose annotations give the types.

    Args:
        default: of the form that runs here.
        text: what it is, with its unit if it has one.
        paper: what the paper uses; None where it does not say, which makes it a choice of ours.
        least, most: bounds, both allowed.
        choices: the words that are allowed.
    """
    about = {"text": text, "paper": paper, "least": least, "most": most, "choices": tuple(choices)}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Finding:
    """A number or a fact that the paper reports, beside what was measured.

    Args:
        name: what is compared.
        paper: what the paper says, in its words or numbers.
        measured: what the records say.
        agrees: whether they agree; None where nothing can be decided (another data set, say), and
            ``note`` says why.
    """

    name: str
    paper: str
    measured: float | int | str
    agrees: bool | None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Plot:
    """A plot of the results.

    Args:
        name: of its file, without a suffix.
        caption: what is seen, as a sentence.
        draw: makes the figure; called with settings and results.
    """

    name: str
    caption: str
    draw: Callable[[Any, Results], Figure]


@dataclass(frozen=True, eq=False)
class Experiment:
    """An experiment of a paper.

    Args:
        name: ``paper/figure``.
        title: what is seen, in one line.
        claims: ids of the statements in the claim lists that it is evidence for.
        settings: a frozen dataclass whose fields are made by :func:`setting`.
        run: does the work, in parts that the session records; called with settings and session.
        parts: names of the parts for the settings, with the rows that each will have.
        plots: drawn from the results.
        findings: what the paper reports beside what was measured; called with settings and results.
        variants: named changes of settings: ``quick`` runs in seconds, ``paper`` is what was
            printed, where that needs more than this machine.
        choices: what the paper leaves unsaid, and what was chosen.
        sweep: the settings over which a sweep shows how much those choices matter, with values.
        shared: whether several processes may share it: all that it asks of its losses goes through
            :meth:`~eostheory.experiments.session.Session.share`.
    """

    name: str
    title: str
    claims: tuple[str, ...]
    settings: type
    run: Callable[[Any, Session], None]
    parts: Callable[[Any], Mapping[str, int]]
    plots: tuple[Plot, ...]
    findings: Callable[[Any, Results], list[Finding]]
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    choices: str = ""
    sweep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    shared: bool = False

    def defaults(self) -> Any:
        """The settings that run when nothing is set."""
        return self.settings()

    def fields(self) -> tuple[dataclasses.Field[Any], ...]:
        """The settings that can be set."""
        return dataclasses.fields(self.settings)
