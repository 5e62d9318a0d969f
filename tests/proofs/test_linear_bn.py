"""Linear regression with batch normalization: what its proof scripts must be able to tell apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eostheory.claims import Settings, judge
from eostheory.formula import Equation, norm2
from eostheory.numeric.events import RepeatedTopEigenvalue
from eostheory.numeric.rounding import RunningError
from eostheory.suite import load_library
from eostheory.suite.scripts import claims_of_script, import_script
from eostheory.symbolic import Model

LIBRARY = load_library()
FOLDER = next(p.folder for p in LIBRARY.papers if p.name == "lyu22")
SCRIPTS = ("linear_bn.py", "bn_hessian.py", "bn_minimizers.py", "least_norm.py")
CLAIMS = {c.id: c for script in SCRIPTS for c in claims_of_script(FOLDER, script)}
QUICK = Settings(profile="quick")

least_norm = import_script(FOLDER, "least_norm.py")
flow = import_script(FOLDER, "_bn_flow.py")
data_of = import_script(FOLDER, "_batch_norm.py").Data
figure5 = import_script(FOLDER, "_figure5_run.py")


def verdict(claim_id: str) -> dict[str, object]:
    return judge(CLAIMS[claim_id], LIBRARY.entries[claim_id], QUICK)


def fitted_data(examples: int, inputs: int) -> object:
    generator = torch.Generator().manual_seed(examples + inputs)
    x = torch.randn(examples, inputs, generator=generator, dtype=torch.float64)
    w = torch.randn(inputs, generator=generator, dtype=torch.float64)
    return data_of(x, x @ w + 0.5, w / torch.linalg.vector_norm(w))


@pytest.mark.parametrize("claim_id", ["lyu22/eq-4", "lyu22/lemma-O.1", "lyu22/thm-5.1.p2"])
def test_a_claim_is_proved_and_both_witnesses_notice_every_change(claim_id: str) -> None:
    record = verdict(claim_id)
    assert record["verdict"] == "proved"
    for witness in record["mutants"].values():  # type: ignore[attr-defined]
        assert witness["total"] > 0
        assert witness["killed"] + witness["waived"] == witness["total"]


@pytest.mark.parametrize("claim_id", ["lyu22/lemma-O.1.p3", "lyu22/lemma-O.1.p4"])
def test_a_step_that_drops_sigma_y_is_refuted_and_its_correction_proved(claim_id: str) -> None:
    record = verdict(claim_id)
    assert record["verdict"] == "refuted"
    assert record["corrected"]["verdict"] == "proved"  # type: ignore[index]
    witness = record["witness"]
    assert witness["part"] == "second"  # type: ignore[index]
    assert witness["lhs"] != witness["rhs"]  # type: ignore[index]


def test_with_unit_deviation_the_dropped_factor_cannot_be_seen() -> None:
    claim = CLAIMS["lyu22/lemma-O.1.p4"]
    m = Model()
    claim.derive(m)
    m.relation(least_norm.sigma_y, 1, by="unit")
    assert all(m.decide(part).outcome == "holds" for part in claim.parts.values())


def test_the_flow_decays_at_rate_one_and_at_no_other() -> None:
    for rate, outcome in ((1, "holds"), (2, "fails")):
        m = Model()
        least_norm.data_and_span(m)
        u = least_norm.decay * least_norm.start
        zeta = least_norm.unit(least_norm.in_span + u)
        gradient = least_norm.tangent_gradient(m, zeta, u)
        slope = m.differentiate(zeta, least_norm.decay, rate * least_norm.decay)
        claimed = Equation(-slope, -2 * gradient / (4 + norm2(gradient)))
        assert m.decide(claimed).outcome == outcome


def test_a_false_step_of_a_derivation_stops_it() -> None:
    m = Model()
    least_norm.data_and_span(m)
    with pytest.raises(ArithmeticError, match="a step of the derivation fails: one is two"):
        least_norm.shown(m, Equation(least_norm.n, 2 * least_norm.n), "one is two")


def test_two_examples_leave_no_curvature_and_no_flow() -> None:
    data = fitted_data(2, 4)
    with pytest.raises(RepeatedTopEigenvalue):
        flow.Landscape(data).velocity(data.w)


def test_the_flow_reaches_the_least_norm_solution_from_opposite_starts() -> None:
    data = fitted_data(4, 6)
    land, least = flow.Landscape(data), flow.LeastNorm.of(data)
    push = least.kernel @ torch.ones(least.kernel.shape[1], dtype=torch.float64)
    expected = torch.linalg.pinv(data.X - data.X.mean(0)) @ (data.y - data.y.mean())
    for sign in (1.0, -1.0):
        path, slack = flow.follow(land, land.onto_gamma(data.w + sign * push))
        slope, _ = land.linear(path[-1])
        assert slack < 1e-4
        torch.testing.assert_close(slope, expected, rtol=0, atol=100 * slack)


def test_rounding_is_tracked_through_the_forward_pass() -> None:
    with RunningError() as run:
        data = fitted_data(5, 3)
        table = import_script(FOLDER, "_batch_norm.py").setting(run, data)
    bounds = [m.error for m in table.values() if hasattr(m, "error")]
    assert max(float(np.max(b)) for b in bounds) > 0
    assert max(float(np.max(b)) for b in bounds) < 1e-12


def test_the_gradient_of_the_figure_is_that_of_autograd() -> None:
    assert figure5.gradient_gap(figure5.Problem.draw([0, 1, 2])) < 1e-12


def test_the_figure_trains_on_the_loss_of_the_library() -> None:
    from eostheory.numeric.batchnorm import RegressionData, normalised_regression

    problem = figure5.Problem.draw([3])
    x, y = torch.tensor(problem.inputs[0]), torch.tensor(problem.targets[0])
    zero = torch.zeros(())
    loss = normalised_regression(RegressionData(x, y, zero, zero, zero))
    start = problem.start[:, :, None]
    xt = np.swapaxes(problem.inputs, 1, 2)
    by_hand, _ = figure5.loss_and_gradient(start, problem.inputs, xt, problem.targets[:, :, None])
    assert float(loss(torch.tensor(problem.start[0]))) == pytest.approx(by_hand[0], rel=1e-13)


def test_the_minimizers_of_the_figure_lie_on_gamma_and_near_the_path() -> None:
    problem = figure5.Problem.draw([11])
    run = figure5.train(problem, 400, 0)
    seen = figure5.frames(problem, 0, run.path[-4:])
    assert (seen.sharpness > 0).all()
    assert (np.abs(seen.displacement) < 1e-2).all()
