"""What a run looks like in a terminal and in a log."""

import io

import pytest
from rich.console import Console

from eostheory.report import TerminalReporter, explain, render_show
from eostheory.report.summary import print_summary
from eostheory.suite.events import ClaimFinished, ClaimStarted, RunFinished, RunStarted


def play(report, console):
    claims = [claim for claim in report["claims"] if claim["script"]]
    plan = tuple(claim["id"] for claim in claims)
    with TerminalReporter(console) as listener:
        listener(RunStarted(plan, len(report["claims"]), "quick", 0, True, 2))
        for done, claim in enumerate(claims, 1):
            listener(ClaimStarted(claim["id"]))
            listener(ClaimFinished(claim, done, len(claims)))
        listener(RunFinished(report))


def text_of(renderable, width=100):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


def log(report, encoding="utf-8"):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    play(report, Console(file=stream, width=100))
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


def test_a_log_has_one_plain_line_for_each_finished_claim(sample):
    lines = log(sample).splitlines()
    assert lines[0].startswith("Judging 10 of 11 listed claims: profile quick, seed 0")
    assert lines[1] == "[ 1/10] ≔ assumed   lyu22/eq-1  0.42 s"
    assert [line.split("]")[0] for line in lines[1:11]] == [f"[{k:>2}/10" for k in range(1, 11)]
    assert not any("\x1b" in line for line in lines)


def test_a_log_that_cannot_carry_glyphs_gets_ascii_ones(sample):
    text = log(sample, encoding="latin-1")
    assert "x refuted   lyu22/lemma-E.1" in text


@pytest.mark.filterwarnings("error")
def test_on_a_terminal_running_claims_are_shown_and_the_screen_is_left_clean(sample):
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=True, color_system="standard")
    play(sample, console)
    shown = stream.getvalue()
    assert "10/10" in shown
    assert "conflict" in shown
    assert shown.endswith("\n")


def test_no_color_is_respected(sample, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=True)
    print_summary(sample, console)
    assert "\x1b[3" not in stream.getvalue()


def test_an_exception_during_a_run_stops_the_progress_bar(sample):
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    listener = TerminalReporter(console)

    def interrupted():
        with listener:
            listener(RunStarted(("a/b",), 1, "quick", 0, False, 1))
            listener(ClaimStarted("a/b"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not console._live_stack


def test_the_summary_counts_by_paper_and_explains_what_needs_attention(sample):
    console = Console(file=io.StringIO(), width=110, color_system=None)
    print_summary(sample, console)
    text = console.file.getvalue()
    assert "lyu22" in text
    assert "5 of 6" in text
    assert "Refuted, as expected: 1" in text
    assert "Needs attention: 3" in text
    assert "ShapeError: <w> has shape (D,) & <H> has (n, n)" in text
    assert "eta1 = (1 - eta*lam)**-2 * eta0" in text
    assert "exit code 1: a verdict differs from its expectation" in text


def test_a_run_that_selected_nothing_says_so(samples):
    console = Console(file=io.StringIO(), width=100)
    print_summary(samples.report([], exit_code=5), console)
    assert "nothing was selected" in console.file.getvalue()


def test_claims_below_the_demanded_level_are_named(sample):
    sample["summary"].update(below_level=["lyu22/fig-5"], level="proved")
    console = Console(file=io.StringIO(), width=100)
    print_summary(sample, console)
    assert "1 below the demanded level, proved: lyu22/fig-5" in console.file.getvalue()


def test_show_tells_everything_about_a_claim(samples):
    by_id = {claim["id"]: claim for claim in samples.every_verdict()}
    text = " ".join(text_of(render_show(by_id["lyu22/lemma-3.1"], ["lyu22/thm-B.9"])).split())
    for part in (
        "lyu22/lemma-3.1 proved",
        "a/b = norm(w)**2",
        "App. E.1",
        "scale invariance",
        "C^2",
        "The gradient is orthogonal:",
        "120 instances, worst ratio 0.21",
        "derivation: 12/12 killed",
        "the remainder is smaller than claimed",
        "lyu22/eq-1",
        "lyu22/thm-B.9",
        "eostheory replay 'lyu22/lemma-3.1@default:0'",
    ):
        assert part in text


def test_only_the_parts_that_a_correction_changes_are_repeated(samples):
    claim = samples.record("a/b", "refuted", encoded_text={"first": "x = 1", "second": "y = 2"})
    claim["corrected"] = {"text": {"first": "x = 1", "second": "y = 3"}, "verdict": "proved"}
    text = explain(claim)
    assert text.count("x = 1") == 1
    assert "second: y = 3" in text


def test_show_prints_brackets_of_a_record_as_text_not_as_markup(samples):
    text = text_of(render_show(samples.record("a/b", "open", says="[red]x[/red] [/] [bold"), []))
    assert "[red]x[/red] [/] [bold" in text


def test_an_explanation_names_statement_witness_correction_and_how_to_repeat(samples):
    refuted = next(c for c in samples.every_verdict() if c["verdict"] == "refuted")
    text = explain(refuted)
    for part in ("encoded: a/b = norm(w)**2", "eta = 1/3", "corrected:", "which is proved"):
        assert part in text
    assert "print(Fraction(5, 9) == Fraction(4, 9))" in text
