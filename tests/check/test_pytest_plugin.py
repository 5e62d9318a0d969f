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


def test_the_help_shows_the_options_and_the_markers_are_known(pytester_run):
    shown = pytester_run("--help").stdout
    for option in ("--loss-profile", "--loss-seed", "--loss-strict"):
        assert option in shown
    assert "loss_check(name)" in pytester_run("--markers").stdout


def test_each_check_is_a_test_with_a_readable_id(pytester_run):
    pytester_run.write("losses.py", LOSSES)
    pytester_run.write(
        "test_ids.py",
        "import eostheory\nfrom losses import bowl, wrong\n\n"
        "@eostheory.parametrize_with_loss_checks([bowl, wrong, lambda w: w.sum(), bowl], size=2)\n"
        "def test_loss(loss_check):\n    loss_check()\n",
    )
    done = pytester_run("--collect-only", "-q")
    assert done.returncode == 0, done.stdout
    ids = re.findall(r"^test_ids\.py::test_loss\[(.*)\]$", done.stdout, re.M)
    names = list(dict.fromkeys(i.partition("/")[0] for i in ids))
    assert names == ["bowl", "wrong", "lambda", "bowl-2"]
    for check in ("evaluates", "third-derivative", "sharpness-gradient", "limiting-sharpness"):
        assert f"bowl/{check}" in ids
    done = pytester_run("--collect-only", "-q", "-k", "wrong and hessian")
    chosen = re.findall(r"\[(.*)\]$", done.stdout, re.M)
    assert "wrong/hessian" in chosen
    assert all(i.startswith("wrong/") and "hessian" in i for i in chosen)


def test_a_failure_shows_the_counterexample_and_lines_that_reproduce_it(pytester_run):
    pytester_run.write("losses.py", LOSSES)
    pytester_run.write(
        "test_wrong.py",
        "import eostheory\nfrom losses import wrong\n\n"
        "@eostheory.parametrize_with_loss_checks(\n"
        "    [{'loss': wrong, 'size': 3}], checks=['evaluates', 'gradient', 'scale-invariant'],\n"
        "    profile='quick')\n"
        "def test_loss(loss_check):\n    loss_check()\n",
    )
    done = pytester_run()
    assert done.returncode == 1
    assert outcomes(done.stdout) == {"passed": 1, "failed": 1, "skipped": 1}
    for words in ("counterexample of wrong/gradient", "w = torch.tensor([", "reproduce"):
        assert words in done.stdout
    # nobody wants to read our frames
    assert "Traceback" not in done.stdout
    assert "parametrize.py" not in done.stdout
    assert re.search(
        r"^FAILED test_wrong.py::test_loss\[wrong/gradient\] - .*gradient", done.stdout, re.M
    )
    assert re.search(r"^SKIPPED .* needs gradient", done.stdout, re.M) or "SKIPPED" in done.stdout


def test_an_expected_failure_is_one_and_must_fail(pytester_run):
    pytester_run.write("losses.py", LOSSES)
    pytester_run.write(
        "test_expected.py",
        "import eostheory\nfrom losses import bowl, wrong\n\n"
        "@eostheory.parametrize_with_loss_checks(\n"
        "    [bowl, wrong], size=2, checks=['gradient'], profile='quick',\n"
        "    expected_failures={'gradient': 'a factor 5/4 too large'})\n"
        "def test_loss(loss_check):\n    loss_check()\n",
    )
    done = pytester_run()
    assert done.returncode == 1
    assert outcomes(done.stdout) == {"failed": 1, "xfailed": 1}
    assert (
        "XFAIL test_expected.py::test_loss[wrong/gradient] - a factor 5/4 too large" in done.stdout
    )
    assert "[XPASS(strict)] gradient was expected to fail" in done.stdout


