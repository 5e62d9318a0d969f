"""Predictions on real runs: what holds passes, what is false fails, the rest is unknown."""

import pytest
import torch

from eostheory.check import predictions_dynamics as dynamics
from eostheory.check import predictions_flow as flow
from eostheory.check import predictions_phases as network
from eostheory.check import predictions_sharpening as sharpening
from eostheory.check import reduction_runs, tilted
from eostheory.check.context import Context
from eostheory.check.finding import Status
from eostheory.check.orders import measure_order, until_settled
from eostheory.check.profiles import PROFILES
from eostheory.check.subject import Subject
from eostheory.check.way import Waypoint, level
from eostheory.numeric.manifolds import flat_manifold, spherical_manifold
from eostheory.numeric.objective import Objective, module_objective
from eostheory.numeric.toys import damian_toy
from eostheory.training.predicted import PredictedDynamics
from eostheory.training.several_losses import block_quartic

TOY = damian_toy(0.1, 0.5, 2.0)
AT = [0.1, 0.0, 0.0]


def context(loss, start, seed=0, **more):
    start = torch.as_tensor(start, dtype=torch.float64)
    objective = loss if isinstance(loss, Objective) else Objective.of(loss, len(start))
    subject = Subject("loss", "function", loss, objective, len(start), start, **more)
    return Context(subject, PROFILES["default"], seed)


def toy(cubic=0.0, quartic=0.0):
    return lambda w: TOY(w) + cubic * w[0] ** 3 + quartic * w[0] ** 4


def sphere(seed=3):
    loss = spherical_manifold(5, 3, seed)
    return loss, loss.some_minimizer(1) + 0.1 * loss.point(5)


def test_the_learning_rate_is_chosen_so_that_the_edge_is_met_from_below():
    run = context(TOY, AT).run
    edge = run.edge
    assert edge.reached
    assert "chosen" in run.why
    assert 2 / run.eta > 20  # above the sharpness at the start
    assert edge.sharpness == pytest.approx(2 / run.eta, rel=0.01)
    assert float(abs(edge.u[0])) == pytest.approx(1.0, abs=1e-3)
    assert edge.slope.tolist() == pytest.approx([0.0, 2**0.5, 0.0], abs=0.01)
    assert run.center.sharpness == pytest.approx(2 / run.eta)
    assert len(run.points) <= 12
    assert torch.equal(run.points[0], run.begin)
    assert run.path.shape == (50, 3)


def test_a_given_learning_rate_is_kept_and_what_does_not_meet_the_edge_says_why():
    run = context(TOY, [0.01, -0.2, 0.0], learning_rate=0.1).run
    assert run.eta == 0.1
    assert run.edge.reached
    below = context(TOY, [0.01, -0.2, 0.0], learning_rate=1e-3).run
    assert not below.edge.reached
    assert "was not reached" in below.missing
    assert below.center is None
    assert below.constrained == ()
    above = context(TOY, [0.01, 5.0, 0.0], learning_rate=0.1).run
    assert "above the edge" in above.missing


def test_a_stationary_start_is_left_and_a_loss_without_curvature_has_no_edge():
    bowl = context(lambda w: w @ w / 2, [0.0, 0.0]).run
    assert float(bowl.begin.norm()) == pytest.approx(0.5)
    hill = context(lambda w: -(w @ w), [0.1, 0.2])
    assert hill.run.edge is None
    found = sharpening.progressive_sharpening(hill)
    assert found.status is Status.NOT_APPLICABLE


