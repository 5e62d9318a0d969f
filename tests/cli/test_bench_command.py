"""``eostheory bench``: output, files and exit codes."""

import json
import subprocess
import sys

import pytest

from eostheory.bench import Case, Interval, Outcome, Table
from eostheory.bench.cases import Missing, Wrong, at_least, judge
from eostheory.cli.app import run as command

TARGET = at_least("fake/speed", "speed of a snail", 2.0)


def case(measured, name="fake"):
    def measure(settings):
        if measured is None:
            raise Missing("not installed: pip install eostheory[bench]")
        settings.say("measuring")
        table = Table("a race", ("who", "x"), (("snail", measured),))
        return Outcome(name, (table,), (judge(TARGET, measured),))

    return Case(name, "a fake case", (TARGET,), measure)


@pytest.fixture
def cases(monkeypatch):
    def use(*made):
        monkeypatch.setattr("eostheory.cli.bench.catalogue", lambda: {c.name: c for c in made})

    return use


def test_help_is_light():
    code = (
        "import sys\nfrom eostheory.cli.app import run\nassert run(['bench', '--help']) == 0\n"
        "assert not {'torch', 'sympy', 'jax', 'eostheory.bench'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text = " ".join(done.stdout.split())
    for word in ("--list", "--json", "--repeat", "--quick", "Exit codes: 0"):
        assert word in text


def test_the_list_names_every_case_and_target(capsys):
    assert command(["bench", "--list"]) == 0
    text = capsys.readouterr().out
    for line in (
        "scale-invariant/1024/c: speed of C without FMA, 1024 trajectories, >= 0.9 x",
        "tracked/products: products per step at the edge, < 20 products",
        "calls/warm: a warm call, one trajectory and one step, <= 20 us",
    ):
        assert line in text


@pytest.mark.parametrize(
    "measured, code, verdict",
    [
        (Interval(3.0, 2.5, 3.5, 7), 0, "met"),
        (Interval(1.0, 0.5, 1.5, 7), 1, "MISSED"),
        (None, 0, "not measured"),
    ],
)
def test_a_missed_target_is_exit_code_1_and_an_absent_peer_is_not(
    measured, code, verdict, cases, capsys
):
    cases(case(measured))
    assert command(["bench"]) == code
    shown = capsys.readouterr().out
    line = next(line for line in shown.splitlines() if line.startswith("fake/speed"))
    assert line.endswith(verdict)
    if measured is None:
        assert "pip install eostheory[bench]" in line


def test_quick_judges_nothing(cases, capsys):
    cases(case(Interval(1.0, 0.5, 1.5, 7)))
    assert command(["bench", "--quick"]) == 0
    shown = capsys.readouterr().out
    assert "too small for a verdict" in shown
    assert "MISSED" not in shown
    cases(case(Interval(3.0, 2.5, 3.5, 7)))
    assert command(["bench", "--quick"]) == 0
    assert next(
        line for line in capsys.readouterr().out.splitlines() if line.startswith("fake/speed")
    ).endswith("not judged")


def test_a_peer_that_is_off_by_infinity_is_exit_code_1_and_json(cases, capsys):
    table = Table("a race", ("who", "x"), (("snail", float("inf")),))
    wrong = judge(TARGET, Wrong("snail differs by inf: not counted"))
    cases(Case("fake", "", (TARGET,), lambda _: Outcome("fake", (table,), (wrong,))))
    assert command(["bench", "--json", "-"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["cases"][0]["tables"][0]["rows"] == [["snail", "inf"]]
    assert document["cases"][0]["targets"][0]["state"] == "wrong"


def test_json_goes_to_a_file_or_alone_to_standard_output(cases, capsys, tmp_path):
    cases(case(Interval(3.0, 2.5, 3.5, 7)))
    path = tmp_path / "new" / "report.json"
    assert command(["bench", "fake", "--json", str(path), "--repeat", "2"]) == 0
    capsys.readouterr()
    written = json.loads(path.read_text())
    assert written["settings"] == {"repeat": 2, "quick": False}
    assert written["cases"][0]["targets"][0]["state"] == "met"
    assert command(["bench", "--json", "-"]) == 0
    seen = capsys.readouterr()
    assert json.loads(seen.out)["cases"] == written["cases"]
    assert "a race" in seen.err


def test_an_unknown_case_is_a_usage_error(cases, capsys):
    cases(case(None, "products"))
    assert command(["bench", "product"]) == 2
    assert "did you mean 'products'" in capsys.readouterr().err
    assert command(["bench", "--repeat", "0"]) == 2


def test_a_report_that_cannot_be_written_is_refused_before_the_run(cases, capsys, tmp_path):
    def never(settings):
        raise AssertionError("measured")

    cases(Case("fake", "", (TARGET,), never))
    assert command(["bench", "--json", str(tmp_path)]) == 2
    assert "cannot write a report" in capsys.readouterr().err
