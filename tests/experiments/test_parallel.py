"""A loss that two processes share is the loss that one has."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from eostheory.experiments.parallel import shared_objective

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import two_processes  # noqa: E402


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    out = tmp_path_factory.mktemp("processes")
    command = [sys.executable, str(HERE / "two_processes.py")]
    running = [
        subprocess.Popen([*command, str(rank), "2", str(out / "meeting"), str(out)])
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    return [dict(np.load(out / f"{rank}.npz")) for rank in range(2)]


@pytest.fixture(scope="module")
def alone():
    torch.set_num_threads(1)
    return two_processes.everything(*two_processes.problem())


@pytest.mark.parametrize("what", ["value", "gradient", "product", "third", "rows", "w"])
def test_two_processes_get_the_same_bits(found, what):
    assert np.array_equal(found[0][what], found[1][what], equal_nan=True)


@pytest.mark.parametrize("what", ["value", "gradient", "product", "third"])
def test_two_processes_get_what_one_gets_up_to_the_order_of_the_sum(found, alone, what):
    # five chunks are added in another order: some units in the last place of the largest
    bound = 64 * np.finfo(float).eps * max(np.abs(alone[what]).max(), 1.0)
    assert np.abs(found[0][what] - alone[what]).max() <= bound


def test_a_tracked_run_on_two_processes_is_that_of_one(found, alone):
    assert found[0]["rows"].shape == alone["rows"].shape
    steps, losses, sharpness = found[0]["rows"][:, 0], alone["rows"][:, 1], alone["rows"]
    assert steps[-1] == 30
    assert np.isfinite(losses).all()
    # thirty smooth steps magnify rounding by less than a thousand
    assert np.allclose(found[0]["w"], alone["w"], rtol=0, atol=1e-10)
    assert np.allclose(found[0]["rows"][:, :5], sharpness[:, :5], rtol=1e-7, atol=1e-10)


def test_without_processes_the_error_says_what_to_call():
    objective, _ = two_processes.problem()
    with pytest.raises(RuntimeError, match="init_process_group"):
        shared_objective(objective)