def test_alpha_of_the_toy_is_found_and_progressive_sharpening_passes():
    ctx = context(TOY, AT)
    found = sharpening.progressive_sharpening(ctx)
    assert found.status is Status.PASS
    assert found.measured == pytest.approx(0.5, rel=1e-6)
    assert len(found.series["step"]) == len(found.series["alpha"])
    small = sharpening.small_epsilon(ctx)
    assert small.status is Status.PASS
    assert small.measured == pytest.approx(ctx.run.eta * 0.5**0.5, rel=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_negative_alpha_fails_with_the_point_and_the_value(seed):
    found = sharpening.progressive_sharpening(context(damian_toy(0.1, -0.5, 2.0), AT, seed))
    assert found.status is Status.FAIL
    assert found.counterexample.details["alpha"] == pytest.approx(-0.5, rel=0.01)
    assert len(found.counterexample.inputs["w"].tensor) == 3
    assert "alpha > 0" in found.message


def test_a_quadratic_has_alpha_zero_which_assumption_1_excludes():
    scales = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    found = sharpening.progressive_sharpening(context(lambda w: scales @ (w * w) / 2, [1, 1, 1]))
    assert found.status is Status.FAIL
    assert found.counterexample.details["alpha"] == 0.0
    assert "does not change" in found.message


def test_a_large_epsilon_fails():
    steep = context(damian_toy(0.1, 150.0, 2.0), [1e-3, -1.0, 0.0], learning_rate=0.1)
    found = sharpening.small_epsilon(steep)
    assert found.status in (Status.FAIL, Status.UNKNOWN)
    if found.status is Status.FAIL:
        assert found.measured > 1


@pytest.mark.parametrize("seed", [0, 2])
def test_predicted_dynamics_pass_on_the_toy(seed):
    found = dynamics.predicted_dynamics(context(TOY, AT, seed))
    assert found.status is Status.PASS
    assert {"sharpness", "predicted sharpness", "loss", "deviation"} <= set(found.series)


@pytest.mark.slow
def test_predicted_dynamics_pass_with_measured_order_on_generic_losses():
    quartic = block_quartic(1, 3, 0.5, 0.1, bulk=1)
    found = dynamics.predicted_dynamics(context(quartic, [0.01] * quartic.dim))
    assert found.status is Status.PASS
    assert "order" in found.measured


class Wrong(PredictedDynamics):
    """The driving term with another coefficient."""

    def land(self, after):
        push = self.here.center.across * 0.1 * self.eta * -self._x * self._x
        super().land(after)
        self.v = self.v + push


@pytest.mark.parametrize("loss", ["toy", pytest.param("quartic", marks=pytest.mark.slow)])
def test_a_wrong_coefficient_of_the_prediction_fails(loss, monkeypatch):
    monkeypatch.setattr(tilted, "DYNAMICS", (Wrong, Wrong))
    monkeypatch.setattr(dynamics, "MORE", 0)
    quartic = block_quartic(1, 3, 0.5, 0.1, bulk=1)
    ctx = context(TOY, AT) if loss == "toy" else context(quartic, [0.01] * quartic.dim)
    found = dynamics.predicted_dynamics(ctx)
    assert found.status is Status.FAIL
    assert "eq. (6)" in found.message


def test_where_the_loss_along_u_is_no_parabola_assumption_3_is_named(monkeypatch):
    monkeypatch.setattr(dynamics, "MORE", 0)
    found = dynamics.predicted_dynamics(context(toy(0.2, -1.0), AT))
    assert found.status is Status.NOT_APPLICABLE
    assert "Assumption 3" in found.message


def test_the_limiting_sharpness_is_met_where_the_orbit_attracts():
    found = dynamics.limiting(context(toy(0.2, -1.0), AT))
    assert found.status is Status.PASS
    assert found.measured == pytest.approx(found.expected, abs=1e-3)
    assert found.measured < 19.5  # well below 2/eta


@pytest.mark.parametrize("quartic", [0.0, 1.0])
def test_a_limiting_sharpness_is_not_applicable_where_the_orbit_repels(quartic):
    found = dynamics.limiting(context(toy(0.0, quartic), AT))
    assert found.status is Status.NOT_APPLICABLE
    assert "does not attract" in found.message


def test_a_wrong_limiting_sharpness_fails(monkeypatch):
    from eostheory.check import orbit

    right = orbit.limiting_sharpness

    def printed(loss, center, eta):
        found = right(loss, center, eta)
        change = 1.2 * (found.y + found.second)
        return found._replace(sharpness=2 / eta + change)

    monkeypatch.setattr(orbit, "limiting_sharpness", printed)
    assert dynamics.limiting(context(toy(0.2, -1.0), AT)).status is Status.FAIL


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sphere", "flat"])
def test_descent_follows_the_sharpness_reduction_flow(kind):
    if kind == "sphere":
        ctx = context(*sphere())
    else:
        loss = flat_manifold(5, 3, 3)
        ctx = context(loss, loss.some_minimizer(1) + 0.3 * loss.point(5))
    found = flow.sharpness_reduction_flow(ctx)
    assert found.status is Status.PASS, found.message
    assert ("weight decay" if kind == "sphere" else "RMSprop") in found.message
    assert flow.rms_drift(ctx).status is Status.PASS


@pytest.mark.slow
def test_a_flow_of_another_speed_and_a_wrong_drift_fail(monkeypatch):
    monkeypatch.setattr(reduction_runs, "FASTER", 1.2)
    ctx = context(*sphere())
    assert flow.sharpness_reduction_flow(ctx).status is Status.FAIL
    assert flow.rms_drift(ctx).status is Status.FAIL


def test_an_isolated_minimizer_has_nothing_to_move_along():
    found = flow.rms_drift(
        context(lambda w: (w**2 + w**3 / 4) @ torch.arange(1.0, 3.0).to(w), [0.3, 0.2])
    )
    assert found.status is Status.NOT_APPLICABLE
    assert "isolated" in found.message


def perceptron(linear=False):
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(12, 3, generator=draw, dtype=torch.float64)
    y = torch.sin(x.sum(1, keepdim=True))
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(3, 4, bias=False),
        torch.nn.Identity() if linear else torch.nn.Tanh(),
        torch.nn.Linear(4, 1, bias=False),
    )
    return net.double(), x, y


