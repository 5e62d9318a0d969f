"""Runs that are killed, run out of room, or find something else in their folder."""

import json
import random
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from eostheory.experiments import (
    DeviceError,
    OutOfMemory,
    OutputError,
    Results,
    SettingError,
    describe,
    experiment,
    run,
)
from eostheory.experiments.damian23 import four_stages
from eostheory.experiments.data import DataError, cifar10, load, sst2
from eostheory.experiments.runner import complete
from eostheory.experiments.settings import chosen
from eostheory.training import CheckpointError

sys.path.insert(0, str(Path(__file__).parent))
import processes

NAME = "damian23/fig-2"
LONG = ["eta=0.004", "x=1", "y=0", "steps=450"]  # near the fixed point, where the cycles are small
SET = [word for assignment in LONG for word in ("--set", assignment)]


def rows(folder):
    return Results(folder)["descent"].rows


@pytest.fixture(scope="module")
def commands():
    with processes.Commands() as found:
        yield found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The records of a run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    found = experiment(NAME)
    run(found, chosen(found, LONG), folder=folder, plots=())
    return rows(folder)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_bits(whole, commands, tmp_path):
    folder = tmp_path / "run"
    draw = random.Random(7)
    longest = 0
    for _ in range(6):
        process = commands.start("run", NAME, "--out", str(folder), *SET, "--resume")
        records = folder / "runs" / "descent" / "records.f64"
        begun = time.monotonic()
        # Some moment of the start of the program, or of the recording.
        wanted, patience = draw.choice(
            [(1, 0.5 * draw.random()), (whole.nbytes * draw.random(), 60.0)]
        )
        while time.monotonic() - begun < patience and not process.over():
            if records.exists() and records.stat().st_size >= wanted:
                break
            time.sleep(0.01)
        time.sleep(0.2 * draw.random())
        process.kill()
        if records.exists():
            there = rows(folder)
            # What is readable after a kill is a beginning of the whole run.
            assert np.array_equal(there, whole[: len(there)])
            longest = max(longest, len(there))
    code, out, err = commands.start("run", NAME, "--out", str(folder), *SET, "--resume").wait()
    assert code == 0, err
    assert longest > 0
    assert np.array_equal(rows(folder), whole)
    assert "order of the stages" in out


@pytest.mark.slow
def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(whole, commands, tmp_path):
    folder = tmp_path / "run"
    arguments = ["run", NAME, "--out", str(folder), *SET]
    code, _, error = commands.start(*arguments, limit=whole.nbytes // 2).wait()
    assert code == 4
    assert "--resume" in error
    assert "Traceback" not in error
    there = rows(folder)
    assert 0 < len(there) < len(whole)
    assert np.array_equal(there, whole[: len(there)])
    code, _, error = commands.start(*arguments, "--resume").wait()
    assert code == 0, error
    assert np.array_equal(rows(folder), whole)


def test_a_device_without_memory_is_named_and_the_run_goes_on_when_there_is_room(
    whole, tmp_path, monkeypatch, capsys
):
    from eostheory.cli.app import run as command

    folder = tmp_path / "run"
    arguments = ["run", NAME, "--out", str(folder), *SET]
    real, count = four_stages.damian_toy, 0

    def full(*constants):
        toy = real(*constants)

        def loss(w):
            nonlocal count
            count += 1
            if count > 700:
                raise torch.OutOfMemoryError("CUDA out of memory, in a test")
            return toy(w)

        return loss

    monkeypatch.setattr(four_stages, "damian_toy", full)
    assert command(arguments) == 4
    told = capsys.readouterr().err
    assert "damian23/fig-2 stopped: a chunk of the loss does not fit into the memory" in told
    assert "CUDA out of memory, in a test" in told
    assert "--resume" in told
    assert "Traceback" not in told
    there = rows(folder)
    assert 200 < len(there) < len(whole)
    assert np.array_equal(there, whole[: len(there)])
    found = experiment(NAME)
    # It can be looked at, and is not taken for one that is over.
    assert describe(found, folder, plots=()).findings
    assert not complete(found, chosen(found, LONG), folder)
    count = -10_000
    assert command([*arguments, "--resume"]) == 0
    assert np.array_equal(rows(folder), whole)
    assert complete(found, chosen(found, LONG), folder)


def test_in_python_memory_that_ends_is_an_event(tmp_path, monkeypatch):
    def loss(w):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(four_stages, "damian_toy", lambda *_: loss)
    with pytest.raises(OutOfMemory, match="no room"):
        run(experiment(NAME), folder=tmp_path / "run", plots=())


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda:99", "no CUDA device for cuda:99: this machine has"),
        ("gpu", "unknown device 'gpu': write cpu"),
        ("meta", "meta cannot compute in double precision here"),
    ],
)
def test_a_device_that_is_not_there_is_named_before_anything_is_written(tmp_path, device, message):
    with pytest.raises(DeviceError, match=message):
        run(experiment(NAME), folder=tmp_path / "run", device=device)
    assert not (tmp_path / "run").exists()


def test_the_command_names_a_device_that_is_not_there(tmp_path, capsys):
    from eostheory.cli.app import run as command

    assert command(["run", NAME, "--out", str(tmp_path / "run"), "--device", "cuda:99"]) == 2
    assert "no CUDA device for cuda:99" in capsys.readouterr().err


