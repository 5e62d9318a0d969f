"""On a small network the prediction follows gradient descent through a whole cycle."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from eostheory.numeric.events import BecameNaN
from eostheory.numeric.objective import module_objective
from eostheory.numeric.toys import damian_toy
from eostheory.training.constrained import EdgeNotReached, EigengapClosed
from eostheory.training.deviation import track_deviation
from eostheory.training.projection import UnconvergedProjection
from eostheory.training.record import read_records
from eostheory.training.several_losses import block_quartic


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def network():
    """A multilayer perceptron that tells odd from even digits; 81 parameters."""
    data = load_digits()
    images, labels = data.data[:100] / 16, data.target[:100]
    images = images - images.mean(0)
    images = images @ np.linalg.svd(images, full_matrices=False)[2][:6].T
    draw = torch.Generator().manual_seed(0)
    layers = torch.nn.Linear(6, 10), torch.nn.Linear(10, 1)
    with torch.no_grad():
        for layer in layers:
            for part in layer.parameters():
                part.copy_(
                    (torch.rand(part.shape, generator=draw) * 2 - 1) / layer.in_features**0.5
                )
    module = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1]).double()
    targets = torch.as_tensor(2.0 * (labels % 2) - 1)[:, None]
    inputs = torch.as_tensor(images / images.std() + 1)
    return module_objective(module, torch.nn.MSELoss(), inputs, targets)


def test_a_network_is_followed_through_a_cycle_of_self_stabilization(network):
    objective, start = network
    eta = 2 / 21
    for _ in range(150):  # to shortly before the edge
        start = start - eta * objective.value_and_gradient(start)[1]
    found = track_deviation(objective, start, eta, 76, every=4, before=50, kick=0.5, dense_below=30)
    records = found.records
    assert 0 < found.edge < 50
    assert found.event is None
    assert len(records.rows) == 20
    assert records["active"].all()
    # once over the edge and back, the unstable coordinate out and in again
    assert found.cycles() >= 1
    x, delta = np.abs(records["x"]), records["delta"]
    assert (x / delta).max() > 1.3
    assert x[-1] < 0.6 * x.max()
    # the prediction: epsilon is some 0.05, errors are of that relative order
    assert records["epsilon"].max() < 0.1
    assert records["error"].max() < 0.15 * records["deviation"].max()
    assert np.abs(x - np.abs(records["predicted x"])).max() < 0.12 * x.max()
    swing = np.ptp(records["y"])
    assert np.abs(records["y"] - records["predicted y"]).max() < 0.25 * swing
    rise = records["loss"] - records["constrained loss"]
    assert np.abs(records["predicted loss"] - records["loss"]).max() < 0.25 * rise.max()
    off = np.abs(records["predicted sharpness"] - records["sharpness"])
    assert off.max() < 0.25 * np.ptp(records["mean sharpness"][1:])
    # the constrained trajectory descends at constant sharpness
    assert (np.diff(records["constrained loss"]) < 0).all()
    assert np.abs(records["constrained sharpness"] * eta / 2 - 1).max() < 1e-6
    # and a step costs less than the 42 products and 8 third derivatives of the only peer
    assert np.median(records["constrained products"]) <= 36
    assert np.median(records["thirds"]) <= 6
    assert (records["predicted products"][1:] == 1).all()


class _Killed(Exception):
    """As if the process had ended."""


@pytest.mark.parametrize(
    ("every", "settings"),
    [
        (1, {"generalized": True, "window": 2, "inactive": "manifold"}),
        (2, {"generalized": False, "anchor": 3, "inactive": "gradient", "dense_below": 0}),
    ],
)
def test_a_run_that_is_killed_resumes_bit_for_bit(tmp_path, every, settings):
    quartic = block_quartic(1, 3, 0.5, 0.1, bulk=1)
    start = -0.1 * quartic.data["slopes"][0, 0]
    left = [10**6]

    def loss(w):
        left[0] -= 1
        if left[0] < 0:
            raise _Killed
        return quartic(w)

    settings = {"every": every, "c": None, "checkpoint_every": 1, **settings}
    straight = track_deviation(loss, start, 0.5, 5, folder=tmp_path / "a", **settings)
    left[0] = (10**6 - left[0]) * 2 // 3
    with pytest.raises(_Killed):
        track_deviation(loss, start, 0.5, 5, folder=tmp_path / "b", **settings)
    left[0] = 10**6
    for steps in (4, 5):  # killed once, then continued to more steps
        parts = track_deviation(
            loss, start, 0.5, steps, folder=tmp_path / "b", resume=True, **settings
        )
    assert straight.records.rows.tobytes() == parts.records.rows.tobytes()
    assert torch.equal(straight.w, parts.w)
    assert torch.equal(straight.constrained, parts.constrained)
    if "window" in settings:
        assert np.isfinite(straight.records["beta oldest"][1:]).all()


def test_an_anchor_keeps_the_prediction_near():
    loss = block_quartic(1, 3, 0.5, 0.1, bulk=1)
    start = -0.1 * loss.data["slopes"][0, 0]
    settings = {"c": None, "kick": 1.0, "tolerance": 1e-4}
    free = track_deviation(loss, start, 0.5, 8, **settings).records["error"]
    held = track_deviation(loss, start, 0.5, 8, anchor=2, **settings).records["error"]
    assert (held[:3] == free[:3]).all()  # the row of an anchor is the prediction before
    assert (held[3:] < free[3:]).all()


def test_an_event_ends_a_run_and_what_was_recorded_stays(tmp_path):
    toy = damian_toy(0.1, 0.5, 2.0)

    def loss(w):
        # a second eigenvalue that grows as z does
        return toy(w[:3]) + (1 + 18.5 * w[2] / 0.3) * w[3] ** 2 / 2

    start = tensor(1e-2, -0.02, 0.0, 0.0)
    found = track_deviation(loss, start, 0.1, 50, folder=tmp_path)
    assert isinstance(found.event, EigengapClosed)
    assert 0 < len(found.records.rows) < 10
    assert found.records.end["end"] == "EigengapClosed"


def test_a_loss_that_is_no_number_is_an_event_with_its_step():
    toy = damian_toy(0.1, 0.5, 2.0)
    start = tensor(1e-2, -0.02, 0.0)
    found = track_deviation(lambda w: toy(w) + 0 * torch.log(0.5 - w[2]), start, 0.1, 50)
    assert isinstance(found.event, BecameNaN)
    assert found.event.step == len(found.records.rows) - 1 > 0
    assert np.isfinite(found.records["loss"]).all()


def test_a_run_that_cannot_begin_notes_why(tmp_path):
    def steep(w):
        return 15 * w[0] ** 2 + w[1] ** 2 + 0.1 * w[2]

    with pytest.raises(UnconvergedProjection):
        track_deviation(steep, tensor(0.1, 0.2, 0.3), 0.1, 5, folder=tmp_path)
    assert read_records(tmp_path).end["end"] == "UnconvergedProjection"


def test_an_edge_that_is_not_reached_and_bad_input_are_errors():
    loss, start = damian_toy(0.1, 0.5, 2.0), tensor(1e-2, -0.5, 0.0)
    with pytest.raises(EdgeNotReached, match="after 3 steps"):
        track_deviation(loss, start, 0.1, 5, before=3)
    with pytest.raises(ValueError, match="kick = nan"):
        track_deviation(loss, start, 0.1, 5, kick=float("nan"))
    with pytest.raises(ValueError, match=r"steps = 2.5"):
        track_deviation(loss, start, 0.1, 2.5)
    with pytest.raises(TypeError, match="the start is ndarray"):
        track_deviation(loss, start.numpy(), 0.1, 5)
    with pytest.raises(ValueError, match="every = 0"):
        track_deviation(loss, start, 0.1, 5, every=0)
