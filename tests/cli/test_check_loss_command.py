"""``eostheory check-loss``: targets, options, output, files and exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from eostheory.cli.app import run as command

ROOT = Path(__file__).resolve().parents[2]

LOSSES = """
import time
import torch

def bowl(w):
    return (w**2).sum() + (w**4).sum() / 4

class WrongSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w):
        ctx.save_for_backward(w)
        return (w**2).sum()

    @staticmethod
    def backward(ctx, slope):
        (w,) = ctx.saved_tensors
        return slope * 2.5 * w

def wrong(w):
    return WrongSquare.apply(w)

def declared():
    return {"loss": bowl, "size": 2, "profile": "quick", "checks": ["evaluates", "gradient"]}

def loud(w):
    print("loud")
    return bowl(w)

def slow(w):
    print("slow", flush=True)
    time.sleep(0.05)
    return (w**2).sum()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "losses.py").write_text(LOSSES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    # a test may change what the signal does
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


FEW = ("--checks", "evaluates,gradient", "--profile", "quick")


def check(target, *arguments):
    return command(["check-loss", target, *arguments])


def test_help_is_light_and_prints_the_exit_codes():
    code = (
        "import sys\nfrom eostheory.cli.app import run\nassert run(['check-loss', '--help']) == 0\n"
        "assert not {'torch', 'sympy', 'eostheory.check', 'hypothesis'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text = " ".join(done.stdout.split())
    for words in (
        "--scale-invariant",
        "--expect NAME=REASON",
        "1 a check fails that was not expected to",
        "3 --strict, and a check could not be decided",
        "130 interrupted; the report of what was done is written",
    ):
        assert words in text


def test_the_list_names_every_check_with_what_it_says(capsys):
    assert command(["check-loss", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "evaluation"
    assert any(line.startswith("  third-derivative ") for line in lines)
    assert len([line for line in lines if not line.startswith(" ")]) == len(
        {line for line in lines if not line.startswith(" ")}
    )


def test_a_loss_as_it_should_be_ends_with_0(capsys):
    assert check("losses:bowl", "--size", "2", *FEW) == 0
    seen = capsys.readouterr()
    assert "bowl" in seen.out
    assert "✓ gradient" in seen.out
    # progress says which check of how many, and goes to standard error
    assert "[1/" in seen.err
    assert "gradient" in seen.err


def test_a_target_may_bring_its_arguments_and_options_come_first(capsys, folder):
    assert check("losses.py:declared", "--seed", "5", "--json", "-") == 0
    document = json.loads(capsys.readouterr().out)
    assert [f["check"] for f in document["findings"]] == ["evaluates", "gradient"]
    assert (document["size"], document["profile"], document["seed"]) == (2, "quick", 5)
    assert document["target"] == "losses.py:declared"
    assert (
        check("losses.py:declared", "--checks", "pure", "--start", "1,-0.5,2", "--json", "-") == 2
    )
    assert "size" in capsys.readouterr().err


def test_what_a_loss_prints_is_no_part_of_the_report(capsys):
    assert check("losses.py:loud", "--size", "2", *FEW, "--json", "-") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["summary"]["ok"]
    assert "loud" in err


def test_a_failure_ends_with_1_and_its_counterexample_is_replayed(capsys, folder):
    path = folder / "reports" / "wrong.json"
    assert check("losses:wrong", "--start=0.5,-1", *FEW, "--json", str(path)) == 1
    seen = capsys.readouterr()
    assert "✗ gradient" in seen.out
    assert f"wrote {path}" in seen.err
    assert command(["replay", f"{path}#gradient"]) == 1
    assert capsys.readouterr().out.startswith("gradient: fail; ")
    # the only one needs no name
    assert command(["replay", str(path)]) == 1
    # and once the loss is mended it is none any more
    assert command(["replay", str(path), "--target", "losses:bowl"]) == 0


@pytest.mark.parametrize(
    "case, words",
    [
        ("nowhere.json", "nowhere.json cannot be read"),
        ("broken.json", "broken.json cannot be read"),
        ("other.json", "other.json is no report of check-loss"),
        ("good.json", "good.json has no counterexample"),
        ("bad.json#hesian", "bad.json has no counterexample of 'hesian'; nearest: hessian"),
        ("bad.json", "bad.json has counterexamples of gradient, hessian: say bad.json#CHECK"),
        ("bad.json#gradient", "eostheory: "),
    ],
)
def test_a_case_that_cannot_be_replayed_is_a_usage_error(capsys, folder, case, words):
    found = [{"check": name, "replay": {"check": name}} for name in ("gradient", "hessian")]
    (folder / "broken.json").write_text("{")
    (folder / "other.json").write_text("{}")
    (folder / "good.json").write_text('{"findings": [{"check": "gradient", "replay": null}]}')
    (folder / "bad.json").write_text(json.dumps({"findings": found}))
    assert command(["replay", case]) == 2
    assert words in capsys.readouterr().err


def test_an_expected_failure_is_0_and_an_unexpected_pass_1(capsys):
    expect = ("--expect", "gradient=the factor is 5/4")
    assert check("losses:wrong", "--size", "2", *FEW, *expect) == 0
    assert "expected to fail: the factor is 5/4" in capsys.readouterr().out
    assert check("losses:bowl", "--size", "2", *FEW, *expect) == 1


def test_what_is_undecided_is_3_if_one_is_strict(capsys, folder):
    (folder / "nothing.py").write_text("def loss(w):\n    return (w**2).sum() * float('nan')\n")
    options = ("--size", "2", "--checks", "gradient", "--profile", "quick")
    assert check("nothing.py:loss", *options) == 0
    assert "? gradient" in capsys.readouterr().out
    assert check("nothing.py:loss", *options, "--strict") == 3


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "a target is missing"),
        (["losses"], "'losses' is no target"),
        (["nowhere:loss"], "no module 'nowhere'"),
        (["losses:bowle"], "has no 'bowle'; nearest: bowl"),
        (["losses:bowl"], "--size"),
        (["losses:bowl", "--size", "0"], "--size"),
        (["losses:bowl", "--start", "1,x"], "--start: 'x' is no number"),
        (["losses:bowl", "--size", "2", "--checks", "gradiant"], "gradiant"),
        (["losses:bowl", "--size", "2", "--exclude", "gradiant"], "nearest: gradient"),
        (["losses:bowl", "--size", "2", "--expect", "gradient"], "expected NAME=REASON"),
        (["losses:bowl", "--size", "2", "--expect", "gradiant=x"], "nearest: gradient"),
        (["losses:bowl", "--size", "2", "--learning-rate", "-1"], "-1"),
        (["losses:bowl", "--size", "2", "--profile", "hasty"], "hasty"),
        (["losses:bowl", "--size", "2", "--seed", "-1"], "--seed"),
        (["losses:bowl", "--size", "2", "--json", "."], "cannot write a report"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(capsys, arguments, words):
    assert command(["check-loss", *arguments]) == 2
    seen = capsys.readouterr()
    assert words in seen.err
    assert not seen.out


def test_nothing_selected_ends_with_5(capsys):
    assert check("losses:bowl", "--size", "2", "--checks", "gradient", "--exclude", "gradient") == 5
    assert "no check is left" in capsys.readouterr().err


def test_junit_and_the_page_are_written(capsys, folder):
    where = ("--junit", "out/loss.xml", "--html", "out/page")
    assert check("losses:wrong", "--size", "2", *FEW, *where) == 1
    root = ElementTree.parse(folder / "out" / "loss.xml").getroot()
    assert root.attrib["tests"] == "2"
    assert root.attrib["failures"] == "1"
    cases = {case.attrib["name"]: case for case in root.iter("testcase")}
    failure = cases["gradient"].find("failure")
    assert "by autograd" in failure.attrib["message"]
    assert "w = " in failure.text
    assert "reproduce:" in failure.text
    page = (folder / "out" / "page" / "index.html").read_text(encoding="utf-8")
    assert "<title>wrong: 1 to look at</title>" in page
    assert "src=" not in page


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_the_report_of_what_was_done(folder, number):
    process = subprocess.Popen(
        f"{sys.executable} -m eostheory check-loss losses:slow --size 2 --json report.json".split(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    # the first line of progress: a check is done
    for line in process.stderr:
        if line.startswith("["):
            break
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in out
    document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert document["summary"]["interrupted"]
    assert "evaluates" in {f["check"] for f in document["findings"]}
    assert "limiting-sharpness" not in {f["check"] for f in document["findings"]}
