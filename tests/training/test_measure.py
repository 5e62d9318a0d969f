"""What is measured does not depend on chunks, follows a moving reference, and works in float32."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from eostheory.numeric import autodiff
from eostheory.numeric.objective import Objective, module_objective
from eostheory.training.descent import gradient_descent
from eostheory.training.measure import Measurer
from eostheory.training.quantities import Reference, coefficients


def problem(**options):
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(10, 3, generator=draw, dtype=torch.float64)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    return module_objective(net, nn.MSELoss(), x, torch.sin(x.sum(1, keepdim=True)), **options)


def test_chunks_change_no_measure():
    whole, start = problem()
    parts, _ = problem(chunk=3)
    a = gradient_descent(whole, start, 0.2, 3, measure="all", every=3).records
    b = gradient_descent(parts, start, 0.2, 3, measure="all", every=3).records
    for name in a:
        assert np.allclose(a[name], b[name], rtol=1e-8, atol=1e-9, equal_nan=True), name


def test_float32_runs_are_tracked_to_what_float32_can_give():
    single, start = problem(dtype=torch.float32)
    double, same = problem()
    a = gradient_descent(single, start, 0.2, 5, measure="all")
    b = gradient_descent(double, same, 0.2, 5, measure="all")
    assert a.w.dtype == torch.float32
    for name in ("loss", "sharpness", "alpha", "beta"):
        assert np.allclose(a.records[name], b.records[name], rtol=1e-3, atol=1e-4), name


def test_the_measures_are_the_definitions_with_dense_derivatives():
    objective, start = problem()
    eta = 0.2
    row = Measurer(objective, eta, measure="all", start=start)(0, start)
    values, vectors = torch.linalg.eigh(autodiff.hessian(objective, start))
    u, gradient = vectors[:, -1], autodiff.gradient(objective, start)
    slope = autodiff.third(objective, start, u, u)
    found = coefficients(gradient, slope, u, eta)
    assert row["alpha"] == pytest.approx(-float(gradient @ slope), rel=1e-9)
    across = slope - (slope @ u) * u
    assert row["beta"] == pytest.approx(float(across @ across), rel=1e-9)
    assert found.alpha == pytest.approx(row["alpha"], rel=1e-9)
    if found.alpha > 0:
        assert row["delta"] == pytest.approx(math.sqrt(2 * found.alpha / found.beta), rel=1e-9)
        assert row["epsilon"] == pytest.approx(eta * math.sqrt(found.alpha), rel=1e-9)
    x = float(gradient @ u) / float(values[-1])
    assert abs(row["x"]) == pytest.approx(abs(x), rel=1e-9)
    wanted = float(values[-1]) - 2 / eta - float(slope @ u) * x
    assert row["y"] == pytest.approx(wanted, rel=1e-9)


def test_without_progressive_sharpening_delta_and_epsilon_are_not_numbers():
    one = torch.tensor([1.0, 0.0], dtype=torch.float64)
    found = coefficients(one, one, one.flip(0), 0.1)
    assert found.alpha == -1
    assert math.isnan(found.delta)
    assert math.isnan(found.epsilon)
    level = coefficients(-one, one, one, 0.1)
    assert (level.alpha, level.beta, level.delta) == (1, 0, math.inf)


def test_a_reference_may_move_with_the_step():
    objective, start = problem()
    path = [start + 0.01 * i for i in range(4)]
    references = [Reference.at(objective, w) for w in path]
    run = gradient_descent(
        objective, start, 0.1, 3, measure=("displacement",), reference=references.__getitem__
    )
    w = gradient_descent(objective, start, 0.1, 3, measure=()).w
    last = references[3].displacement(w)
    assert run.records["x"][0] == run.records["y"][0] == run.records["deviation"][0] == 0
    assert run.records["deviation"][3] == last.deviation
    assert run.records["x"][3] == last.x
    assert last.deviation == pytest.approx(float((w - path[3]).norm()), rel=1e-14)


def test_a_measurer_goes_on_from_its_state():
    objective, start = problem()
    options = {"measure": "all", "reference": "crossing", "k": 2, "start": start}
    one, two = Measurer(objective, 1.0, **options), Measurer(objective, 1.0, **options)
    points = [start * (1 + 0.05 * i) for i in range(6)]
    rows = [one(i, w) for i, w in enumerate(points)]
    for i, w in enumerate(points):
        row = two(i, w)
        assert all(row[n] == v or math.isnan(v) for n, v in rows[i].items())
        again = Measurer(objective, 1.0, **options)
        again.restore(two.state())
        two = again


def test_an_objective_without_layers_has_no_output_norm():
    loss = Objective.of(lambda w: (w**4).sum(), 2)
    assert "output norm" not in Measurer(loss, 0.1).columns
    assert "phase" not in Measurer(loss, None).columns