def of_module(criterion, targets=None):
    net, x, y = perceptron()
    y = y if targets is None else targets
    objective, start = module_objective(net, criterion, x, y)
    return context(objective, start, module=net, criterion=criterion, inputs=x, targets=y)


def test_output_norm_and_sharpness_of_a_network_move_together():
    ctx = of_module(torch.nn.MSELoss())
    found = network.output_norm(ctx)
    assert found.status is Status.PASS, found.message
    assert found.measured > 0.6
    told = network.phases(ctx)
    assert told.status in (Status.PASS, Status.UNKNOWN), told.message
    assert len(told.series["phase"]) == len(told.series["sharpness"])


def test_four_phases_are_about_networks_with_squared_error():
    for ctx, reason in (
        (context(TOY, AT), "plain function"),
        (of_module(torch.nn.L1Loss()), "something else"),
    ):
        for check in (network.phases, network.output_norm):
            found = check(ctx)
            assert found.status is Status.NOT_APPLICABLE
            assert reason in found.message


@pytest.mark.slow
def test_an_anticorrelated_output_norm_fails(monkeypatch):
    ctx = of_module(torch.nn.MSELoss())
    told = network.tell(ctx)
    told.norm[:] = [-a for a in told.norm]
    assert network.output_norm(ctx).status is Status.FAIL


def test_orders_are_told_apart_with_an_interval():
    scales = [0.1, 0.05, 0.025]
    bounds = [s**2 for s in scales]

    def kind(errors):
        return measure_order(scales, errors, bounds, 2).kind

    assert kind([s**2 for s in scales]) == "meets"
    assert kind([s**3 for s in scales]) == "meets"
    assert kind([s**2 * (1 + s) for s in scales]) == "meets"
    assert kind([0.3 * s for s in scales]) == "breaks"
    assert kind([1e-9] * 3) == "exact"
    assert kind([1e-2, 1e-4, 3e-4]) == "unclear"
    assert kind([1e-2, float("nan"), 1e-4]) == "unclear"


