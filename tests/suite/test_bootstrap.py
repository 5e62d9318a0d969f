"""scripts/run.py: what it needs of a machine, and what it says when something is missing."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "run.py"


@pytest.fixture
def bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_needs_nothing_but_the_standard_library():
    tree = ast.parse(SCRIPT.read_text())
    names = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert names <= set(sys.stdlib_module_names)


def test_a_python_that_is_too_old_can_read_it_and_is_told_so(bootstrap, monkeypatch, capsys):
    ast.parse(SCRIPT.read_text(), feature_version=(3, 7))
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 8))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    with pytest.raises(SystemExit) as end:
        bootstrap.main(["verify"])
    assert end.value.code == 2
    assert "Python 3.11 or newer is needed" in capsys.readouterr().err


def test_without_a_command_it_prints_how_it_is_used():
    found = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "run.py verify" in found.stdout


@pytest.mark.parametrize(
    "wanted, gpu, first",
    [
        ("", None, "torch==2.13.0+cpu"),
        ("", "/usr/bin/nvidia-smi", "torch>=2.6"),
        ("cpu", "/usr/bin/nvidia-smi", "torch==2.13.0+cpu"),
        ("default", None, "torch>=2.6"),
    ],
)
def test_the_cpu_build_of_torch_is_chosen_unless_there_is_a_gpu(
    bootstrap, monkeypatch, wanted, gpu, first
):
    calls = []
    monkeypatch.setenv("EOSTHEORY_TORCH", wanted)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: gpu)
    monkeypatch.setattr(bootstrap.glob, "glob", lambda _: [])
    monkeypatch.setattr(
        bootstrap.subprocess, "call", lambda command, **_: calls.append(command) or 0
    )
    bootstrap.install_torch("python")
    assert len(calls) == 1
    assert calls[0][-1] == first


def test_torch_is_sought_where_it_may_be_until_it_is_found(bootstrap, monkeypatch):
    calls = []
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    monkeypatch.setattr(bootstrap.glob, "glob", lambda _: [])
    monkeypatch.delenv("EOSTHEORY_TORCH", raising=False)
    monkeypatch.setattr(
        bootstrap.subprocess, "call", lambda command, **_: calls.append(command) or 1
    )
    with pytest.raises(SystemExit):
        bootstrap.install_torch("python")
    assert [call[-1] for call in calls] == [
        "torch==2.13.0+cpu",
        "torch==2.13.0",
        "torch==2.13.0",
        "torch>=2.6",
    ]
    assert bootstrap.CPU_INDEX in calls[1]
