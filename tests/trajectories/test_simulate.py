"""What a run reports, what it refuses, and what it writes."""

import math

import pytest
import sympy as sp
import torch

from eostheory.trajectories import Recurrence, Status, compile, load, simulate

x, y, a = sp.symbols("x y a", real=True)
SHRINK = Recurrence("shrink", (x, y), (a * x, y + 1), (a,))
GROW = Recurrence("grow", (x,), (a * x,), (a,), record=(("x", x), ("double", 2 * x)))
HALF = Recurrence("half", (x,), (x / 2 + a,), (a,))
BACKENDS = ["eager", "llvm"]


def doubles(*rows):
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("every", [1, 7, 100, 5000])
def test_divergence_is_found_at_its_step(backend, every):
    run = simulate(
        GROW, doubles([1.0, 1.0, 0.0]), doubles([2.0, 4.0, 2.0]), 300,
        every=every, bound=2.0**100, backend=backend,
    )  # fmt: skip
    assert run.status.tolist() == [Status.DIVERGED, Status.DIVERGED, Status.FIXED_POINT]
    assert run.at.tolist() == [100, 50, 1]
    assert run.state.tolist() == [[2.0**100, 2.0**100, 0.0]]
    for lane, at in ((0, 100), (1, 50)):
        assert torch.equal(run["x"][:, lane].isnan(), run.steps >= at)
    assert (run["x"][:, 2] == 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("every", [1, 10, 200])
def test_a_fixed_point_is_found_at_its_step(backend, every):
    run = simulate(HALF, [0.0], doubles([1.0, 0.0]), 150, every=every, backend=backend)
    value, step = 0.0, 0
    while True:
        step += 1
        new = value / 2 + 1.0
        if new == value:
            break
        value = new
    assert run.status.tolist() == [Status.FIXED_POINT] * 2
    assert run.at.tolist() == [step, 1]
    if len(run.records):
        assert run.records[-1, 0].tolist() == [value, 0.0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("every", [64, 10_000])
def test_underflow_is_flagged_and_not_flushed(backend, every):
    run = simulate(SHRINK, [1.0, 0.0], [0.5], 1060, every=every, backend=backend)
    assert run.status == Status.UNDERFLOW
    assert run.at == 1023  # the first power of two below the normal numbers
    assert run.state.tolist() == [2.0**-1060, 1060.0]
    assert run.resume(100).status == Status.UNDERFLOW


def test_a_variable_that_is_zero_from_the_start_is_no_underflow():
    assert simulate(SHRINK, [0.0, 0.0], [0.5], 50).status == Status.RUNNING


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_nan_on_the_way_is_divergence(backend):
    recurrence = Recurrence("root", (x,), (sp.sqrt(x) - 1,))
    run = simulate(recurrence, [2.0], (), 10, backend=backend)
    assert run.status == Status.DIVERGED
    assert math.isnan(run.state.item())
    assert run.at == 3


def test_ended_trajectories_stay_ended_when_resumed():
    run = simulate(GROW, [1.0], [2.0], 60, bound=2.0**50)
    more = run.resume(40)
    assert (more.status, more.at, more.state) == (run.status, run.at, run.state)
    assert more.records.isnan().all()
    assert more.steps.tolist() == list(range(61, 101))


@pytest.mark.parametrize("every", [1, 3, 50, 1000])
def test_records_are_the_states_at_their_steps(every):
    run = simulate(GROW, [1.0], [1.0078125], 100, every=every)
    assert run.steps.tolist() == list(range(every, 101, every))
    value = 1.0
    expected = []
    for t in range(1, 101):
        value = 1.0078125 * value
        if t % every == 0:
            expected.append([value, 2 * value])
    assert run.records.tolist() == expected
    assert run.state.tolist() == [value]


def test_starts_and_parameters_broadcast():
    by_name = simulate(GROW, {"x": 1.0}, {"a": doubles([2.0, 3.0])[0]}, 2)
    assert by_name.state.tolist() == [[4.0, 9.0]]
    assert simulate(GROW, doubles([1.0, 2.0]), [2.0], 1).state.tolist() == [[2.0, 4.0]]
    single = simulate(GROW, [1], (2,), 3)
    assert (single.records.shape, single.state.shape, single.status.shape) == ((3, 2), (1,), ())
    assert simulate(GROW, doubles([1.0]), [2.0], 3).records.shape == (3, 2, 1)
    assert simulate(GROW, torch.empty(1, 0, dtype=torch.float64), [2.0], 3).state.shape == (1, 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_variable_that_stays_subnormal_is_no_underflow(backend):
    counting = Recurrence("count", (x, y), (x, y + 1))
    run = simulate(counting, [1e-310, 0.0], (), 50, every=7, backend=backend)
    assert (run.status, run.at) == (Status.RUNNING, -1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_parameters_are_read_from_their_own_rows(backend):
    b = sp.Symbol("b", real=True)
    for parameters, factor in (((a, b), 2.0), ((b, a), 3.0)):
        unused = Recurrence("unused", (x,), (a * x,), parameters)
        assert simulate(unused, [1.0], [2.0, 3.0], 1, backend=backend).state.item() == factor


def test_a_resumed_run_keeps_the_parameters_it_began_with():
    given = doubles([2.0, 3.0])
    run = simulate(GROW, doubles([1.0, 1.0]), given, 1)
    given.fill_(1.0)
    assert run.resume(1).state.tolist() == [[4.0, 9.0]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_and_swaps_are_updates(backend):
    rule = Recurrence("plain", [x, y], [y, x], record=[("one", 1), ("half", 0.5)])
    run = simulate(rule, [3.0, 4.0], (), 5, every=2, backend=backend)
    assert run.state.tolist() == [4.0, 3.0]
    assert run.status == Status.RUNNING  # an orbit of period 2 is no fixed point
    assert run.records.tolist() == [[1.0, 0.5]] * 2
    assert simulate(Recurrence("one", (x,), (1,)), [2.0], (), 3, backend=backend).at == 2


@pytest.mark.parametrize("size", [1, 3, 100])
def test_runs_of_one_rule_share_nothing(size):
    compiled = compile(GROW)
    start, calm, wild = torch.ones(1, size), torch.full((1, size), 0.5), torch.full((1, size), 2.0)
    start, calm, wild = start.double(), calm.double(), wild.double()
    first = compiled(start, calm, 9)
    lost = compiled(start, wild, 60, bound=2.0**50)
    last = compiled(start, calm, 9)
    assert last.resume(3).state.unique().tolist() == [2.0**-12]
    for run in (first, last):
        assert torch.equal(run.status, torch.zeros(size, dtype=torch.int8))
        assert torch.equal(run.at, torch.full((size,), -1))
        assert run.state.unique().tolist() == [2.0**-9]
    assert (lost.status == Status.DIVERGED).all()
    assert (lost.at == 50).all()
    later = lost.resume(1)
    assert torch.equal(later.status, lost.status)
    assert torch.equal(later.at, lost.at)


def test_no_trajectory_is_a_batch_as_well():
    run = simulate(GROW, torch.empty(1, 0).double(), torch.empty(1, 0).double(), 4)
    assert run.records.shape == (4, 2, 0)
    assert run.status.shape == run.at.shape == (0,)


def test_the_start_is_not_touched():
    start = doubles([1.0, 2.0])
    simulate(GROW, start, [2.0], 5)
    assert start.tolist() == [[1.0, 2.0]]


def test_a_run_shows_what_became_of_it_and_no_tensors():
    run = simulate(GROW, doubles([1.0, 1.0, 0.0]), doubles([2.0, 1.0, 2.0]), 9, bound=2.0**5)
    shown = repr(run)
    assert shown.startswith("<Run of 'grow': steps 0 to 9, 2 fixed_point, 1 diverged;")
    assert "(9, 2, 3) of x, double" in shown
    assert "1 running" in repr(simulate(GROW, [1.0], [1.5], 4))


def test_records_go_into_a_given_buffer():
    out = torch.empty(5, 2, 3, dtype=torch.float64)
    run = simulate(GROW, doubles([1.0, 2.0, 3.0]), [2.0], 10, every=2, out=out)
    assert run.records.data_ptr() == out.data_ptr()
    assert out[-1, 0].tolist() == [1024.0, 2048.0, 3072.0]
    single = torch.empty(5, 2, dtype=torch.float64)
    assert simulate(GROW, [1.0], [2.0], 5, out=single).records.data_ptr() == single.data_ptr()


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_a_buffer_need_not_be_aligned(shift):
    steps, size = 9000, 32  # large enough to be stored around the cache, if it were aligned
    whole = torch.empty(steps * 2 * size + shift, dtype=torch.float64)
    out = whole[shift:].view(steps, 2, size)
    start = torch.linspace(0.5, 1.5, size, dtype=torch.float64)[None]
    run = simulate(GROW, start, [0.9999], steps, out=out)
    assert torch.equal(out, simulate(GROW, start, [0.9999], steps).records)
    assert torch.equal(run.records[-1, 0], run.state[0])


@pytest.mark.parametrize(
    ("out", "error", "said"),
    [
        (torch.empty(3, 2, 2, dtype=torch.float64), ValueError, "shape"),
        (torch.empty(4, 2, 2, dtype=torch.float32), TypeError, "float64"),
        (torch.empty(2, 2, 4, dtype=torch.float64).permute(2, 1, 0), ValueError, "contiguous"),
        (torch.empty(4, 2, 2, dtype=torch.float64, requires_grad=True), ValueError, "detach"),
        ([1.0], TypeError, "tensor"),
    ],
)
def test_a_buffer_that_does_not_fit_is_refused(out, error, said):
    with pytest.raises(error, match=said):
        simulate(GROW, doubles([1.0, 2.0]), [2.0], 4, out=out)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("start", "parameters", "options", "error", "said"),
    [
        ([math.nan], [2.0], {}, ValueError, "x of trajectory 0 is nan"),
        (doubles([1.0, math.inf]), [2.0], {}, ValueError, "x of trajectory 1 is inf"),
        ([1.0], [math.nan], {}, ValueError, "parameter a"),
        ([1e200], [2.0], {}, ValueError, "below"),
        (torch.ones(1), [2.0], {}, TypeError, r"\.double\(\)"),
        (torch.ones(1, dtype=torch.float16), [2.0], {}, TypeError, r"\.double\(\)"),
        (torch.ones(2, dtype=torch.float64), [2.0], {}, ValueError, "shape"),
        ({"z": 1.0}, [2.0], {}, ValueError, "z unknown, x missing"),
        ([1.0], {"eta": 2.0}, {}, ValueError, "eta unknown, a missing"),
        ([1.0], [], {}, ValueError, "0 values for a"),
        (["one"], [2.0], {}, TypeError, "start x = 'one'"),
        ([1.0], [2.0], {"steps": -1}, ValueError, "steps = -1"),
        ([1.0], [2.0], {"steps": 2.0}, TypeError, "steps = 2.0"),
        ([1.0], [2.0], {"every": 0}, ValueError, "every = 0"),
        ([1.0], [2.0], {"threads": 0}, ValueError, "threads = 0"),
        ([1.0], [2.0], {"bound": -1.0}, ValueError, "bound"),
        ([1.0], [2.0], {"bound": math.nan}, ValueError, "bound"),
        ([1.0], [2.0], {"bound": "1"}, TypeError, "bound = '1'"),
        ([1.0], [2.0], {"bound": 10**400}, ValueError, "bound .* too large"),
        ([10**400], [2.0], {}, ValueError, "start x .* too large"),
        (doubles([1.0, 2.0]), doubles([1.0, 2.0, 3.0]), {}, ValueError, "2 trajectories"),
    ],
)
def test_bad_input_is_named(backend, start, parameters, options, error, said):
    with pytest.raises(error, match=said):
        simulate(GROW, start, parameters, **{"steps": 4, **options}, backend=backend)


def test_columns_of_different_lengths_are_named():
    start = {"x": torch.ones(3).double(), "y": torch.ones(4).double()}
    with pytest.raises(ValueError, match="x: 3, y: 4"):
        simulate(SHRINK, start, [0.5], 1)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (((x,), (x > 0,)), TypeError, "Piecewise"),
        (((x,), ("x",)), TypeError, "'x'"),
        (((x,), (sp.Symbol("x") / 2,)), ValueError, "assumptions"),
        (((x,), (y,)), ValueError, "add it to the parameters"),
        (((x,), (x,), (), {"x": x}), TypeError, "pairs"),
        (((x,), (x,), (), (("x", True),)), TypeError, "record x"),
        (((x, x), (x, x)), ValueError, "named twice"),
        (((x,), (x, x)), ValueError, "2 updates"),
        ((("x",), (x,)), TypeError, "not a sympy Symbol"),
    ],
)
def test_what_is_no_recurrence_is_named(arguments, error, said):
    with pytest.raises(error, match=said):
        Recurrence("bad", *arguments)


def test_an_unknown_backend_is_named():
    with pytest.raises(ValueError, match="llvm"):
        compile(GROW, "fortran")


def test_a_saved_run_resumes_where_it_was(tmp_path):
    path = tmp_path / "run.npz"
    straight = simulate(GROW, doubles([1.0, 0.5]), [1.25], 90, every=20)
    simulate(GROW, doubles([1.0, 0.5]), [1.25], 33, every=20).save(path)
    loaded = load(path, GROW)
    ended = loaded.resume(57)
    assert torch.equal(torch.cat([loaded.records, ended.records]), straight.records)
    assert torch.equal(ended.state, straight.state)
    assert loaded.bound == straight.bound
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]
    single = simulate(GROW, [1.0], [1.25], 10)
    single.save(path)
    assert torch.equal(load(path, GROW).resume(5).state, single.resume(5).state)


def test_damaged_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "run.npz"
    simulate(GROW, [1.0], [1.25], 50).save(path)
    with pytest.raises(ValueError, match="differs"):
        load(path, HALF)
    content = path.read_bytes()
    for damaged in (content[:-40], content[: len(content) // 2], b"", b"not a run"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="no saved run"):
            load(path, GROW)
    with pytest.raises(OSError, match="nowhere"):
        load(tmp_path / "nowhere.npz", GROW)


def test_every_damaged_byte_of_a_file_is_refused_or_harmless(tmp_path):
    path = tmp_path / "run.npz"
    run = simulate(GROW, [1.0], [1.25], 3)
    run.save(path)
    content = path.read_bytes()
    for place in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            loaded = load(path, GROW)
        except (ValueError, OSError):
            continue
        assert torch.equal(loaded.records, run.records)
        assert (loaded.step, loaded.state) == (run.step, run.state)


def test_unknown_observables_and_foreign_runs_are_refused():
    run = simulate(GROW, [1.0], [1.25], 5)
    with pytest.raises(KeyError, match="sharpness"):
        run["sharpness"]
    with pytest.raises(ValueError, match="differs"):
        compile(HALF).resume(run, 5)
