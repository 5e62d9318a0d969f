"""The commands of ``eostheory``."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from eostheory.cli import options as o
from eostheory.cli.derive import app as derive_app

app = typer.Typer(
    name="eostheory",
    help="Executable theory of the edge of stability: every claim of the papers, judged by a "
    "derivation and a simulation that do not see each other.",
    epilog=o.EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=o.HELP,
)
app.add_typer(derive_app)


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code.  An exception of ours is 4, never 1."""
    try:
        app(arguments, prog_name="eostheory")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except BaseException:
        traceback.print_exc()
        print("eostheory: internal error; please report the lines above", file=sys.stderr)
        return 4
    return 0


def _version(wanted: bool) -> None:
    if wanted:
        import eostheory

        typer.echo(f"eostheory {eostheory.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options that come before a command."""


@app.command(epilog=o.EXIT_CODES)
def verify(
    targets: o.Targets = None,
    papers: o.Papers = None,
    kinds: o.Kinds = None,
    verdicts: o.Verdicts = None,
    expression: o.Expression = "",
    profile: o.ProfileOption = o.Profile.DEFAULT,
    seed: o.Seed = 0,
    jobs: o.Jobs = 0,
    mutate: o.Mutate = True,
    no_cache: o.NoCache = False,
    exact: o.Exact = False,
    level: Annotated[
        o.Level | None,
        typer.Option(
            "--level", help="Verdict that every selected claim must reach.", show_default=False
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on unexpected improvements, too.")
    ] = False,
    json_file: Annotated[
        str, typer.Option("--json", metavar="FILE", help="Write the report as JSON ('-': stdout).")
    ] = "",
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the report as JUnit XML.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="DIR", help="Write the HTML companion.")
    ] = None,
    errata: Annotated[
        Path | None,
        typer.Option("--errata", metavar="FILE", help="Write what is refuted, as Markdown."),
    ] = None,
) -> None:
    """Judge claims, and compare the verdicts with what is expected."""
    from eostheory.cli.commands import Reports, make_request, verify_claims

    request = make_request(
        targets, papers, kinds, verdicts, expression, profile, seed, jobs, mutate, no_cache
    )
    verify_claims(request, exact, level, strict, Reports(json_file, junit, html, errata))


@app.command("list", epilog=o.EXIT_CODES)
def list_claims(
    targets: o.Targets = None,
    papers: o.Papers = None,
    kinds: o.Kinds = None,
    verdicts: o.Verdicts = None,
    expression: o.Expression = "",
    profile: o.ProfileOption = o.Profile.DEFAULT,
    seed: o.Seed = 0,
    mutate: o.Mutate = True,
) -> None:
    """List claims with what earlier runs (of this profile and seed) found."""
    from eostheory.cli.commands import make_request
    from eostheory.cli.listing import print_list

    print_list(
        make_request(targets, papers, kinds, verdicts, expression, profile, seed, 0, mutate, False)
    )


@app.command(epilog=o.EXIT_CODES)
def show(
    claim: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    folder: o.Folder = None,
    profile: o.ProfileOption = o.Profile.DEFAULT,
    seed: o.Seed = 0,
    mutate: o.Mutate = True,
    no_cache: o.NoCache = False,
) -> None:
    """Show one claim: statement, place, witnesses, evidence, mutants, what it rests on.

    Judges it first if no earlier run has.
    """
    from eostheory.cli.commands import one_claim, show_claim

    show_claim(one_claim(claim, folder, profile.value, seed, mutate, no_cache))


@app.command(epilog=o.EXIT_CODES)
def replay(
    case: Annotated[
        str,
        typer.Argument(
            metavar="CASE",
            help="ID@PROFILE:SEED, as reports print it, or an id; or a report of check-loss, as "
            "FILE.json#CHECK.",
        ),
    ],
    folder: o.Folder = None,
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="TARGET",
            help="Where the loss of a report is, if the report does not say, or to try another.",
        ),
    ] = "",
) -> None:
    """Judge a reported case again, from nothing, and show it.

    For a report of check-loss: the counterexample is tried again; 1 if it is still one.
    """
    if ".json" in case:
        from eostheory.cli.check_loss import replay_counterexample

        replay_counterexample(case, target)
    else:
        from eostheory.cli.commands import replay_case

        replay_case(case, folder)


@app.command(epilog=o.EXIT_CODES)
def template(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False)],
    paper: Annotated[
        str,
        typer.Option(
            "--paper", metavar="NAME", help="Prefix of the ids; the folder's name otherwise."
        ),
    ] = "",
) -> None:
    """Write a folder of proofs for a new paper, which 'eostheory verify DIR' runs as it is."""
    from eostheory.cli.template import write_template

    write_template(folder, paper)


