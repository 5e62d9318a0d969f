"""The experiments of li22: quick variants, and what they stand on."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from eostheory.curvature import gram_matrix
from eostheory.experiments import DataError, Results, SettingError, experiment, run
from eostheory.experiments.li22 import facts, gram, two_layers
from eostheory.experiments.li22.networks import network, two_classes
from eostheory.experiments.settings import chosen
from eostheory.numeric.objective import module_objective


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *((f"li22/fig-{n}", ["steps=20"]) for n in (1, 3, 4, 20)),
        ("li22/fig-2", ["steps=8,8,3"]),
        ("li22/fig-11", ["steps=20", "examples=40", "inputs=90", "width=8"]),
        ("li22/fig-12", ["steps=100"]),
        ("li22/fig-17", ["steps=5", "examples=6", "widths=8,8,2,2"]),
    ],
)
def test_figures_are_drawn_and_findings_stated_of_a_short_run(name, changes, tmp_path):
    found = experiment(name)
    settings = chosen(found, changes, variant="quick")
    outcome = run(found, settings, folder=tmp_path / "run", plots=("png",))
    assert outcome.findings
    assert [path.stat().st_size > 5000 for path in outcome.plots] == [True]


def test_the_fall_is_told_from_the_rise_above_the_edge():
    values = np.array([0.5, 0.9, 1.2, 1.3, 1.5, 1.6, 0.3, 0.2, 1.4, 0.1])
    found = {"sharpness": 2 * values, "edge": np.full(len(values), 2.0)}
    # means over two steps: 0.5 0.7 1.05 1.25 1.4 1.55 0.95 ...
    assert facts.fall_below(found) == (3, 1)
    assert facts.fall_below({**found, "sharpness": values / 9}) is None
    assert facts.fall_below({name: column[:5] for name, column in found.items()}) is None


def test_v1_is_judged_where_the_network_is_as_wide_as_printed(tmp_path):
    found = experiment("li22/fig-17")
    changes = ["networks=linear,tanh", "widths=200,40", "rises=1.1,40", "steps=10", "examples=6"]
    outcome = run(found, chosen(found, changes), folder=tmp_path / "run", plots=())
    least = {f.name: f for f in outcome.findings if f.name.endswith("least |<v1(t), v1(0)>|")}
    wide, narrow = (least[f"{kind}: least |<v1(t), v1(0)>|"] for kind in ("linear", "tanh"))
    assert wide.agrees is True
    assert narrow.agrees is None
    assert "printed are 200" in narrow.note


def test_a_run_that_is_cut_off_and_resumed_has_the_same_bits(tmp_path, monkeypatch):
    found = experiment("li22/fig-4")
    settings = chosen(found, ["examples=20", "steps=450"])
    run(found, settings, folder=tmp_path / "straight", plots=())
    measured, count = gram.Watch._measured, iter(range(330))

    def cut(self, w):
        if next(count, None) is None:
            raise KeyboardInterrupt
        return measured(self, w)

    with monkeypatch.context() as patch:
        patch.setattr(gram.Watch, "_measured", cut)
        with pytest.raises(KeyboardInterrupt):
            run(found, settings, folder=tmp_path / "cut", plots=())
    assert 0 < len(Results(tmp_path / "cut")["descent"].rows) < 451
    run(found, settings, folder=tmp_path / "cut", resume=True, plots=())
    straight, resumed = (Results(tmp_path / n)["descent"].rows for n in ("straight", "cut"))
    assert np.array_equal(straight, resumed)


@pytest.mark.parametrize("kind", ["linear", "tanh", "relu", "conv-elu"])
def test_the_gram_matrix_by_layers_is_that_of_the_jacobian(kind):
    data = two_classes("digits", "", 12)
    module = network(kind, data.inputs.shape[1:], 5, seed=3)
    objective, start = module_objective(
        module, nn.MSELoss(), data.inputs, data.signs()[:, None], device="cpu", probe=False
    )
    found = gram.GramMatrix(module, data.inputs, objective.layout)(start)
    output = objective.layout.slice(objective.layout.output)
    wanted = gram_matrix(objective.predictions, start, {"A": output}, scale=2 / 12)
    torch.testing.assert_close(found.matrix, wanted.matrix, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.output, wanted.parts["A"], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.predictions, objective.predictions(start)[:, 0])


def test_networks_with_batch_norm_have_no_gram_matrix_by_layers():
    data = two_classes("digits", "", 4)
    module = network("resnet", data.inputs.shape[1:], 2, seed=0)
    objective, _ = module_objective(
        module, nn.MSELoss(), data.inputs, data.signs()[:, None], device="cpu", probe=False
    )
    with pytest.raises(ValueError, match="linear and convolutional"):
        gram.GramMatrix(module, data.inputs, objective.layout)


def test_the_span_of_the_data_is_all_that_a_two_layer_network_sees():
    draw = torch.Generator().manual_seed(5)
    n, size, width = 7, 30, 6
    inputs = torch.randn(n, size, generator=draw, dtype=torch.float64)
    labels = torch.randn(n, generator=draw, dtype=torch.float64)
    outer, inner = two_layers.symmetric_start(width, size, draw)
    c = 1 / math.sqrt(width)
    task = two_layers.TwoLayers.of(inputs, labels, outer, inner, c)
    w, eta = task.start, 0.05
    a, full = outer.clone(), inner.clone()
    for _ in range(20):
        w = w - eta * task.objective().value_and_gradient(w)[1]
        residual = c * inputs @ full.T @ a - labels
        a, full = (
            a - eta * 2 * c / n * full @ inputs.T @ residual,
            full - eta * 2 * c / n * torch.outer(a, inputs.T @ residual),
        )
    residual = c * inputs @ full.T @ a - labels
    assert float(task.loss(w)) == pytest.approx(float(residual @ residual) / n, rel=1e-10)
    hidden, before = inputs @ full.T, inputs @ inner.T
    matrix = 2 * c**2 / n * (torch.dot(a, a) * inputs @ inputs.T + hidden @ hidden.T)
    assert task.sharpness(w) == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]), rel=1e-10)
    change = 2 * c**2 / n * (hidden @ hidden.T - before @ before.T)
    assert task.gamma(w) == pytest.approx(float(torch.linalg.matrix_norm(change, 2)), rel=1e-9)


def test_the_symmetric_start_predicts_zero():
    outer, inner = two_layers.symmetric_start(10, 4, torch.Generator().manual_seed(0))
    assert torch.equal(outer.abs(), torch.ones(10, dtype=torch.float64))
    assert torch.linalg.vector_norm(outer @ inner) < 1e-14


def test_the_printed_resnet_has_the_parameters_of_resnet18():
    module = network("resnet", (3, 32, 32), 64, seed=0)
    # torchvision's ResNet18 has 11 176 512 before its last layer, which here has one output.
    assert sum(p.numel() for p in module.parameters()) == 11_176_512 + 513


def test_the_classes_are_halved_and_too_many_examples_are_refused():
    data = two_classes("digits", "", 30, "centred", (3, 8))
    assert data.signs().sum() == 0
    assert float(data.inputs.mean(0).abs().max()) < 1e-15
    with pytest.raises(DataError, match="half of each"):
        two_classes("digits", "", 1000)


@pytest.mark.parametrize("name", ["li22/fig-2", "li22/fig-17"])
def test_lists_of_different_lengths_are_refused(name, tmp_path):
    found = experiment(name)
    with pytest.raises(SettingError, match="for each of the networks"):
        run(found, chosen(found, ["networks=linear"]), folder=tmp_path / "run")
