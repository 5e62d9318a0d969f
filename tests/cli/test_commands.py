"""The command line as a user meets it: output, exit codes, files."""

import json
import os
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import jsonschema
import pytest

from eostheory.claims import Verdict
from eostheory.claims.catalogue import KINDS
from eostheory.cli import options
from eostheory.cli.app import run as command
from eostheory.report import schema
from eostheory.suite import EXIT_MEANINGS, LEVELS

HELPER = """
import eostheory.claims
from eostheory.claims import Claim
from eostheory.formula import Equation, scalar

eostheory.claims.judge = lambda claim, entry, settings: claim.derive(settings)
x = scalar("x")

def claim(name, verdict="proved"):
    return Claim(name, Equation(x, x), derive=lambda settings: {"id": name, "verdict": verdict})
"""

ENTRY = (
    "- {{id: {0}, kind: {1}, where: '1', says: about {0}, formula: x, hypotheses: '', needs: [], "
    "check: identity}}\n"
)


@pytest.fixture
def folder(tmp_path):
    """p/good is encoded, p/other is not."""
    path = tmp_path / "p"
    path.mkdir()
    entries = ENTRY.format("p/good", "lemma") + ENTRY.format("p/other", "theorem")
    (path / "claims.yaml").write_text("claims:\n" + entries)
    (path / "_helper.py").write_text(HELPER)
    encode(path, 'CLAIMS = [claim("p/good")]')
    return path


def encode(folder, text):
    (folder / "s.py").write_text("from ._helper import claim\n" + text)


def verify(folder, *arguments):
    return command(["verify", str(folder), "-j", "1", *arguments])


def test_help_prints_every_exit_code_with_its_meaning(capsys):
    for arguments in (["--help"], ["verify", "--help"], ["replay", "-h"]):
        assert command(arguments) == 0
        output = " ".join(capsys.readouterr().out.split())
        for code, meaning in EXIT_MEANINGS.items():
            assert f"{int(code)} {meaning}" in output


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom eostheory.cli.app import run\nrun(['verify', '--help'])\n"
        "heavy = {'torch', 'sympy', 'numpy', 'scipy', 'z3', 'flint', 'hypothesis', 'matplotlib',"
        " 'networkx', 'jinja2', 'yaml', 'multiprocessing', 'eostheory.suite', 'eostheory.claims'}\n"
        "found = heavy & set(sys.modules)\nassert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_options_offer_exactly_what_the_suite_knows():
    assert [v.value for v in options.VerdictName] == [v.value for v in Verdict]
    assert [k.value for k in options.KindName] == list(KINDS)
    assert [level.value for level in options.Level] == [level.value for level in LEVELS]


def test_without_a_command_help_is_shown_and_it_is_a_usage_error(capsys):
    assert command([]) == 2
    assert "verify" in "".join(capsys.readouterr())