def test_an_order_that_still_changes_is_neither_right_nor_wrong():
    # 9.8 - 340 eta + ...: of order 2 in the end, with slopes of 1.0 to 1.2 where it is looked at.
    scales = [0.05, 0.025, 0.0125]
    bounds = [s**2 for s in scales]
    rising = measure_order(scales, [1.0, 0.49, 0.213], bounds, 2)
    assert rising.kind == "unclear"
    steady = measure_order(scales, [1.0, 0.49, 0.2401], bounds, 2)
    assert steady.kind == "breaks"
    # What may be noise does not tell either.
    assert measure_order(scales, [1.0, 0.49, 0.24], bounds, 2, [0.2] * 3).kind == "unclear"
    assert measure_order(scales, [1.0, 0.49, 0.24], bounds, 2, [2.0] * 3).kind == "exact"


def test_scales_are_added_until_the_order_is_known():
    def judge(runs):
        scales = [s for s, _ in runs]
        errors = [s**2 * abs(1 - 22 * s) for s in scales]
        return {"u": measure_order(scales, errors, [s**2 for s in scales], 2)}

    def at(s):
        return s, None

    few, orders = until_settled(at, [0.05, 0.025, 0.0125], judge, 3)
    assert len(few) == 3
    assert orders["u"].kind == "unclear"
    runs, orders = until_settled(at, [0.05, 0.025, 0.0125], judge, 8)
    assert orders["u"].kind == "meets"
    assert 4 <= len(runs) < 8


def test_where_the_hessian_damps_the_slope_of_the_sharpness_the_limit_is_another():
    def loss(w):
        x, y, z = w
        return (40 + y) * x**2 / 2 + (y - 1) ** 2 / 2 + 3 * z**2 / 2 - 0.02 * x**4

    found = dynamics.limiting(context(loss, [0.1, -1, 0.5], learning_rate=0.05))
    assert found.status is Status.NOT_APPLICABLE
    assert "damps grad S" in found.message
    # y = 0.08 a^2 and a^2 = 2 (alpha - y): a = delta / sqrt(1.16).
    assert "0.928 delta" in found.message


def test_third_derivatives_off_u_are_what_assumption_5_leaves_out(monkeypatch):
    monkeypatch.setattr(dynamics, "MORE", 0)

    def loss(w):
        x, y, z = w
        # y^2 z drives z by y^2, with both off u.
        return (40 + y) * x**2 / 2 - y + y**2 * z + z**2 / 2

    found = dynamics.predicted_dynamics(context(loss, [0.1, -0.3, 0.0], learning_rate=0.05))
    assert found.status is Status.NOT_APPLICABLE, found.message
    assert "third derivatives off u, with which most of the error is gone" in found.message


def test_a_flow_to_the_manifold_has_a_budget(monkeypatch):
    loss = flat_manifold(5, 3, 3)
    ctx = context(loss, loss.some_minimizer(1) + 0.3 * loss.point(5))
    valley = flow._valley(ctx)
    away = valley.point + 0.05 * valley.u
    right = valley.minimizers.relaxed(away, rtol=1e-9)
    assert valley.relaxed(away) == pytest.approx(right, abs=1e-8)
    assert valley.spent < 1000
    monkeypatch.setattr(reduction_runs, "BUDGET", valley.spent + 20)
    found = flow.rms_drift(ctx)
    assert found.status is Status.UNKNOWN
    assert "gradients in all" in found.message


def test_the_edge_is_above_every_sharpness_before_it():
    def at(time, sharpness, alpha=1.0):
        return Waypoint(torch.zeros(1), time, 0.0, sharpness, alpha, 1e-9)

    falls_first = tuple(at(t, s) for t, s in enumerate((3.0, 1.0, 2.0, 2.5, 4.0, 5.0)))
    low, best, edge = level(falls_first)
    assert max(p.sharpness for p in falls_first[low:best]) < edge < falls_first[best].sharpness
    assert level(tuple(at(t, 1.0) for t in range(4))) is None
    assert level(tuple(at(t, -5.0 + t) for t in range(4))) is None


def test_a_run_that_is_not_finite_is_unknown():
    loss = context(lambda w: TOY(w) + torch.log(w[2] - 5), AT)
    found = sharpening.progressive_sharpening(loss)
    assert found.status is Status.UNKNOWN
    assert "the run ended" in found.message
