"""Peers agree before they are timed; those that are absent say so."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from eostheory.bench import jax_peer, native
from eostheory.bench.cases import Wrong
from eostheory.bench.compiled import CompiledLoop
from eostheory.bench.jax_peer import NOT_INSTALLED, JaxFailed, JaxProcess, JaxScan
from eostheory.bench.native import Unbuildable
from eostheory.bench.peers import NativeLoop, TorchLoop
from eostheory.bench.race import race
from eostheory.bench.stores import Stores
from eostheory.bench.tasks import batch_norm, scale_invariant, toy
from eostheory.bench.timing import Sample
from eostheory.bench.trajectories import line_up

TASKS = {"scale-invariant": scale_invariant, "toy": toy, "batch-norm": batch_norm}


class Fake:
    """A peer with a given result and speed."""

    note = ""
    work = 100.0

    def __init__(self, name, seconds, state=1.0, faults=""):
        self.name, self.seconds, self.state, self._faults = name, seconds, state, faults
        self.timed = 0

    def time(self):
        self.timed += 1
        return Sample(self.seconds, 2 * self.seconds)

    def final(self, steps):
        return torch.full((2, 3), self.state, dtype=torch.float64)

    def faults(self):
        return self._faults


def run(*peers, absent=None):
    return race(list(peers), absent or {}, check=10, tolerance=1e-9, repeats=3)


def test_ratios_compare_those_who_agree():
    found = run(Fake("loop", 4.0), Fake("ours", 1.0), Fake("C", 0.5, 1 + 1e-12))
    assert found.ratio("ours", "C").median == 0.5
    assert found.ratio("ours", "loop").median == 4.0
    assert found.fastest(["loop", "C"]) == "C"
    assert [row[0] for row in found.table("t", "ours").rows] == ["loop", "ours", "C"]


@pytest.mark.parametrize("state", [1.001, float("nan")])
def test_who_is_fast_but_wrong_does_not_count(state):
    cheat = Fake("ours", 1e-6, state)
    found = run(Fake("loop", 4.0), cheat, Fake("C", 0.5))
    assert cheat.timed == 0
    verdict = found.ratio("ours", "C")
    assert isinstance(verdict, Wrong)
    assert "ours differs from loop" in verdict
    row = found.table("t", "ours").rows[1]
    assert row[0] == "ours"
    assert row[1] is None
    assert "not counted" in row[-1]


def test_a_slower_peer_does_not_stand_in_for_a_wrong_one():
    found = run(Fake("loop", 4.0), Fake("ours", 1.0), Fake("C scalar", 2.0), Fake("C", 0.1, 1.5))
    verdict = found.against("ours", ["C", "C scalar"])
    assert isinstance(verdict, Wrong)
    assert found.against("ours", ["C scalar", "loop"]).median == 2.0


def test_who_stops_early_does_not_count():
    found = run(Fake("loop", 4.0), Fake("ours", 1e-6, faults="3 of 4 trajectories stopped early"))
    assert found.ratio("ours", "loop") == "3 of 4 trajectories stopped early"


def test_who_is_absent_has_a_row_with_the_reason():
    found = run(Fake("loop", 4.0), Fake("ours", 1.0), absent={"JAX scan": NOT_INSTALLED})
    assert found.ratio("ours", "JAX scan") == NOT_INSTALLED
    assert found.table("t", "ours").rows[-1] == ("JAX scan", *[None] * 4, NOT_INSTALLED)


def test_without_compiler_and_jax_the_others_still_run(monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert native.compiler_version() is None
    peers, absent = line_up(toy(4, 0.001), NOT_INSTALLED, tmp_path)
    assert [peer.name for peer in peers] == ["torch loop", "compiled", "compiled FMA"]
    assert absent == {
        "JAX scan": NOT_INSTALLED,
        "C scalar": "no C compiler",
        "C vectors": "no C compiler",
        "C vectors FMA": "no C compiler",
    }


def test_a_compiler_that_fails_is_quoted(monkeypatch, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'the disk is full' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(Unbuildable, match="broken failed: the disk is full"):
        native.build("toy", tmp_path)


def test_jax_that_is_absent_or_dies_says_so(monkeypatch):
    monkeypatch.setattr(jax_peer.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(JaxFailed, match=r"pip install eostheory\[bench\]"):
        JaxProcess()
    monkeypatch.setattr(jax_peer.importlib.util, "find_spec", lambda name: True)
    code = "import sys; sys.exit('no room for XLA')"
    monkeypatch.setattr(jax_peer, "COMMAND", (sys.executable, "-c", code))
    with pytest.raises(JaxFailed, match="no room for XLA"):
        JaxProcess()


def test_the_jax_process_without_jax_answers_in_words():
    code = (
        "import runpy, sys; sys.modules['jax'] = None\n"
        f"runpy.run_path({str(jax_peer.WORKER)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "absent" in json.loads(done.stdout)


@pytest.mark.parametrize("name", TASKS)
def test_the_compiled_peer_agrees_with_autograd(name):
    task = TASKS[name](5, 0.01)
    ours, loop = CompiledLoop(task), TorchLoop(task)
    assert ours.faults() == ""
    expected = loop.final(100)
    assert torch.allclose(ours.final(100), expected, rtol=1e-11, atol=1e-12)
    assert not torch.allclose(ours.final(200), expected, rtol=1e-3)


@pytest.mark.parametrize("name", ["scale-invariant", "toy"])
def test_c_agrees_with_autograd_and_its_vectors_with_its_scalars_bit_for_bit(name, tmp_path):
    task = TASKS[name](16, 0.01)
    try:
        scalar = NativeLoop(task, tmp_path)
        vectors = NativeLoop(task, tmp_path, unroll=2)
    except Unbuildable as reason:
        assert str(reason) == native.NO_COMPILER  # noqa: PT017
        return
    expected = TorchLoop(task).final(100)
    assert torch.allclose(scalar.final(100), expected, rtol=1e-11, atol=1e-12)
    assert torch.equal(scalar.final(1000), vectors.final(1000))
    scalar.time()
    vectors.time()
    assert torch.equal(scalar._records, vectors._records)


def test_jax_agrees_with_autograd():
    if importlib.util.find_spec("jax") is None:
        with pytest.raises(JaxFailed, match="not installed"):
            JaxProcess()
        return
    with JaxProcess() as process:
        for make, batch in ((scale_invariant, 1), (batch_norm, 2)):
            task = replace(make(batch, 0.01), steps=100)
            peer = JaxScan(process, task)
            assert peer.time().cpu > 0
            expected = TorchLoop(task).final(100)
            assert torch.allclose(peer.final(100), expected, rtol=1e-11, atol=1e-12)


def test_a_buffer_is_filled_to_its_end():
    stores = Stores()
    buffer = torch.zeros(3, 2, 128, dtype=torch.float64)
    stores(buffer, 2.5)
    assert bool((buffer == 2.5).all())
    with pytest.raises(ValueError, match="contiguous buffer of a multiple"):
        stores(torch.zeros(7, dtype=torch.float64), 1.0)