def test_what_does_not_apply_is_skipped_with_its_reason_or_passes_on_demand(pytester_run):
    pytester_run.write("losses.py", LOSSES)
    for how, expected in (("skip", {"skipped": 1}), ("pass", {"passed": 1})):
        pytester_run.write(
            "test_applies.py",
            "import eostheory\nfrom losses import bowl\n\n"
            "@eostheory.parametrize_with_loss_checks([bowl], size=2, checks=['declared-hessian'],\n"
            f"    profile='quick', not_applicable='{how}')\n"
            "def test_loss(loss_check):\n    loss_check()\n",
        )
        done = pytester_run()
        assert done.returncode == 0
        assert outcomes(done.stdout) == expected


def test_a_loss_is_examined_once_and_factories_are_called_late(pytester_run):
    pytester_run.write(
        "test_once.py",
        "import eostheory, torch\n\nmade = []\n\ndef factory():\n    made.append(1)\n"
        "    return {'loss': lambda w: (w**2).sum() + (w**4).sum(), 'size': 2}\n\n"
        "@eostheory.parametrize_with_loss_checks([factory],\n"
        "    checks=['evaluates', 'finite', 'gradient', 'hessian'], profile='quick')\n"
        "def test_loss(loss_check):\n    loss_check()\n    assert made == [1]\n\n"
        "assert made == []\n",
    )
    done = pytester_run()
    assert done.returncode == 0, done.stdout
    assert outcomes(done.stdout) == {"passed": 4}


def test_the_profile_and_the_seed_of_the_command_line_count(pytester_run):
    pytester_run.write(
        "test_options.py",
        "import eostheory, torch\n\ndef bowl(w):\n    return (w**2).sum()\n\n"
        "@eostheory.parametrize_with_loss_checks([bowl], size=2, checks=['gradient'], seed=3)\n"
        "def test_loss(loss_check):\n    loss_check()\n"
        "    made = loss_check.examination._made\n"
        "    assert (made.context.profile.name, made.context.seed) == ('quick', 7)\n",
    )
    done = pytester_run("--loss-profile", "quick", "--loss-seed", "7")
    assert done.returncode == 0, done.stdout
    assert pytester_run("--loss-profile", "hasty").returncode == 4


def test_it_works_across_workers(pytester_run):
    pytest.importorskip("xdist")
    pytester_run.write("losses.py", LOSSES)
    pytester_run.write(
        "test_spread.py",
        "import eostheory\nfrom losses import bowl, wrong\n\n"
        "@eostheory.parametrize_with_loss_checks(\n"
        "    [bowl, wrong], size=2, checks=['evaluates', 'gradient', 'hessian'], profile='quick')\n"
        "def test_loss(loss_check):\n    loss_check()\n",
    )
    for how in ("loadgroup", "worksteal"):
        done = pytester_run("-n", "2", "--dist", how)
        assert done.returncode == 1
        assert outcomes(done.stdout) == {"passed": 4, "failed": 1, "skipped": 1}
        assert "counterexample of wrong/gradient" in done.stdout


def test_without_the_plugin_the_tests_still_run(pytester_run):
    pytester_run.write(
        "test_bare.py",
        "import eostheory\n\n"
        "@eostheory.parametrize_with_loss_checks([lambda w: (w**2).sum()], size=2,\n"
        "    checks=['evaluates', 'gradient'], profile='quick')\n"
        "def test_loss(loss_check):\n    loss_check()\n",
    )
    done = pytester_run("-p", "no:eostheory")
    assert done.returncode == 0, done.stdout
    assert outcomes(done.stdout) == {"passed": 2}


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
    with pytest.raises(ValueError, match="gradiant.*gradient"):
        eostheory.parametrize_with_loss_checks([loss], size=2, checks=["gradiant"])
    with pytest.raises(ValueError, match="hesian.*hessian"):
        eostheory.parametrize_with_loss_checks([loss], size=2, expected_failures={"hesian": "x"})

    @eostheory.parametrize_with_loss_checks([loss], size=2)
    def test_right(loss_check):
        loss_check()

    with pytest.raises(TypeError, match=r"has no argument 'loss_check'; write\n.*loss_check\)"):

        @eostheory.parametrize_with_loss_checks([loss], size=2)
        def test_it(check):
            check()