@app.command("check-loss", epilog=o.LOSS_EXIT_CODES)
def check_loss(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="package.module:function or path.py:function: a function of a flat tensor, a "
            "sympy expression, a dict of arguments of check_loss, or a function without arguments "
            "that returns one of these.",
            show_default=False,
        ),
    ] = "",
    size: o.LossSize = None,
    start: o.LossStart = "",
    domain: o.LossDomain = "",
    learning_rate: o.LossLearningRate = None,
    weight_decay: o.LossWeightDecay = None,
    scale_invariant: o.LossScaleInvariant = None,
    checks: o.LossChecks = None,
    exclude: o.LossExclude = None,
    expect: o.LossExpect = None,
    profile: o.LossProfile = None,
    seed: o.LossSeed = None,
    name: o.LossName = None,
    full: Annotated[
        bool, typer.Option("--full", help="Show every check on its own, and all theorems.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 where a check could not be decided.")
    ] = False,
    list_checks: Annotated[
        bool, typer.Option("--list", help="List the checks with what each says.")
    ] = False,
    json_file: Annotated[
        str, typer.Option("--json", metavar="FILE", help="Write the report as JSON ('-': stdout).")
    ] = "",
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the report as JUnit XML.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="DIR", help="Write the report as a page.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="DIR", help="Write the curves of the real runs as SVG."),
    ] = None,
) -> None:
    """Property-test a loss: which theorems apply to it, and do their predictions hold?"""
    from eostheory.cli import check_loss as command
    from eostheory.cli.guard import fail

    if list_checks:
        command.list_checks()
        return
    if not target:
        fail("a target is missing: package.module:function or path.py:function", 2)
    given = {
        "size": size,
        "start": command.numbers(start, "--start") if start else None,
        "domain": command.bounds(domain) if domain else None,
        "name": name,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "scale_invariant": scale_invariant,
        "checks": command.words(checks) or None,
        "exclude": command.words(exclude) or None,
        "profile": profile.value if profile else None,
        "seed": seed,
    }
    options = {key: value for key, value in given.items() if value is not None}
    reports = command.LossReports(json_file, junit, html, plot)
    command.check_target(target, options, expect or (), strict, reports, full=full)


@app.command(
    epilog="Exit codes: 0 every target that was measured is met; 1 one is missed, or peers "
    "disagree; 2 usage or unknown case; 4 internal error; 130 interrupted."
)
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Cases (--list shows them); all if none.", show_default=False
        ),
    ] = None,
    list_cases: Annotated[
        bool, typer.Option("--list", help="List the cases and their targets.")
    ] = False,
    json_file: Annotated[
        str, typer.Option("--json", metavar="FILE", help="Write the report as JSON ('-': stdout).")
    ] = "",
    repeat: Annotated[
        int, typer.Option("--repeat", min=1, metavar="N", help="How often each peer is timed.")
    ] = 11,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes: shows that it runs, judges nothing.")
    ] = False,
) -> None:
    """Measure the numeric engine beside its peers, on one core, against its targets.

    JAX and a C compiler are compared with where they are installed
    (pip install eostheory[bench]).
    """
    from eostheory.cli import bench as command

    if list_cases:
        command.list_cases()
    else:
        command.run_cases(names or [], repeat, quick, json_file)


@app.command(
    "run",
    epilog="Exit codes: 0 nothing differs from the paper; 1 a finding differs; 2 usage, unknown "
    "name or setting, a folder that holds something else, absent data; 4 internal error, a disk "
    "that refuses, a device that is out of memory, a process of the run that was lost; 130 "
    "interrupted (what was recorded is readable, --resume goes on).",
)
def run_experiment(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="paper/figure.", show_default=False)
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to write; runs/NAME otherwise."),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            help="cpu, cuda, cuda:1, ...; under torchrun cuda: each process takes its own.",
        ),
    ] = "",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.", show_default=False),
    ] = None,
    variant: Annotated[
        str, typer.Option("--variant", help="A named set of settings: quick, paper.")
    ] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that the folder holds.")
    ] = False,
    changed_code: Annotated[
        bool, typer.Option("--changed-code", help="Resume although the code has changed.")
    ] = False,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Plots and report of what is there, no run.")
    ] = False,
    to_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="KEY[=V1,V2,...]",
            help="Run at each of these values (all combinations of several); a KEY alone stands "
            "for the values that --describe shows.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Processes of a sweep.")] = 2,
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler", metavar="ADDRESS", help="Sweep on the workers of a Dask scheduler."
        ),
    ] = "",
    list_all: Annotated[bool, typer.Option("--list", help="List the experiments.")] = False,
    describe: Annotated[
        bool, typer.Option("--describe", help="Settings, choices and what is written.")
    ] = False,
) -> None:
    """Run an experiment of a paper: records, plots, and the paper's numbers beside the measured."""
    from eostheory.cli import run as command

    if list_all:
        command.list_experiments()
    elif not name:
        raise typer.BadParameter("give the NAME of an experiment, or --list")
    elif describe:
        command.describe_experiment(name)
    elif grid:
        unused = {
            "--device": device,
            "--json": to_json,
            "--report-only": report_only,
            "--changed-code": changed_code,
        }
        if given := ", ".join(option for option, value in unused.items() if value):
            raise typer.BadParameter(f"a sweep does not take {given}")
        command.run_sweep(name, out, assignments or [], variant, grid, jobs, scheduler)
    else:
        command.run_experiment(
            name,
            out,
            device,
            assignments or [],
            variant,
            resume,
            changed_code,
            report_only,
            to_json,
        )
