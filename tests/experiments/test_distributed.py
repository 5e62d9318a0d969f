"""A run that two processes share, by the command line: the same bits in both, and no hang when one
of them is lost."""

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from eostheory.experiments import (
    DistributedError,
    Processes,
    Results,
    experiment,
    processes,
    run,
)

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import processes as forked  # noqa: E402

RUN = ("run", "test/shared")


@pytest.fixture(scope="module")
def commands():
    with forked.Commands() as found:
        yield found


def rows(folder):
    return {part: records.rows for part, records in Results(folder).items()}


def both(commands, folder, *more, **environment):
    """Exit codes, outputs and errors of two processes, side by side."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    started = [
        commands.start(
            *(more if more and more[0] == "run" else (*RUN, "--out", str(folder), *more)),
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            **meeting,
            **environment,
        )
        for rank in (0, 1)
    ]
    first = started[0].wait()
    # A process that was stopped never ends by itself.
    stopped = " stop" in environment.get("HARM", "")
    return first, started[1].kill() if stopped else started[1].wait()


@pytest.fixture(scope="module")
def whole(commands, tmp_path_factory):
    """Of a run on two processes that nothing interrupts, as ``torchrun`` starts it."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    found = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *(str(HERE / "shared_run.py"), *RUN, "--out", str(folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("loss at the end") == 1  # one process speaks
    assert (folder / "plots" / "loss.png").stat().st_size > 0
    return folder


def test_torchrun_records_what_one_process_records_up_to_the_order_of_the_sum(
    whole, commands, tmp_path
):
    code, _, error = commands.start(*RUN, "--out", str(tmp_path / "alone")).wait()
    assert code == 0, error
    together, alone = rows(whole), rows(tmp_path / "alone")
    assert together.keys() == alone.keys()
    for part, found in together.items():
        assert found.shape == alone[part].shape
        # sixty smooth steps magnify rounding by less than a thousand
        assert np.allclose(found, alone[part], rtol=1e-10, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize(("rank", "when"), [(0, 50), (1, 130)])
def test_a_killed_process_ends_the_other_and_the_run_goes_on_with_the_same_bits(
    whole, commands, tmp_path, rank, when
):
    folder = tmp_path / "run"
    found = both(commands, folder, HARM=f"{rank} {when} kill")
    assert found[rank][0] == -9
    code, _, error = found[1 - rank]
    assert code == 4
    assert "another process of the run ended" in error
    assert "--resume" in error
    assert "Traceback" not in error
    for part, there in rows(folder).items():
        assert np.array_equal(there, rows(whole)[part][: len(there)], equal_nan=True)
    before = len(rows(folder)["slow"])
    assert before > 0
    assert [code for code, *_ in both(commands, folder, "--resume")] == [0, 0]
    for part, there in rows(folder).items():
        assert there.tobytes() == rows(whole)[part].tobytes()


def test_a_process_without_memory_says_so_and_the_run_can_be_resumed(whole, commands, tmp_path):
    folder = tmp_path / "run"
    first, second = both(commands, folder, HARM="1 60 memory")
    assert (first[0], second[0]) == (4, 4)
    assert "process 1 of 2: test/shared stopped" in second[2]
    assert "no room, in a test" in second[2]
    assert [code for code, *_ in both(commands, folder, "--resume")] == [0, 0]
    assert rows(folder)["fast"].tobytes() == rows(whole)["fast"].tobytes()


def test_a_process_that_hangs_is_not_waited_for_for_ever(commands, tmp_path):
    patience = {"EOSTHEORY_PATIENCE": "6"}
    first, _ = both(commands, tmp_path / "run", HARM="1 40 stop", **patience)
    assert first[0] == 4
    assert "ended or hangs" in first[2]


@pytest.mark.parametrize(
    ("more", "harm", "code", "message"),
    [
        ([], "1 1 data", 4, "the processes differ in: loss of the same parameters"),
        (["--set", "chunk=50"], "", 2, "2 processes cannot share a loss of 1 chunk: let fewer"),
        (["run", "damian23/fig-2"], "", 2, "damian23/fig-2 runs on one process"),
    ],
)
def test_what_cannot_be_shared_is_refused(commands, tmp_path, more, harm, code, message):
    if more[:1] == ["run"]:
        more = [*more, "--out", str(tmp_path / "run")]
    for found in both(commands, tmp_path / "run", *more, **({"HARM": harm} if harm else {})):
        assert found[0] == code
        assert message in found[2]


def test_a_run_goes_on_with_as_many_processes_as_it_began_with(whole, commands):
    code, _, error = commands.start(*RUN, "--out", str(whole), "--resume").wait()
    assert code == 2
    assert "processes was 2, is 1" in error


def test_a_folder_that_the_first_refuses_ends_the_others(whole, commands):
    first, second = both(commands, whole)
    assert (first[0], second[0]) == (2, 4)
    assert "holds a run of test/shared already" in first[2]
    assert "process 0 could not begin" in second[2]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK is '2'"),
        ({"RANK": "one", "WORLD_SIZE": "2"}, "RANK is 'one'"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "cannot be joined.*MASTER_ADDR"),
    ],
)
def test_an_environment_that_is_not_that_of_torchrun_is_named(monkeypatch, environment, message):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DistributedError, match=message), processes():
        raise AssertionError


def test_one_process_needs_no_others(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with processes() as found:
        assert found is None
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with processes("cpu") as found:
        assert found is None


def test_an_experiment_that_cannot_be_shared_says_so_in_python_too(tmp_path):
    pair = Processes(0, 2, torch.device("cpu"), tmp_path)
    with pytest.raises(DistributedError, match="lyu22/fig-5 runs on one process"):
        run(experiment("lyu22/fig-5"), folder=tmp_path / "run", processes=pair)
