"""Options that several commands share.  Nothing heavy is imported here: ``--help`` is fast."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

# The names below stand elsewhere too (in eostheory.suite and eostheory.claims); importing them from
# there is more than --help can afford, so a test compares them.


class Profile(StrEnum):
    """How thoroughly to judge."""

    QUICK = "quick"
    DEFAULT = "default"
    THOROUGH = "thorough"


class Level(StrEnum):
    """Verdicts that can be demanded."""

    SUPPORTED = "supported"
    CERTIFIED = "certified"
    PROVED = "proved"


class VerdictName(StrEnum):
    """Every verdict."""

    PROVED = "proved"
    CERTIFIED = "certified"
    SUPPORTED = "supported"
    REFUTED = "refuted"
    CONFLICT = "conflict"
    UNDECIDED = "undecided"
    VACUOUS = "vacuous"
    ASSUMED = "assumed"
    OPEN = "open"
    ERROR = "error"


class KindName(StrEnum):
    """Every kind of statement."""

    ASSUMPTION = "assumption"
    CONJECTURE = "conjecture"
    COROLLARY = "corollary"
    DEFINITION = "definition"
    EQUATION = "equation"
    FIGURE = "figure"
    FORMULA = "formula"
    LEMMA = "lemma"
    PROOF_STEP = "proof-step"
    PROPOSITION = "proposition"
    REMARK = "remark"
    THEOREM = "theorem"


EXIT_CODES = """Exit codes:

0  all as expected

1  a verdict differs from its expectation, witnesses conflict, or a mutant survives without a waiver

2  usage, unknown id, or a broken list

3  below the demanded level

4  a proof script failed, or an internal error

5  nothing selected

130  interrupted
"""

LOSS_EXIT_CODES = """Exit codes:

0  all as expected

1  a check fails that was not expected to, or an expected failure passes

2  usage, unknown check, or a target that gives no loss

3  --strict, and a check could not be decided

4  internal error

5  nothing selected

130  interrupted; the report of what was done is written
"""

HELP = {"help_option_names": ["-h", "--help"]}

_SELECT = "Which claims"
_JUDGE = "How to judge"

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[IDS|GLOBS|PATHS]...",
        help="Ids (lyu22/thm-B.7), papers (lyu22), globs ('lyu22/thm-*') or folders of proofs; "
        "all bundled claims if none are given.",
        show_default=False,
    ),
]
Papers = Annotated[
    list[str] | None,
    typer.Option("--paper", metavar="NAME", help="Only this paper.", rich_help_panel=_SELECT),
]
Kinds = Annotated[
    list[KindName] | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="Only this kind of statement: theorem, lemma, proof-step, equation, figure, ...",
        rich_help_panel=_SELECT,
    ),
]
Verdicts = Annotated[
    list[VerdictName] | None,
    typer.Option(
        "--verdict",
        metavar="VERDICT",
        help="Only claims with this verdict: proved, refuted, open, ...",
        rich_help_panel=_SELECT,
    ),
]
Expression = Annotated[
    str,
    typer.Option(
        "-k",
        metavar="EXPR",
        help="Words that id, kind, place or summary contain: 'drift and not step'.",
        rich_help_panel=_SELECT,
        show_default=False,
    ),
]
ProfileOption = Annotated[
    Profile,
    typer.Option("--profile", help="How many instances and mutants.", rich_help_panel=_JUDGE),
]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, help="Root seed of the drawn instances.", rich_help_panel=_JUDGE),
]
Jobs = Annotated[
    int,
    typer.Option(
        "-j",
        "--jobs",
        min=0,
        help="Worker processes; 0: one per core.",
        rich_help_panel=_JUDGE,
        show_default=False,
    ),
]
Mutate = Annotated[
    bool,
    typer.Option(
        "--mutate/--no-mutate",
        help="Mutate the statements, to test the verdicts.",
        rich_help_panel=_JUDGE,
    ),
]
Exact = Annotated[
    bool,
    typer.Option(
        "--exact",
        help="Derivations only; what has none is simulated still.",
        rich_help_panel=_JUDGE,
    ),
]
NoCache = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        help="Neither use nor keep results ($EOSTHEORY_CACHE_DIR says where they are).",
        rich_help_panel=_JUDGE,
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option("--in", metavar="PATH", help="Folder of proofs; the bundled ones otherwise."),
]

_LOSS = "The loss"
_CHECKS = "Which checks"

LossSize = Annotated[
    int | None,
    typer.Option(
        "--size",
        min=1,
        metavar="D",
        help="Number of parameters; not needed with --start, a module or sympy.",
        rich_help_panel=_LOSS,
    ),
]
LossStart = Annotated[
    str,
    typer.Option(
        "--start",
        metavar="X,Y,...",
        help="Where real runs begin.",
        rich_help_panel=_LOSS,
        show_default=False,
    ),
]
LossDomain = Annotated[
    str,
    typer.Option(
        "--domain",
        metavar="LOW,HIGH",
        help="Bounds of every parameter, within which properties are demanded: --domain=-2,2.",
        rich_help_panel=_LOSS,
        show_default=False,
    ),
]
LossName = Annotated[
    str | None,
    typer.Option(
        "--name", metavar="TEXT", help="How the report calls the loss.", rich_help_panel=_LOSS
    ),
]
LossLearningRate = Annotated[
    float | None,
    typer.Option("--learning-rate", metavar="ETA", help="Of the real runs.", rich_help_panel=_LOSS),
]
LossWeightDecay = Annotated[
    float | None,
    typer.Option(
        "--weight-decay", metavar="LAMBDA", help="Of the real runs.", rich_help_panel=_LOSS
    ),
]
LossScaleInvariant = Annotated[
    bool | None,
    typer.Option(
        "--scale-invariant/--no-scale-invariant",
        help="Declare L(c w) = L(w) for c > 0, or that it is not so; otherwise it is found out.",
        rich_help_panel=_LOSS,
    ),
]
LossChecks = Annotated[
    list[str] | None,
    typer.Option(
        "--checks",
        metavar="NAMES",
        help="Only these checks, with commas (--list shows them).",
        rich_help_panel=_CHECKS,
    ),
]
LossExclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude", metavar="NAMES", help="All checks but these.", rich_help_panel=_CHECKS
    ),
]
LossExpect = Annotated[
    list[str] | None,
    typer.Option(
        "--expect",
        metavar="NAME=REASON",
        help="A check that must fail, and why; again for another.",
        rich_help_panel=_CHECKS,
    ),
]
LossProfile = Annotated[
    Profile | None,
    typer.Option(
        "--profile",
        help="How many inputs and steps; 'default' if the target does not say.",
        rich_help_panel=_JUDGE,
        show_default=False,
    ),
]
LossSeed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        metavar="N",
        help="Of the drawn inputs; 0 if the target does not say.",
        rich_help_panel=_JUDGE,
    ),
]
