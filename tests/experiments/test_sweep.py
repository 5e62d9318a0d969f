"""Sweeps count each point once, whatever happens to the workers."""

import itertools
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

from eostheory.experiments import OutputError, Results, SettingError, experiment, run
from eostheory.experiments.settings import chosen, listed
from eostheory.experiments.sweep import SweepError, sweep
from eostheory.experiments.sweep_report import markdown

NAME = "damian23/fig-2"
SMALL = {"eta": [0.004], "y": [0.0]}  # near the fixed point, where a run may be long
GRID = {"x": [0.05, 0.2], "eta": [0.1, 0.2]}


def rows(folder):
    return Results(folder)["descent"].rows


def straight(folder, steps, x):
    """The records of a run that nothing interrupts."""
    found = experiment(NAME)
    settings = chosen(found, values={"steps": steps, "x": x, "y": 0.0, "eta": 0.004})
    run(found, settings, folder=folder, plots=())
    return rows(folder)


def when_recording(folder, act, least=50):
    """Call ``act`` once some point has recorded ``least`` rows; the event tells whether it was."""

    done = threading.Event()

    def wait():
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for path in folder.rglob("records.f64"):
                if path.stat().st_size > least * 64:
                    act()
                    done.set()
                    return
            time.sleep(0.02)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return done


def test_a_sweep_runs_every_combination_once(tmp_path):
    found = sweep(NAME, GRID, folder=tmp_path, variant="quick", processes=2)
    assert found.points == ((0.05, 0.1), (0.05, 0.2), (0.2, 0.1), (0.2, 0.2))
    places = list((tmp_path / "points").iterdir())
    assert len(places) == 4
    table = (tmp_path / "sweep.md").read_text()
    assert "| 0.05 | 0.1 |" in table
    assert "## How much each setting matters" in table
    assert "| quantity | 0.1 (default) | 0.2 |" in table
    before = {p: (p / "runs/descent/records.f64").stat().st_mtime_ns for p in places}
    again = sweep(NAME, GRID, folder=tmp_path, variant="quick", processes=2)
    assert again.reports == found.reports
    assert before == {p: (p / "runs/descent/records.f64").stat().st_mtime_ns for p in places}


def test_a_wrong_value_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(SettingError, match="no setting 'xx'"):
        sweep(NAME, {"xx": [1]}, folder=tmp_path / "a")
    with pytest.raises(SettingError, match="expected a number"):
        sweep(NAME, {"x": ["many"]}, folder=tmp_path / "b")
    assert not (tmp_path / "a").exists()


def test_the_folder_of_another_sweep_is_left_alone(tmp_path):
    (tmp_path / "sweep.json").write_text('{"experiment": "lyu22/fig-5"}')
    with pytest.raises(OutputError, match="lyu22/fig-5"):
        sweep(NAME, {"x": [0.1]}, folder=tmp_path)


@pytest.mark.slow
def test_a_killed_worker_process_costs_nothing_but_time(tmp_path):
    out = tmp_path / "sweep"
    grid = {"x": [0.9, 1.1], **SMALL, "steps": [250]}

    def kill():
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    killed = when_recording(out, kill)
    found = sweep(NAME, grid, folder=out, processes=2)
    assert killed.is_set()
    assert len(found.reports) == 2
    for place, x in zip(sorted((out / "points").iterdir()), _order(out), strict=True):
        assert np.array_equal(rows(place), straight(tmp_path / str(x), 250, x))


def _order(out):
    from eostheory.experiments.session import configuration_of

    return [configuration_of(p)["settings"]["x"] for p in sorted((out / "points").iterdir())]


@pytest.fixture
def forked_workers():
    """Dask's workers are forked by a process that has loaded torch, instead of loading it each."""
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    multiprocessing.get_context("forkserver").set_forkserver_preload(
        ["distributed", "eostheory.experiments.runner", "eostheory.experiments.plots"]
    )
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("forked_workers")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_dask_finishes_a_sweep_whose_worker_is_killed(tmp_path):
    import distributed

    out = tmp_path / "sweep"
    grid = {"x": [0.8, 0.9, 1.1, 1.2], **SMALL, "steps": [150]}
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        killed = when_recording(out, lambda: os.kill(victim, signal.SIGKILL), least=50)
        found = sweep(NAME, grid, folder=out, executor=client.get_executor())
        assert killed.is_set()
    assert [p[0] for p in found.points] == grid["x"]
    assert len(list((out / "points").iterdir())) == 4
    for place, x in zip(sorted((out / "points").iterdir()), _order(out), strict=True):
        assert np.array_equal(rows(place), straight(tmp_path / str(x), 150, x))


