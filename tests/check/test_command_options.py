"""Options of ``eostheory check-loss`` that say as much as the Python call does."""

import signal
import sys

import pytest

from eostheory.cli.app import run as command

LOSSES = """
import torch

def rooted(w):
    return torch.sqrt(w).sum()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "losses.py").write_text(LOSSES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)


def check(*arguments):
    few = ("--checks", "evaluates,pure,finite", "--profile", "quick")
    return command(["check-loss", "losses.py:rooted", "--size", "2", *few, *arguments])


def test_a_domain_keeps_out_what_fails_elsewhere(capsys):
    assert check() == 1
    assert "exclude the place with domain=" in capsys.readouterr().out
    assert check("--domain=0.5,2", "--name", "root", "--full") == 0
    said = capsys.readouterr().out
    assert said.startswith("root: function, 2 parameters")
    # each check on a line of its own
    assert "✓ evaluates " in said
    assert "✓ pure " in said


@pytest.mark.parametrize("given", ["1", "1,2,3", "2,1", "a,b"])
def test_a_domain_that_is_none_is_a_usage_error(given, capsys):
    assert check(f"--domain={given}") == 2
    assert "domain" in capsys.readouterr().err
