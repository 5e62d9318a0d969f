"""The experiments of lyu22: what is recorded, drawn and reported; the models behind them."""

import math

import numpy as np
import pytest
import torch

from eostheory.curvature import Products, third_derivative_error
from eostheory.experiments import DataError, Results, experiment, run
from eostheory.experiments.lyu22.images import split
from eostheory.experiments.lyu22.low_rank import Settings as MatrixSettings
from eostheory.experiments.lyu22.printed import beside
from eostheory.experiments.normalized import VGG, Classifier, ResNet
from eostheory.experiments.settings import chosen
from eostheory.numeric.objective import module_objective
from eostheory.training import gradient_descent

MATRIX = ("side=8", "observations=40")
NETWORK = ("examples=20", "batch=20", "tests=50", "steps=10", "every=5")
SHORT = {
    "fig-1": (*MATRIX, "steps=100"),
    "fig-2": NETWORK,
    "fig-4": ("steps=50",),
    "fig-5": ("steps=100", "draws=1"),
    "fig-7": ("side=8", "observations=40,50", "steps=100"),
    "fig-9": NETWORK,
    "fig-12": (*MATRIX, "begin=20", "steps=10"),
}
"""Too short to show what the figures show: the claims of the suite judge that."""


@pytest.mark.parametrize("figure", SHORT)
def test_every_part_is_recorded_and_every_plot_drawn(figure, tmp_path):
    torch.set_num_threads(1)
    found = experiment(f"lyu22/{figure}")
    settings = chosen(found, SHORT[figure], variant="quick")
    outcome = run(found, settings, folder=tmp_path / "run", plots=("svg",))
    assert len(outcome.plots) == len(found.plots)
    for part, rows in found.parts(settings).items():
        assert len(outcome.results[part].rows) == rows
        assert outcome.results[part].end is not None
    # a report says what it could not judge, and why
    assert all(finding.note for finding in outcome.findings if finding.agrees is None)


DRAWS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_a_printed_number_agrees_where_it_lies_within_the_spread_of_ten_draws():
    settings = MatrixSettings(observations=800)
    within = beside(settings, "loss", "0.26", (0.255, 0.265), DRAWS)
    assert within.agrees
    assert within.measured == pytest.approx(0.55)
    assert "0.1 to 1; 2 below the printed number, 0 that round to it, 8 above" in within.note
    assert beside(settings, "loss", "1.12", (1.115, 1.125), DRAWS).agrees is False
    assert beside(settings, "loss", "0.26", (0.255, 0.265), DRAWS[:9]).agrees is None
    other = MatrixSettings(observations=800, decay=0.05)
    assert "other settings" in beside(other, "loss", "0.26", (0.255, 0.265), DRAWS).note


def test_draws_that_do_not_reach_the_edge_are_told():
    settings = MatrixSettings(observations=800)
    some = beside(settings, "step", "2k", (0.15, 0.25), [*DRAWS[:8], math.inf, math.inf])
    assert some.agrees
    assert "2 draws have not reached the edge" in some.note
    assert beside(settings, "step", "2k", (0.15, 0.25), [math.inf] * 10).agrees is None


def test_a_matrix_is_of_its_rank_and_normalized_and_its_entries_are_as_many():
    problem = MatrixSettings().problem([0, 1], 800, torch.device("cpu"))
    assert problem.truth.shape == (2, 50, 50)
    assert torch.allclose((problem.truth**2).mean((1, 2)), torch.ones(2, dtype=torch.float64))
    assert torch.linalg.matrix_rank(problem.truth).tolist() == [2, 2]
    assert problem.seen.sum((1, 2)).tolist() == [800, 800]


def test_draws_side_by_side_move_as_they_do_alone():
    settings = MatrixSettings(side=8, precision="float64")
    ends = []
    for seeds in ([0, 1], [0], [1]):
        problem = settings.problem(seeds, 40, torch.device("cpu"))
        ran = gradient_descent(problem.objective(), problem.start, 0.1, 50, measure=())
        ends.append(ran.w)
    # fifty steps that converge, in float64
    assert torch.allclose(ends[0], torch.cat(ends[1:]), rtol=0, atol=1e-12)


