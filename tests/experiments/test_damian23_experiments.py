"""The experiments of damian23 with trained networks: quick variants, what they find, resuming."""

import numpy as np
import pytest
import torch

from eostheory.experiments import experiment, run
from eostheory.experiments.damian23.approach import Beside, displaced, to_the_edge
from eostheory.experiments.damian23.networks import NetworkSettings, examples, problem
from eostheory.experiments.damian23.predicted_findings import explained, first_cycle, rises
from eostheory.experiments.damian23.several_eigenvalues import Divergence
from eostheory.experiments.data import DataError
from eostheory.experiments.session import Session
from eostheory.experiments.settings import chosen
from eostheory.numeric.dynamics import gd
from eostheory.numeric.objective import Objective
from eostheory.training import EdgeNotReached, Recorder, reach_edge, read_records

CPU = torch.device("cpu")
SMALL = NetworkSettings(examples=24, width=4)


def quick(name, folder, *, changes=None, **more):
    found = experiment(name)
    return run(found, chosen(found, variant="quick", values=changes), folder=folder, **more)


SHORT = {"steps": 12}
"""Twelve steps after the edge: a whole cycle is what the claims about the figures look at."""


@pytest.fixture(scope="module")
def multilayer(tmp_path_factory):
    place = tmp_path_factory.mktemp("mlp") / "run"
    return quick("damian23/fig-4.mlp", place, changes=SHORT, plots=("png",))


def judged(outcome):
    return {f.name: f.agrees for f in outcome.findings}


def test_the_plot_of_the_predicted_dynamics_is_drawn(multilayer):
    assert [path.name for path in multilayer.plots] == ["dynamics.png"]
    found = judged(multilayer)
    assert [ok for name, ok in found.items() if name.startswith("share")] == [True] * 3
    # Nothing is said about cycles before one has closed.
    assert found["two-step mean of the sharpness over 2/eta"] is None


def test_before_the_edge_the_way_there_is_drawn(multilayer):
    results = {"approach": multilayer.results["approach"]}
    found = experiment("damian23/fig-4.mlp")
    figure = found.plots[0].draw(found.defaults(), results)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "sharpness"]


def test_the_plot_of_several_eigenvalues_is_drawn_with_few_of_them_unstable(tmp_path):
    outcome = quick("damian23/fig-5", tmp_path / "run", changes={"steps": 48}, plots=("png",))
    assert [path.name for path in outcome.plots] == ["eigenvalues.png"]
    assert not outcome.agrees  # only one of the two has come to 2/eta


@pytest.mark.parametrize("name", ["damian23/fig-2", "damian23/fig-3"])
def test_the_plots_of_the_models_are_drawn(name, tmp_path):
    outcome = quick(name, tmp_path / "run", plots=("png",))
    assert len(outcome.plots) == 1
    assert all(ok in (True, None) for ok in judged(outcome).values()), judged(outcome)


def test_a_run_that_is_too_short_for_the_stages_is_not_judged_by_them(tmp_path):
    outcome = quick("damian23/fig-2", tmp_path / "run", changes={"steps": 15}, plots=())
    assert judged(outcome)["order of the stages"] is None


def test_a_run_stopped_in_every_part_goes_on_with_the_same_bits(multilayer, tmp_path, monkeypatch):
    recording = Session.recording
    monkeypatch.setattr(Session, "recording", lambda self, part: recording(self, part, 7))
    real = Recorder.checkpoint_if_due
    calls = {"left": 0}

    def stops(self, step, state):
        real(self, step, state)
        calls["left"] -= 1
        if calls["left"] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "checkpoint_if_due", stops)
    stopped = 0
    while True:
        calls["left"] = 25
        try:
            again = quick(
                "damian23/fig-4.mlp", tmp_path / "run", changes=SHORT, resume=True, plots=()
            )
            break
        except KeyboardInterrupt:
            stopped += 1
    assert stopped >= 2
    for part in ("approach", "deviation", "flow"):
        straight, resumed = multilayer.results[part].rows, again.results[part].rows
        # Davidson's counts aside there is nothing that a checkpoint does not hold.
        assert np.array_equal(straight, resumed, equal_nan=True), part


