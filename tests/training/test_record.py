"""Records stay readable and runs resume bit for bit, whatever happens to process or disk."""

import contextlib
import errno
import json
import math
import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.training import checkpoint as checkpoints
from eostheory.training import record
from eostheory.training.checkpoint import CheckpointError, digest, dump, load
from eostheory.training.record import Recorder, RecordError, read_records

floats = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(floats, floats), max_size=200))
def test_rows_come_back_bit_for_bit_from_memory_and_from_disk(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("run")
    with Recorder(("a", "b")) as memory, Recorder(("a", "b"), folder / "r") as disk:
        for a, b in rows:
            memory.append({"a": a, "b": b})
            disk.append({"b": b, "a": a})
        kept, written = memory.records(), disk.records()
    wanted = np.array(rows, dtype=np.float64).reshape(-1, 2)
    for found in (kept, written, read_records(folder / "r")):
        assert found.rows.tobytes() == wanted.tobytes()
        assert found.columns == ("a", "b")
    assert len(memory) == len(disk) == len(rows)


def test_missing_values_are_nan_and_unknown_columns_an_error():
    recorder = Recorder(("step", "loss"))
    recorder.append({"step": 3})
    assert math.isnan(recorder.records()["loss"][0])
    with pytest.raises(KeyError, match="no column 'x'; the columns are step, loss"):
        recorder.append({"x": 1.0})
    with pytest.raises(KeyError, match="no column 'x'"):
        recorder.records()["x"]
    with pytest.raises(ValueError, match="different names"):
        Recorder(("a", "a"))
    with pytest.raises(ValueError, match="resume=True needs the folder"):
        Recorder(("a",), resume=True)


def test_records_can_be_read_while_the_run_writes_and_torn_rows_are_ignored(tmp_path):
    with Recorder(("step", "loss"), tmp_path) as recorder:
        recorder.append({"step": 0, "loss": 1.0})
        recorder.flush()
        assert read_records(tmp_path).rows.tolist() == [[0.0, 1.0]]
        with open(tmp_path / "records.f64", "ab") as file:
            file.write(b"torn")
        assert read_records(tmp_path).rows.tolist() == [[0.0, 1.0]]
        assert read_records(tmp_path).end is None
        recorder.finish()
    assert read_records(tmp_path).end["end"] == "finished"
    with pytest.raises(FileNotFoundError, match=r"no columns\.json"):
        read_records(tmp_path / "elsewhere")


def test_held_back_rows_are_bounded_in_number_and_time(tmp_path, monkeypatch):
    with Recorder(("step",), tmp_path) as recorder:
        for i in range(record.BUFFER - 1):
            recorder.append({"step": i})
        assert len(read_records(tmp_path).rows) == 0
        recorder.append({"step": record.BUFFER})
        assert len(read_records(tmp_path).rows) == record.BUFFER
        clock = record.time.monotonic() + 2 * record.DELAY
        monkeypatch.setattr(record.time, "monotonic", lambda: clock)
        recorder.append({"step": 0})
        assert len(read_records(tmp_path).rows) == record.BUFFER + 1


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    floats,
    st.text(max_size=5),
    st.lists(floats, max_size=4).map(lambda x: torch.tensor(x, dtype=torch.float64)),
    st.lists(st.integers(0, 99), max_size=4).map(lambda x: np.array(x, dtype=np.int32)),
)
names = st.text("abc", min_size=1, max_size=3)
states = st.dictionaries(names, st.one_of(leaves, st.dictionaries(names, leaves, max_size=3)))


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return isinstance(b, float) and (a.hex() == b.hex())
    return type(a) is type(b) and a == b


@settings(max_examples=60, deadline=None)
@given(states)
def test_a_checkpoint_gives_back_every_state_bit_for_bit(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("c") / "checkpoint.npz"
    checkpoints.write_atomically(path, dump(state, {"rows": 3}))
    found, header = load(path)
    assert same(state, found)
    assert header == {"rows": 3}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 255))
def test_any_damaged_byte_of_a_checkpoint_is_noticed_or_harmless(tmp_path_factory, where, change):
    state = {"step": 7, "w": torch.arange(20, dtype=torch.float64), "name": "x"}
    content = bytearray(dump(state, {"rows": 3}))
    content[where % len(content)] ^= change
    path = tmp_path_factory.mktemp("c") / "checkpoint.npz"
    path.write_bytes(content)
    with contextlib.suppress(CheckpointError):
        # no error: a byte that no reader looks at (a time stamp, say)
        found, header = load(path)
        assert same(state, found)
        assert header == {"rows": 3}


