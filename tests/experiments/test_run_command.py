"""What ``eostheory run`` says of the experiments before any of them runs."""

import sys
from pathlib import Path

import pytest

from eostheory.cli.app import run as command
from eostheory.experiments import catalogue, experiment, names

sys.path.insert(0, str(Path(__file__).parent))
import shared_run


@pytest.fixture
def shared(monkeypatch):
    """An experiment that several processes may share, in the catalogue."""
    monkeypatch.setitem(sys.modules, "eostheory.experiments.shared_test", shared_run)
    monkeypatch.setitem(catalogue._MODULES, "test/shared", "shared_test")


@pytest.mark.usefixtures("shared")
def test_the_list_names_every_experiment_and_marks_those_that_can_be_shared(capsys):
    assert command(["run", "--list"]) == 0
    out = capsys.readouterr().out
    for name in names():
        assert f"\n{name} " in f"\n{out}"
    assert "a network that several processes share *" in out
    assert "* several processes may share it" in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("name", names())
def test_a_description_shows_all_that_can_be_set_as_it_can_be_set(name, capsys):
    assert command(["run", name, "--describe"]) == 0
    out = capsys.readouterr().out
    found = experiment(name)
    assert f"{name}: {found.title}" in out
    for field in found.fields():
        assert f"  {field.name}=" in out
    for variant in found.variants:
        assert f"\n  {variant} " in out
    for plot in found.plots:
        assert f"\n  {plot.name} " in out
    assert "What the paper leaves open" in out
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.usefixtures("shared")
def test_the_description_says_how_several_processes_share_it(capsys):
    assert command(["run", "test/shared", "--describe"]) == 0
    assert "torchrun --nproc-per-node 2 -m eostheory run test/shared" in capsys.readouterr().out
    assert command(["run", "lyu22/fig-5", "--describe"]) == 0
    assert "torchrun" not in capsys.readouterr().out


def test_a_description_is_short_where_parts_are_many(capsys):
    assert command(["run", "lyu22/fig-5", "--describe"]) == 0
    assert "runs/draw-1 ... runs/draw-9  2001 rows each" in capsys.readouterr().out


def test_an_unknown_name_is_told_the_nearest(capsys):
    assert command(["run", "lyu22/fig5", "--describe"]) == 2
    assert "did you mean 'lyu22/fig-5'?" in capsys.readouterr().err


def test_a_sweep_is_not_started_many_times(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert command(["run", "lyu22/fig-4", "--sweep", "eta"]) == 2
    assert "without torchrun" in capsys.readouterr().err


def test_a_sweep_refuses_what_it_would_ignore(tmp_path, capsys):
    given = ["--sweep", "eta=0.1", "--out", str(tmp_path / "out"), "--json", "--device", "cuda"]
    assert command(["run", "damian23/fig-2", *given]) == 2
    assert "--device, --json" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