def test_the_approach_ends_where_the_edge_is(tmp_path):
    objective, start = problem(SMALL, CPU)
    eta = 0.05
    step, point = to_the_edge(objective, start, eta, 500, folder=tmp_path / "a")
    edge = reach_edge(objective, start, eta, 500)
    assert step == edge.step
    assert torch.equal(point, edge.point)
    assert read_records(tmp_path / "a")["step"][-1] == step
    with pytest.raises(EdgeNotReached):
        to_the_edge(objective, start, eta, step - 5, folder=tmp_path / "b")
    assert read_records(tmp_path / "b").end["end"] == "EdgeNotReached"


def test_a_kick_moves_along_the_top_eigenvector():
    objective, start = problem(SMALL, CPU)
    _, point = to_the_edge(objective, start, 0.05, 500, folder=None)
    assert torch.equal(displaced(objective, point, 0.05, 0.0), point)
    once, twice = (displaced(objective, point, 0.05, kick) - point for kick in (0.5, 1.0))
    assert torch.allclose(2 * once, twice, rtol=1e-9, atol=1e-12)


def test_the_run_beside_a_flow_is_gradient_descent():
    objective, start = problem(SMALL, CPU)
    beside = Beside(objective, start, 0.01, 3)
    after = [step.after for step in gd(objective, start, 0.01, 6)]
    assert beside(0, start) == 0.0
    assert beside(1, start) == float((start - after[2]).norm())
    assert beside(2, start) == float((start - after[5]).norm())


def test_the_divergence_of_a_quadratic_is_its_largest_factor():
    factors = torch.tensor([1.5, 0.3], dtype=torch.float64)
    start = torch.ones(2, dtype=torch.float64)

    def loss(w):
        return ((1 + factors) * w * w).sum() / 2  # eta = 1: v is multiplied by -factors

    growth = Divergence(Objective.of(loss, 2), start, 1.0, 0)
    late = growth(40, start)
    assert growth(60, start) - late == pytest.approx(20 * np.log(1.5), rel=1e-9)


def test_targets_and_networks_are_those_that_were_asked_for():
    two, targets = examples(NetworkSettings(examples=20))
    assert set(targets.flatten().tolist()) == {-1.0, 1.0}
    assert targets.shape == (20, 1)
    assert float(two.inputs.mean()) == pytest.approx(0, abs=1e-12)
    for model in ("mlp", "cnn", "transformer"):
        settings = NetworkSettings(model=model, examples=6, labels="all", width=4)
        objective, start = problem(settings, CPU)
        assert objective.predictions(start).shape == (6, 10)
        _, again = problem(settings, CPU)
        assert torch.equal(start, again)


def test_images_and_texts_are_not_mixed_up(tmp_path):
    (tmp_path / "train.tsv").write_text("sentence\tlabel\ngood film\t1\nbad film\t0\n")
    settings = NetworkSettings(data="sst2", data_folder=str(tmp_path), examples=2, width=4)
    with pytest.raises(DataError, match="takes images"):
        problem(settings, CPU)
    texts = NetworkSettings(
        model="transformer", data="sst2", data_folder=str(tmp_path), examples=2, width=4
    )
    objective, start = problem(texts, CPU)
    assert objective.predictions(start).shape == (2, 1)


def test_a_cycle_closes_when_y_comes_back():
    y = np.array([0.0, 1.0, 0.5, -0.5, -1.0, 0.2, 0.4, -0.1, 0.1])
    assert rises(y) == [5, 8]
    assert first_cycle(y) == (0, 5)
    assert first_cycle(y[:5]) == (0, 4)


def test_what_is_explained_is_one_for_the_truth_and_nothing_for_the_mean():
    true = np.array([1.0, 2.0, 4.0, np.nan])
    assert explained(true, true) == 1.0
    assert explained(true, np.full(4, 7 / 3)) == pytest.approx(0)