def test_the_version_is_printed(capsys):
    import eostheory

    assert command(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"eostheory {eostheory.__version__}"


def test_a_run_as_expected_ends_with_0_and_shows_the_claims(folder, capsys):
    assert verify(folder) == 0
    output = capsys.readouterr().out
    assert "p/good" in output
    assert "open" in output


def test_a_run_that_differs_ends_with_1(folder):
    encode(folder, 'CLAIMS = [claim("p/good", "refuted")]')
    assert verify(folder) == 1


def test_a_level_that_is_not_reached_ends_with_3(folder):
    assert verify(folder, "--level", "certified") == 3
    assert verify(folder, "p/good", "--level", "certified") == 0


def test_a_broken_script_ends_with_4_and_is_named(folder, capsys):
    encode(folder, "nonsense")
    assert verify(folder) == 4
    assert "s.py cannot be imported: NameError" in capsys.readouterr().err


def test_nothing_selected_ends_with_5(folder, capsys):
    assert verify(folder, "p/x*") == 5
    assert verify(folder, "-k", "zzz") == 5
    assert verify(folder, "--kind", "figure") == 5
    assert "no listed claim meets the selection" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["p/gud"], "unknown id 'p/gud'; nearest: p/good"),
        (["--paper", "q"], "unknown paper 'q'; known: p"),
        (["-k", "and"], "-k 'and'"),
        (["--level", "true"], "true"),
        (["--kind", "lema"], "lema"),
        (["--seed", "-1"], "--seed"),
        (["--profile", "fast"], "fast"),
        (["--nonsense"], "nonsense"),
        (["./nowhere"], "nowhere: no such folder"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(folder, capsys, arguments, words):
    assert verify(folder, *arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "file, text, words",
    [
        ("claims.yaml", "claims:\n- id: p/good", "claims.yaml:2: field 'kind': missing"),
        ("expected.toml", '[claims."p/x"]\nverdict="open"', "expected.toml:1: field 'claims'"),
    ],
)
def test_broken_lists_end_with_2_and_name_file_line_and_field(folder, capsys, file, text, words):
    (folder / file).write_text(text)
    assert verify(folder) == 2
    assert words in capsys.readouterr().err
    assert command(["list", str(folder)]) == 2


def test_all_reports_are_written_and_old_or_half_ones_replaced(folder, tmp_path):
    target = tmp_path / "out" / "deep"
    target.mkdir(parents=True)
    (target / "report.json").write_text('{"schema": "eosth')
    arguments = [
        *("--json", str(target / "report.json")),
        *("--junit", str(target / "junit.xml")),
        *("--html", str(target / "html")),
    ]
    assert verify(folder, *arguments) == 0
    report = json.loads((target / "report.json").read_text())
    jsonschema.validate(report, schema())
    assert report["schema"] == "eostheory-report/1"
    assert [c["verdict"] for c in report["claims"]] == ["proved", "open"]
    cases = list(ElementTree.parse(target / "junit.xml").iter("testcase"))
    assert len(cases) == 2
    assert "p/good" in (target / "html" / "index.html").read_text(encoding="utf-8")


def test_json_on_standard_output_is_nothing_but_json(folder, capsys):
    assert verify(folder, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["summary"]["selected"] == 2


def test_a_report_that_cannot_be_written_is_refused_before_the_run(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for option, path in (("--json", tmp_path), ("--html", tmp_path / "file")):
        assert verify(folder, option, str(path)) == 2
    assert verify(folder, "--junit", str(tmp_path / "file" / "x.xml")) == 2
    output = capsys.readouterr()
    assert "cannot write a report" in output.err
    assert "p/good" not in output.out


def test_list_shows_what_is_listed_encoded_and_known(folder, capsys):
    def lines():
        assert command(["list", str(folder)]) == 0
        return [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    before = lines()
    assert [line[0] for line in before] == ["p/good", "p/other"]
    assert [line[3] for line in before] == ["not judged", "open"]
    verify(folder)
    capsys.readouterr()
    assert [line[3] for line in lines()] == ["proved", "open"]
    assert command(["list", str(folder), "--verdict", "proved", "--kind", "theorem"]) == 5


def test_show_tells_everything_about_one_claim(folder, capsys):
    assert command(["show", "p/good", "--in", str(folder)]) == 0
    output = capsys.readouterr().out
    assert "proved" in output
    assert "about p/good" in output
    assert command(["show", "p/goood", "--in", str(folder)]) == 2
    assert "nearest: p/good" in capsys.readouterr().err


def test_replay_judges_a_case_again_and_ends_like_verify(folder, capsys):
    assert command(["replay", "p/good@quick:3", "--in", str(folder)]) == 0
    assert "proved" in capsys.readouterr().out
    encode(folder, 'CLAIMS = [claim("p/good", "refuted")]')
    assert command(["replay", "p/good", "--in", str(folder)]) == 1


@pytest.mark.parametrize("case", ["p/good@quick", "p/good@fast:1", "p/good@quick:x", "p/gud"])
def test_a_case_that_cannot_be_read_ends_with_2(folder, capsys, case):
    assert command(["replay", case, "--in", str(folder)]) == 2
    assert case.split("@")[0] in capsys.readouterr().err


def test_ctrl_c_ends_with_130_and_leaves_the_reports_of_what_has_finished(folder, tmp_path):
    (folder / "claims.yaml").write_text(
        "claims:\n" + ENTRY.format("p/good", "lemma") + ENTRY.format("p/slow", "lemma")
    )
    encode(
        folder,
        "import time\nfrom eostheory.claims import Claim\nfrom ._helper import x, Equation\n"
        'slow = Claim("p/slow", Equation(x, x), derive=lambda _: time.sleep(600))\n'
        'CLAIMS = [claim("p/good"), slow]',
    )
    report = tmp_path / "report.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "eostheory", "verify", str(folder), "-j1", "--json", str(report)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "p/good" in line:
            break
    time.sleep(0.5)
    # as a terminal does: the whole group gets the signal
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(60) == 130
    assert "Traceback" not in rest
    found = json.loads(report.read_text())
    assert found["summary"]["interrupted"]
    assert [c["verdict"] for c in found["claims"]] == ["proved", "undecided"]


def test_an_error_of_ours_ends_with_4_and_never_with_1(monkeypatch, folder, capsys):
    import eostheory.suite

    def broken(*_, **__):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("eostheory.cli.commands.run", broken)
    assert eostheory.suite is not None
    assert verify(folder) == 4
    assert "internal error" in capsys.readouterr().err
