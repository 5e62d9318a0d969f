"""Each check of a loss as a test of pytest: ids, outcomes, reports, and what loading costs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LOSSES = '''
import torch
import eostheory

calls = []

def bowl(w):
    """Smooth everywhere."""
    calls.append(1)
    return (w**2 * torch.tensor([1.0, 2.0], dtype=w.dtype)).sum() + (w**4).sum() / 4

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
'''


class Runs:
    """Runs pytest on files of its own, with the plugin as if it were installed."""

    def __init__(self, folder):
        self.folder = folder
        info = folder / "site" / "eostheory-0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: eostheory\nVersion: 0\n")
        (info / "entry_points.txt").write_text(
            "[pytest11]\neostheory = eostheory.check.pytest_plugin\n"
        )
        (info / "RECORD").write_text("eostheory/__init__.py,,\neostheory/check/__init__.py,,\n")
        (folder / "pytest.ini").write_text(
            "[pytest]\naddopts = --strict-markers --strict-config -ra\nfilterwarnings = error\n"
        )

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def __call__(self, *arguments):
        path = os.pathsep.join([str(self.folder / "site"), str(ROOT)])
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            timeout=280,
        )


@pytest.fixture
def pytester_run(tmp_path):
    return Runs(tmp_path)


def outcomes(output):
    """How many tests ended in which way, of pytest's last line."""
    last = [line for line in output.splitlines() if re.search(r" in [0-9.]+s", line)][-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) ([a-z]+)", last)}