def test_the_matrix_loss_is_scale_invariant_and_its_third_derivative_right():
    problem = MatrixSettings(side=6, precision="float64").problem([0], 20, torch.device("cpu"))
    objective = problem.objective()
    w = problem.start
    assert float(objective(3 * w)) == pytest.approx(float(objective(w)), rel=1e-12)
    assert abs(float(torch.dot(objective.value_and_gradient(w)[1], w))) < 1e-12
    assert not third_derivative_error(objective, w).wrong


NETWORKS = {
    "VGG": lambda: VGG(1, 8, 2, 10, (1, 0, 2, 0, 2, 0)),
    "ResNet": lambda: ResNet(1, 8, 2, 10, 1, "swish"),
    "ResNet with ReLU": lambda: ResNet(1, 8, 2, 10, 1),
}


@pytest.fixture(scope="module")
def images():
    return split("digits", examples=24, tests=24)


def objective_of(name, images, chunk=None):
    torch.manual_seed(0)
    module = NETWORKS[name]()
    train, _ = images
    found = module_objective(
        module, torch.nn.CrossEntropyLoss(), train.inputs, train.labels, chunk=chunk, probe=False
    )
    return (module, *found)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_scale_invariant(name, images):
    _, objective, w = objective_of(name, images)
    value, gradient = objective.value_and_gradient(w)
    for factor in (1e-3, 3.0, 1e3):
        assert float(objective(factor * w)) == pytest.approx(float(value), rel=1e-10)
    size = float(torch.linalg.vector_norm(gradient) * torch.linalg.vector_norm(w))
    assert abs(float(torch.dot(gradient, w))) < 1e-10 * size
    with Products(objective, w) as products:
        # Euler's identity for the Hessian of a loss that is homogeneous of degree 0
        assert torch.allclose(products(w), -gradient, atol=1e-9 * float(gradient.norm()))


@pytest.mark.parametrize("name", ["VGG", "ResNet"])
def test_third_derivatives_of_smooth_networks_are_right(name, images):
    _, objective, w = objective_of(name, images)
    assert not third_derivative_error(objective, w).wrong


def test_normalization_is_within_each_batch_and_the_loss_is_their_mean(images):
    module, objective, w = objective_of("VGG", images, chunk=12)
    train, test = images
    module = module.to(torch.float64)
    batches = train.inputs.split(12)
    losses = [
        torch.nn.functional.cross_entropy(module(x), y)
        for x, y in zip(batches, train.labels.split(12), strict=True)
    ]
    assert float(objective(w)) == pytest.approx(float(sum(losses).detach()) / 2, rel=1e-12)
    scores, _ = Classifier(module, objective.layout, batches).scores(w, test.inputs)
    assert torch.allclose(scores, torch.cat([module(x) for x in batches]), atol=1e-12)


def test_test_images_are_normalized_by_the_training_images(images):
    module, objective, w = objective_of("ResNet", images)
    train, _ = images
    classifier = Classifier(module.to(torch.float64), objective.layout, [train.inputs])
    scores, again = classifier.scores(w, train.inputs)
    assert torch.allclose(scores, again, atol=1e-12)
    alone = classifier.scores(w, train.inputs[:1])[1]
    assert torch.allclose(alone, scores[:1], atol=1e-12)


def test_absent_test_images_are_named(tmp_path):
    with pytest.raises(DataError, match="data_batch_1"):
        split("cifar10", str(tmp_path))
    with pytest.raises(DataError, match="none for the test"):
        split("digits", examples=1797)


class Killed(Exception):
    pass


def test_a_resumed_run_is_that_which_was_not_interrupted(tmp_path, monkeypatch):
    found = experiment("lyu22/fig-12")
    settings = chosen(found, ["steps=40"], variant="quick")
    run(found, settings, folder=tmp_path / "straight", plots=())
    from eostheory.experiments.lyu22 import matrix_completion

    whole = matrix_completion.Completion.row
    calls = 0

    def row(self, w, singular):
        nonlocal calls
        calls += 1
        if calls == 32:
            raise Killed
        return whole(self, w, singular)

    monkeypatch.setattr(matrix_completion.Completion, "row", row)
    with pytest.raises(Killed):
        run(found, settings, folder=tmp_path / "killed", plots=())
    monkeypatch.undo()
    run(found, settings, folder=tmp_path / "killed", resume=True, plots=())
    straight, resumed = Results(tmp_path / "straight"), Results(tmp_path / "killed")
    for part in straight:
        assert np.array_equal(straight[part].rows, resumed[part].rows, equal_nan=True)