def test_a_point_that_fails_is_named_and_the_others_are_there(tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    from eostheory.experiments import sweep as module

    real = module.run_point

    def fails(name, settings, folder):
        if settings["x"] == 0.2:
            raise OSError("no room")
        real(name, settings, folder)

    monkeypatch.setattr(module, "run_point", fails)
    with ThreadPoolExecutor(1) as pool, pytest.raises(SweepError, match=r"1 of 2 .*no room"):
        sweep(NAME, {"x": [0.1, 0.2]}, folder=tmp_path, variant="quick", executor=pool)
    assert len(list((tmp_path / "points").iterdir())) == 1


def report(**findings):
    return {
        "findings": [
            {"name": name.replace("_", " "), "measured": measured, "agrees": agrees}
            for name, (measured, agrees) in findings.items()
        ]
    }


def test_the_table_tells_what_a_setting_does_from_what_another_does():
    found = experiment("li22/fig-1")
    points = list(itertools.product((4.0, 5.0), (0, 1, 2)))
    reports = [
        report(
            a_number=(rise + 0.01 * seed, rise > 4.5),
            a_text=("yes" if seed else "no", None),
            a_count=(3, True),
            an_end=(7 if seed else "never", bool(seed)),
        )
        for rise, seed in points
    ]
    text = markdown(found, found.defaults(), ("rise", "seed"), points, reports)
    # medians over the seeds at 4 and 5; the seeds are 0.02 apart, and are looked at where rise is 5
    by_rise, by_seed = "4.01 to 5.01 [0.02]: ✗ at 4.0; ✓ at 5.0", "5 to 5.02: ✓"
    assert f"| a number | {by_rise} | {by_seed} |" in text
    assert "| a text | nothing changes | changes |" in text
    assert "| a count | nothing changes: ✓ | nothing changes: ✓ |" in text
    assert "| an end | nothing changes: ✓ 2 of 3 | 7 to 7: ✗ at 0; ✓ at 1, 2 |" in text
    assert "| quantity | 4.0 | 5.0 (default) |" in text
    assert "(the paper does not say). Runs at each value: 3." in text
    assert "| a number | 4.01 (4 to 4.02) ✗ | 5.01 (5 to 5.02) ✓ |" in text
    assert "| an end | 7 / never ✓ 2 of 3 | 7 / never ✓ 2 of 3 |" in text
    assert "| 5.0 | 2 | 5.02 | yes | 3 | 7 |" in text
    assert "| a number | 4.51 (4 to 5.02) | ✓ 3 of 6 |" in text


def test_where_the_default_was_not_run_all_values_of_the_other_setting_are_taken():
    points = list(itertools.product((0.1, 0.2), (7.0, 8.0)))
    reports = [report(both=(eta + y, None)) for eta, y in points]
    text = markdown(experiment(NAME), experiment(NAME).defaults(), ("eta", "y"), points, reports)
    assert "| both | 7.6 to 7.7 [1] | 7.1 to 8.1 |" in text


def test_a_quantity_that_some_runs_lack_is_said_to_be_missing():
    reports = [report(here=(1.0, True)), report(here=(1.0, True), there=(2.0, None))]
    text = markdown(
        experiment(NAME), experiment(NAME).defaults(), ("x",), [(0.1,), (0.2,)], reports
    )
    assert "| there | none | 2 |" in text
    assert "| here | nothing changes: ✓ |" in text


def test_a_name_alone_stands_for_the_values_of_the_experiment():
    found = experiment(NAME)
    assert listed(found, ["x"]) == {"x": [0.01, 0.1, 0.3]}
    with pytest.raises(SettingError, match="no values; write steps=1,2,3"):
        listed(found, ["steps"])