def test_a_folder_with_a_run_or_with_something_else_is_refused(tmp_path):
    found = experiment(NAME)
    run(found, chosen(found, ["steps=20"]), folder=tmp_path / "run", plots=())
    with pytest.raises(OutputError, match="--resume"):
        run(found, chosen(found, ["steps=20"]), folder=tmp_path / "run", plots=())
    with pytest.raises(OutputError, match=r"setting steps was 20, is 30"):
        run(found, chosen(found, ["steps=30"]), folder=tmp_path / "run", resume=True, plots=())
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="something else"):
        run(found, folder=tmp_path, plots=())
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}'])
def test_a_damaged_configuration_is_named(tmp_path, damage):
    (tmp_path / "configuration.json").write_text(damage)
    with pytest.raises(OutputError, match=r"configuration\.json"):
        run(experiment(NAME), folder=tmp_path, resume=True)
    with pytest.raises(OutputError, match=r"configuration\.json"):
        describe(experiment(NAME), tmp_path)


def test_a_damaged_checkpoint_is_refused_and_the_records_stay(tmp_path):
    found = experiment(NAME)
    settings = chosen(found, ["steps=40"])
    run(found, settings, folder=tmp_path, plots=())
    before = rows(tmp_path)
    part = tmp_path / "runs" / "descent"
    (part / "end.json").unlink()  # as if it had been killed
    content = bytearray((part / "checkpoint.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (part / "checkpoint.npz").write_bytes(content)
    with pytest.raises(CheckpointError):
        run(found, settings, folder=tmp_path, resume=True, plots=())
    assert np.array_equal(rows(tmp_path), before)


def test_a_folder_of_another_experiment_is_refused(tmp_path):
    (tmp_path / "configuration.json").write_text(
        json.dumps({"experiment": "lyu22/fig-5", "settings": {}})
    )
    with pytest.raises(OutputError, match="lyu22/fig-5"):
        run(experiment(NAME), folder=tmp_path, resume=True)
    with pytest.raises(OutputError, match="lyu22/fig-5"):
        describe(experiment(NAME), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps=1.5", "whole number"),
        ("steps=1", "at least 10"),
        ("eta=nan", "finite"),
        ("eta", "name=value"),
        ("step=20", "did you mean 'steps'"),
    ],
)
def test_a_wrong_setting_is_named(text, message):
    with pytest.raises(SettingError, match=message):
        chosen(experiment(NAME), [text])


def test_absent_data_are_named_with_where_to_get_them(tmp_path):
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz"):
        load("cifar10", tmp_path)
    with pytest.raises(DataError, match="gluebenchmark"):
        load("sst2", tmp_path)
    with pytest.raises(DataError, match="known: digits, cifar10, sst2"):
        load("mnist")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Five files of the binary version, with random images."""
    folder = tmp_path_factory.mktemp("cifar")
    draw = np.random.default_rng(0)
    for number in range(1, 6):
        found = draw.integers(0, 256, (10_000, 3073), dtype=np.uint8)
        found[:, 0] = np.arange(10_000) % 10
        found.tofile(folder / f"data_batch_{number}.bin")
    return folder


def test_cifar_is_read_channel_by_channel(images):
    data = cifar10(images)
    raw = np.fromfile(images / "data_batch_1.bin", dtype=np.uint8)[:3073]
    assert data.inputs.shape == (50_000, 3, 32, 32)
    assert int(data.labels[0]) == raw[0]
    assert float(data.inputs[0, 1, 2, 3]) == raw[1 + 1024 + 2 * 32 + 3] / 255


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-1], "bytes, expected"),
        (lambda rows: np.where(np.arange(3073) == 0, rows + 1, rows), "class 10"),
        (lambda rows: np.where(np.arange(3073) == 0, rows % 9, rows), "expected 5000 each"),
    ],
)
def test_mislabelled_images_are_refused(images, tmp_path, change, message):
    for number in range(1, 6):
        (tmp_path / f"data_batch_{number}.bin").symlink_to(images / f"data_batch_{number}.bin")
    first = tmp_path / "data_batch_1.bin"
    found = np.fromfile(first, dtype=np.uint8).reshape(-1, 3073)
    first.unlink()
    change(found).tofile(first)
    with pytest.raises(DataError, match=message):
        cifar10(tmp_path)


def test_sentences_become_tokens(tmp_path):
    (tmp_path / "train.tsv").write_text("sentence\tlabel\na good film\t1\na bad film\t0\n")
    data = sst2(tmp_path, length=4)
    assert data.labels.tolist() == [1, 0]
    # 'a' and 'film' come twice, then 'bad' and 'good' in alphabetical order
    assert data.inputs.tolist() == [[2, 5, 3, 0], [2, 4, 3, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [("a\tb\n", "header"), ("sentence\tlabel\nfine\t2\n", "line 2"), ("", "header")],
)
def test_mislabelled_sentences_are_refused(tmp_path, text, message):
    (tmp_path / "train.tsv").write_text(text)
    with pytest.raises(DataError, match=message):
        sst2(tmp_path)