def test_truncated_and_foreign_checkpoints_are_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    whole = dump({"w": torch.ones(5)}, {})
    for content in (b"", whole[: len(whole) // 2], b"hello", b'{"a": 1}'):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
            load(path)
    np.savez(path, w=np.ones(3))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load(path)
    with pytest.raises(TypeError, match="a/b of the state is set"):
        dump({"a": {"b": {1, 2}}}, {})


def filled(folder, **options):
    with Recorder(("step",), folder, checkpoint_every=4, **options) as recorder:
        for step in range(10):
            recorder.append({"step": step})
            recorder.checkpoint_if_due(step + 1, lambda step=step: {"step": step + 1})


def test_resuming_drops_rows_after_the_checkpoint_and_goes_on(tmp_path):
    filled(tmp_path, configuration={"eta": 0.1})
    with Recorder(("step",), tmp_path, configuration={"eta": 0.1}, resume=True) as recorder:
        assert recorder.restored == {"step": 8}
        assert len(recorder) == 8
        for step in range(8, 12):
            recorder.append({"step": step})
        assert recorder.records()["step"].tolist() == list(range(12))


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_anew(tmp_path):
    recorder = Recorder(("step",), tmp_path)
    recorder.append({"step": 0})
    recorder.close()
    with Recorder(("step",), tmp_path, resume=True) as again:
        assert again.restored is None
        assert len(again.records().rows) == 0


def test_a_run_that_was_killed_before_it_wrote_its_columns_starts_anew(tmp_path):
    (tmp_path / "records.f64").touch()
    with Recorder(("step",), tmp_path, resume=True) as recorder:
        recorder.append({"step": 0})
        assert len(recorder.records().rows) == 1


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    filled(tmp_path)
    with pytest.raises(CheckpointError, match="holds a run already: pass resume=True"):
        Recorder(("step",), tmp_path)
    (tmp_path / "columns.json").unlink()
    with pytest.raises(CheckpointError, match="records of something else"):
        Recorder(("step",), tmp_path, resume=True)


def test_another_configuration_is_refused_by_name(tmp_path):
    filled(tmp_path, configuration={"eta": 0.1, "decay": 0.0})
    with pytest.raises(CheckpointError, match=r"eta was 0\.1, is 0\.2; new is new \(1\)"):
        Recorder(
            ("step",),
            tmp_path,
            configuration={"eta": 0.2, "decay": 0.0, "new": 1},
            resume=True,
        )
    with pytest.raises(CheckpointError, match="columns were"):
        Recorder(("loss",), tmp_path, configuration={"eta": 0.1, "decay": 0.0}, resume=True)


def test_changed_code_is_refused_by_name_unless_it_is_waved_through(tmp_path, monkeypatch):
    filled(tmp_path)
    changed = {**checkpoints.code(), "training/descent.py": "0" * 16}
    monkeypatch.setattr(record, "code", lambda: changed)
    with pytest.raises(CheckpointError, match=r"code has changed .*: training/descent\.py was"):
        Recorder(("step",), tmp_path, resume=True)
    Recorder(("step",), tmp_path, resume=True, changed_code=True).close()


def test_the_code_that_is_compared_is_that_of_the_layers_that_compute():
    code = checkpoints.code()
    assert {"numeric/objective.py", "training/record.py", "torch", "scipy", "threads"} <= set(code)
    assert not any(name.startswith(("cli", "report")) for name in code)


def test_fewer_rows_than_the_checkpoint_saw_is_an_error(tmp_path):
    filled(tmp_path)
    os.truncate(tmp_path / "records.f64", 3 * 8)
    with pytest.raises(CheckpointError, match="holds 3 rows, but its checkpoint was written aft"):
        Recorder(("step",), tmp_path, resume=True)


def test_damaged_columns_are_named(tmp_path):
    filled(tmp_path)
    (tmp_path / "columns.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(CheckpointError, match=r"columns\.json is damaged"):
        read_records(tmp_path)


def test_two_processes_do_not_write_into_one_folder(tmp_path):
    pytest.importorskip("fcntl")
    with Recorder(("step",), tmp_path), pytest.raises(RecordError, match="another process"):
        Recorder(("step",), tmp_path, resume=True)


class Full:
    """A file on a disk that has room for a few bytes more."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, content):
        if self._room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = content[: self._room]
        self._room -= len(part)
        return self._file.write(part)

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_a_full_disk_is_a_clear_error_and_leaves_whole_rows(tmp_path):
    recorder = Recorder(("step", "loss"), tmp_path)
    for i in range(3):
        recorder.append({"step": i, "loss": i})
    recorder.flush()
    recorder.checkpoint({"step": 3})
    recorder._file = Full(recorder._file, 20)
    recorder.append({"step": 3})
    recorder.append({"step": 4})
    with pytest.raises(RecordError, match="No space left on device; the 3 rows before") as caught:
        recorder.flush()
    assert caught.value.errno == errno.ENOSPC
    assert read_records(tmp_path)["step"].tolist() == [0, 1, 2]
    assert os.path.getsize(tmp_path / "records.f64") == 3 * 16
    recorder.close()
    with Recorder(("step", "loss"), tmp_path, resume=True) as again:
        assert again.restored == {"step": 3}
        assert len(again) == 3


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(tmp_path, monkeypatch):
    filled(tmp_path)
    with Recorder(("step",), tmp_path, resume=True) as recorder:

        def refuse(_descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(checkpoints.os, "fsync", refuse)
            with pytest.raises(RecordError, match="cannot write a checkpoint"):
                recorder.checkpoint({"step": 9})
    assert load(tmp_path / "checkpoint.npz")[0] == {"step": 8}
    assert not (tmp_path / "checkpoint.npz.part").exists()


def test_digests_tell_bits_shapes_and_types_apart():
    one = torch.zeros(4, dtype=torch.float64)
    others = [-one, one.reshape(2, 2), one.float(), torch.zeros(5, dtype=torch.float64)]
    assert len({digest(x) for x in (one, *others)}) == 5
    assert digest(one) == digest(one.clone().numpy())
