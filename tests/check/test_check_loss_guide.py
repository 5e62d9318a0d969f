"""The guide to check_loss: its Python runs, and its reports say what the program says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "check_loss.md").read_text(encoding="utf-8")
FOUND = re.compile(r"^  ([✓✗·?]) ([a-z-]+) ", re.M)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.M | re.S)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What the guide's blocks print, one after the other in one program."""
    marked = "".join(f"{block}\nprint('=== end of a block')\n" for block in blocks("python"))
    script = tmp_path_factory.mktemp("guide") / "my_loss.py"
    script.write_text(marked, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        capture_output=True,
        text=True,
        timeout=590,
        cwd=script.parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("=== end of a block\n")


@pytest.mark.slow
def test_the_python_of_the_guide_runs_and_its_reports_are_those_shown(printed):
    shown = [block for block in blocks("text") if FOUND.search(block)]
    reports = [text for text in printed if FOUND.search(text)]
    assert len(shown) == 3
    assert len(reports) >= 3
    for block, report in zip(shown, reports, strict=False):
        assert set(FOUND.findall(block)) <= set(FOUND.findall(report))


@pytest.mark.slow
def test_the_first_counterexample_is_like_the_one_shown(printed):
    for text in (printed[0], blocks("text")[0]):
        assert re.search(r"^    coordinate +\d$", text, re.M)
        assert re.search(r"^    error +0\.8", text, re.M)
        assert "      loss = ...  # loss, the function that was checked" in text


def test_what_the_guide_says_of_the_command_line_is_there(capsys):
    from eostheory.cli.app import run

    assert run(["check-loss", "--help"]) == 0
    offered = capsys.readouterr().out
    for block in blocks("sh"):
        for option in re.findall(r"--[a-z-]+", block):
            if "check-loss" in block:
                assert option in offered
    for code, meaning in re.findall(r"^\| (\d+) \| (.*?) \|$", GUIDE, re.M):
        assert f"{code}  {meaning.replace('`', '')}" in offered or f" {code}  " in offered