def test_loading_the_plugin_imports_nothing_heavy_and_warns_of_nothing(pytester_run):
    pytester_run.write(
        "test_light.py",
        "import sys\n\ndef test_light():\n"
        "    assert 'eostheory.check.pytest_plugin' in sys.modules\n"
        "    heavy = {'torch', 'numpy', 'sympy', 'hypothesis', 'rich', 'typer'}\n"
        "    ours = {m for m in sys.modules if m.startswith('eostheory')}\n"
        "    assert not heavy & set(sys.modules)\n"
        "    assert ours == {'eostheory', 'eostheory.check', 'eostheory.check.pytest_plugin'}\n",
    )
    # Hypothesis has a plugin of its own, which other plugins may import
    done = pytester_run("-W", "error", "-p", "no:hypothesispytest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout
    assert not done.stderr


def test_running_pytest_where_eostheory_was_imported_warns_of_nothing(pytester_run):
    pytester_run.write("test_plain.py", "def test_plain():\n    pass\n")
    pytester_run.write(
        "run.py", "import sys, eostheory, pytest\nsys.exit(pytest.main(['-q', 'test_plain.py']))\n"
    )
    path = os.pathsep.join([str(pytester_run.folder / "site"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "run.py"],
        cwd=pytester_run.folder,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout


def test_the_help_shows_the_options_and_the_markers_are_known(pytester_run):
    shown = pytester_run("--help").stdout
    for option in ("--loss-profile", "--loss-seed", "--loss-strict"):
        assert option in shown
    assert "loss_check(name)" in pytester_run("--markers").stdout


SUITE = """
import eostheory
import torch
from losses import bowl, wrong

check = eostheory.parametrize_with_loss_checks

@check([{"loss": wrong, "size": 3}], checks=["evaluates", "gradient", "third-derivative"])
def test_wrong(loss_check):
    loss_check()

@check([bowl, wrong], size=2, checks="gradient", expected_failures={"gradient": "5/4 too large"})
def test_expected(loss_check):
    loss_check()

@check([bowl], size=2, checks=["declared-hessian"])
def test_skips(loss_check):
    loss_check()

@check([bowl], size=2, checks=["declared-hessian"], not_applicable="pass")
def test_passes(loss_check):
    loss_check()

made = []

def factory():
    made.append(1)
    return {"loss": lambda w: (w**2).sum() + (w**4).sum(), "size": 2, "exclude": "pure"}

@check([factory], checks=["evaluates", "pure", "gradient", "hessian"], seed=3)
def test_once(loss_check):
    loss_check()
    assert made == [1]
    examination = loss_check.examination._made
    assert (examination.context.profile.name, examination.context.seed) == ("quick", 7)

assert made == []
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What one run of the suite above prints."""
    run = Runs(tmp_path_factory.mktemp("suite"))
    run.write("losses.py", LOSSES)
    run.write("test_suite.py", SUITE)
    done = run("-v", "--loss-profile", "quick", "--loss-seed", "7")
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def result(shown, test):
    """How one test of the verbose output ended."""
    found = re.search(rf"^test_suite\.py::{re.escape(test)} ([A-Z]+)", shown, re.M)
    return found.group(1) if found else None


def test_a_failure_shows_the_counterexample_and_lines_that_reproduce_it(shown):
    assert result(shown, "test_wrong[wrong/evaluates]") == "PASSED"
    assert result(shown, "test_wrong[wrong/gradient]") == "FAILED"
    assert result(shown, "test_wrong[wrong/third-derivative]") == "SKIPPED"
    section = shown.partition("counterexample of wrong/gradient")[2]
    assert re.search(r"^w = ", section, re.M)
    assert re.search(r"^-+ reproduce -+$", section, re.M)
    # nobody wants to read our frames
    assert "Traceback" not in shown
    assert "parametrize.py" not in shown
    line = r"^FAILED test_suite.py::test_wrong\[wrong/gradient\] - Failed: gradient"
    assert re.search(line, shown, re.M)
    assert "needs gradient, which failed" in shown


def test_an_expected_failure_is_one_and_must_fail(shown):
    assert result(shown, "test_expected[wrong/gradient]") == "XFAIL"
    assert result(shown, "test_expected[bowl/gradient]") == "FAILED"
    assert "XFAIL test_suite.py::test_expected[wrong/gradient] - 5/4 too large" in shown
    assert "[XPASS(strict)] gradient was expected to fail (5/4 too large), but" in shown


def test_what_does_not_apply_is_skipped_with_its_reason_or_passes_on_demand(shown):
    assert result(shown, "test_skips[bowl/declared-hessian]") == "SKIPPED"
    assert "no Hessian is declared" in shown
    assert result(shown, "test_passes[bowl/declared-hessian]") == "PASSED"


def test_a_factory_is_called_late_and_once_and_options_come_first(shown):
    for name in ("evaluates", "gradient", "hessian"):
        assert result(shown, f"test_once[factory/{name}]") == "PASSED"
    assert result(shown, "test_once[factory/pure]") == "SKIPPED"
    assert "left out by the arguments of this loss" in shown


def test_each_check_is_a_test_with_a_readable_id(pytester_run):
    pytester_run.write("losses.py", LOSSES)
    pytester_run.write(
        "test_ids.py",
        "import eostheory\nfrom losses import bowl, wrong\n\n"
        "@eostheory.parametrize_with_loss_checks([bowl, wrong, lambda w: w.sum(), bowl], size=2)\n"
        "def test_loss(loss_check):\n    loss_check()\n",
    )
    done = pytester_run("--collect-only", "-q", "-k", "not finite")
    assert done.returncode == 0, done.stdout
    ids = re.findall(r"^test_ids\.py::test_loss\[(.*)\]$", done.stdout, re.M)
    names = list(dict.fromkeys(i.partition("/")[0] for i in ids))
    assert names == ["bowl", "wrong", "lambda", "bowl-2"]
    for check in ("evaluates", "third-derivative", "sharpness-gradient"):
        assert f"bowl/{check}" in ids
    assert "bowl/finite" not in ids


def test_it_works_across_workers(pytester_run):
    pytester_run.write("losses.py", LOSSES)
    pytester_run.write(
        "test_spread.py",
        "import eostheory\nfrom losses import bowl, wrong\n\n"
        "@eostheory.parametrize_with_loss_checks(\n"
        "    [bowl, wrong], size=2, checks=['evaluates', 'gradient'], profile='quick')\n"
        "def test_loss(loss_check):\n    loss_check()\n",
    )
    done = pytester_run("-n", "2", "--dist", "loadgroup")
    assert done.returncode == 1
    assert outcomes(done.stdout) == {"passed": 3, "failed": 1}
    assert "counterexample of wrong/gradient" in done.stdout


def test_without_the_plugin_the_tests_still_run(pytester_run):
    pytester_run.write(
        "test_bare.py",
        "import eostheory\n\n"
        "@eostheory.parametrize_with_loss_checks([lambda w: (w**2).sum()], size=2,\n"
        "    checks=['evaluates'], profile='quick')\n"
        "def test_loss(loss_check):\n    loss_check()\n",
    )
    done = pytester_run("-p", "no:eostheory")
    assert done.returncode == 0, done.stdout
    assert outcomes(done.stdout) == {"passed": 1}


def test_wrong_uses_are_refused_where_they_stand():
    import eostheory

    def loss(w):
        return w.sum()

    with pytest.raises(TypeError, match=r"expected a list: \[loss\]"):
        eostheory.parametrize_with_loss_checks(loss, size=2)
    with pytest.raises(ValueError, match="no losses"):
        eostheory.parametrize_with_loss_checks([])
    with pytest.raises(ValueError, match="expected 'skip' or 'pass'"):
        eostheory.parametrize_with_loss_checks([loss], size=2, not_applicable="ignore")
    with pytest.raises(ValueError, match=r"gradiant.*gradient"):
        eostheory.parametrize_with_loss_checks([loss], size=2, checks=["gradiant"])
    with pytest.raises(ValueError, match=r"hesian.*hessian"):
        eostheory.parametrize_with_loss_checks([loss], size=2, expected_failures={"hesian": "x"})

    @eostheory.parametrize_with_loss_checks([loss], size=2)
    def test_right(loss_check):
        loss_check()

    with pytest.raises(TypeError, match=r"has no argument 'loss_check'; write\n.*loss_check\)"):

        @eostheory.parametrize_with_loss_checks([loss], size=2)
        def test_it(check):
            check()
