"""Predicted dynamics and RMS-drift: against the descent they abstract, the proofs, their laws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from eostheory import derive
from eostheory.agree import evaluate
from eostheory.numeric.autodiff import gradient, hessian
from eostheory.numeric.dynamics import gd
from eostheory.trajectories import (
    drift_energy,
    lower,
    predicted_dynamics,
    rms_drift,
    simulate,
)
from proofs.lyu22 import _notation as notation
from proofs.lyu22.drift import EQUATIONS

x, y, z = sympy.symbols("x y z", real=True)


# --------------------------------------------------------------------- predicted dynamics
def landscape(
    eta: float, alpha: float, beta: float, decay: float, rho: float
) -> Callable[[Tensor], Tensor]:
    """The toy of damian23 B with curvature along grad S and a quartic along u."""

    def loss(w: Tensor) -> Tensor:
        root = beta**0.5
        plain = (2 / eta + root * w[1]) * w[0] * w[0] / 2 - alpha / root * w[1]
        return plain + decay * w[1] * w[1] / 2 - rho * w[0] ** 4 / 24

    return loss


unit = st.integers(1, 16).map(lambda k: k / 16)


@settings(max_examples=25, deadline=None)
@given(unit, unit, unit, st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 2.0]), unit)
def test_predicted_dynamics_are_gradient_descent_where_the_loss_is_exactly_so(
    alpha, beta, eta, decay, rho, start
):
    eta = eta / 8
    letters = sympy.symbols("c rho_4", real=True)
    rule = predicted_dynamics(decay=letters[0], excess=-letters[1] * x**4 / 24)
    given_ = {"eta": eta, "alpha": alpha, "beta": beta, "c": decay, "rho_4": rho}
    loss = landscape(eta, alpha, beta, decay, rho)
    w = torch.tensor([start / 4, 0.0], dtype=torch.float64)
    real = torch.stack([s.after for s in gd(loss, w, eta, 12)])
    run = simulate(rule, w, given_, 12, backend="eager")
    assert torch.allclose(run["x"], real[:, 0], rtol=1e-11, atol=1e-13)
    assert torch.allclose(run["y"], beta**0.5 * real[:, 1], rtol=1e-11, atol=1e-13)
    # what is recorded: sharpness along u, exact here; the loss above the valley where y = 0
    bend = torch.stack([hessian(loss, p)[0, 0] for p in real])
    assert torch.allclose(run["sharpness"], bend, rtol=1e-11, atol=1e-11)
    flat = torch.stack([loss(torch.stack([p[0], torch.zeros_like(p[1])])) for p in real])
    assert torch.allclose(run["loss"], flat, rtol=1e-11, atol=1e-13)


def test_delta_may_stand_for_alpha_and_its_orbit_of_period_two_is_exact():
    alpha, beta, eta = 0.75, 1.5, 0.125
    rule = predicted_dynamics(delta=sympy.Symbol("delta"))
    assert [str(p) for p in rule.parameters] == ["eta", "delta", "beta"]
    delta = (2 * alpha / beta) ** 0.5
    run = simulate(rule, [delta, 0.0], [eta, delta, beta], 100, backend="eager")
    assert torch.equal(run["x"].abs(), torch.full((100,), delta, dtype=torch.float64))
    assert float(run["y"].abs().max()) == 0.0
    one = simulate(rule, [0.3, 0.1], [eta, delta, beta], 50, backend="eager")
    two = simulate(predicted_dynamics(), [0.3, 0.1], [eta, alpha, beta], 50, backend="eager")
    assert torch.allclose(one.records, two.records, rtol=1e-11, atol=1e-12)


def test_small_steps_conserve_the_potential_of_the_predicted_dynamics_to_first_order():
    # damian23, Lemma 3, over a fixed time: the drift is of order eta
    alpha, beta = 1.0, 1.0
    level = sympy.log(beta * x**2 / (2 * alpha))
    potential = beta * x**2 / (2 * alpha) - level - 1 + y**2 / alpha
    errors, sizes = [], [2.0**-k for k in range(5, 10)]
    for eta in sizes:
        rule = predicted_dynamics(eta, 1, 1, record={"g": potential})
        run = simulate(rule, [0.25, 0.0], (), round(20 / eta), every=8, backend="llvm")
        errors.append(float((run["g"] - run["g"][0]).abs().max()))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15)


# --------------------------------------------------------------------------- RMS-drift
@settings(max_examples=25, deadline=None)
@given(unit, unit, st.integers(-32, 32), unit, st.lists(st.integers(-8, 8), min_size=2, max_size=2))
def test_a_drift_step_is_the_definition_that_the_proofs_decide(eta, c_b, speed, size, slope):
    # log lambda_1 is linear, with the gradient ``slope``
    g = [k / 4 for k in slope]
    log_sharpness = sympy.Rational(slope[0], 4) * x + sympy.Rational(slope[1], 4) * y
    variables = [x, y]
    if not log_sharpness.free_symbols:
        return
    rule = rms_drift(log_sharpness, variables)
    start = [size, speed / 16, 0.5, -0.25]
    run = simulate(rule, start, {"eta": eta, "C_b": c_b}, 1, backend="eager")
    table = {
        notation.eta: eta,
        notation.C_b: c_b,
        notation.h0: size,
        notation.u0: speed / 16,
        notation.glog: np.array(g),
        notation.phi0: np.array(start[2:]),
    }
    expected = [evaluate(EQUATIONS[k].rhs, table) for k in (22, 24, 25)]
    state = run.state.numpy()
    for value, told in zip((state[0], state[1], state[2:]), expected, strict=True):
        rounding = 16 * 2.0**-53 * (1 + np.abs(told.value)) * (1 + c_b) * (1 + size) ** 2
        assert np.all(np.abs(value - told.value) <= told.error + 64 * rounding)


def on_sphere(bend: Tensor, p: Tensor) -> Tensor:
    return torch.dot(p, bend @ p) + torch.sin(p[0])


@pytest.mark.parametrize("sphere", [False, True])
def test_the_drift_follows_the_gradient_of_the_log_sharpness_on_its_manifold(sphere):
    generator = torch.Generator().manual_seed(3)
    bend = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    symbols = [x, y, z]
    quadratic = sum(
        sympy.Rational(bend[i, j].item()) * symbols[i] * symbols[j]
        for i in range(3)
        for j in range(3)
    )
    rule = rms_drift(quadratic + sympy.sin(x), symbols, sphere=sphere)
    phi = torch.tensor([0.6, -0.48, 0.64], dtype=torch.float64)
    phi = phi / phi.norm()
    h, u, eta, c_b = 0.5, 0.25, 0.0625, 1.5
    run = simulate(rule, [h, u, *phi.tolist()], [eta, c_b], 40, backend="eager")
    for record in run.records:
        slope = gradient(lambda p: on_sphere(bend, p), phi)
        if sphere:
            slope = slope - torch.dot(slope, phi) * phi
        phi = phi - 2 * eta**2 * h**2 * slope
        phi = phi / phi.norm() if sphere else phi
        push = 4 * eta * h**2 * (2 * c_b + float(slope @ slope)) - 2 * eta * c_b
        h, u = (1 - 2 * eta * u) * h, u + push
        assert torch.allclose(record[2:5], phi, rtol=0, atol=1e-10)
        assert float(record[0]) == pytest.approx(h, abs=1e-10)
        assert float(record[1]) == pytest.approx(u, abs=1e-10)


def test_coordinates_with_their_metric_are_the_sphere():
    theta, phi = sympy.symbols("theta phi", real=True)
    place = [sympy.sin(theta) * sympy.cos(phi), sympy.sin(theta) * sympy.sin(phi), sympy.cos(theta)]
    level = x * y + z**3 / 2 + x
    chart = rms_drift(
        level.subs(dict(zip((x, y, z), place, strict=True))),
        [theta, phi],
        metric=[[1, 0], [0, sympy.sin(theta) ** 2]],
    )
    embedded = rms_drift(level, [x, y, z], sphere=True)
    angles, gaps, sizes = (0.7, 0.4), [], [2.0**-k for k in range(2, 7)]
    point = [float(p.subs({theta: angles[0], phi: angles[1]})) for p in place]
    for eta in sizes:
        one = simulate(chart, [0.5, 0.25, *angles], [eta, 1.0], 1, backend="eager").state
        two = simulate(embedded, [0.5, 0.25, *point], [eta, 1.0], 1, backend="eager").state
        assert torch.allclose(one[:2], two[:2], rtol=0, atol=1e-13)
        at = {theta: float(one[2]), phi: float(one[3])}
        gaps.append(
            max(abs(float(p.subs(at)) - float(q)) for p, q in zip(place, two[2:], strict=True))
        )
    # the two ways back to the sphere differ by the square of a displacement of order eta^2
    assert np.polyfit(np.log(sizes), np.log(gaps), 1)[0] == pytest.approx(4.0, abs=0.3)


def test_the_energy_is_conserved_to_first_order_in_the_step():
    # lyu22, Definition H.21 and appendix N, over a fixed time
    errors, sizes = [], [2.0**-k for k in range(6, 11)]
    for eta in sizes:
        rule = rms_drift(eta=eta, c_b=1, kappa=2, record=drift_energy(1, 2))
        run = simulate(rule, [0.05, 0.0], (), round(8 / eta), every=4, backend="llvm")
        errors.append(float((run["energy"] - run["energy"][0]).abs().max()))
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.2)


def test_the_mean_square_of_the_oscillation_is_the_one_that_is_derived():
    v, g = sympy.symbols("v g")
    eta, beta = sympy.symbols("eta beta", positive=True)
    derived = derive.scheduler(
        beta * v + (1 - beta) * g**2,
        state=v,
        gradient=g,
        rate=eta / sympy.sqrt(v),
        moment=v / eta**2,
        given=[beta < 1],
    )
    mine, same = rms_drift(), derive.trajectory(derived)
    values = {"eta": 2.0**-9, "C_b": 1.5, "kappa": 0.75}
    start, steps = [0.1, 0.25], 20_000
    run = simulate(mine, start, values, steps, backend="llvm")
    # h before each step: what u has gained is what the squares were above their mean
    before = torch.cat([torch.tensor(start[:1], dtype=torch.float64), run["h"][:-1]])
    numbers = {s: values[str(s)] for s in derived.mean_square.free_symbols}
    balance = float(derived.mean_square.subs(numbers))
    gained = float(run["u"][-1] - start[1]) / (values["eta"] * steps)
    pull = 4 * (2 * values["C_b"] + values["kappa"])
    assert float((before**2).mean()) == pytest.approx(balance + gained / pull, rel=1e-9)
    assert abs(gained / pull) < 0.1 * balance
    other = simulate(same, start, values, 100, backend="eager")
    assert torch.allclose(other.records, run.records[:100], rtol=1e-9, atol=1e-10)


def test_without_log_sharpness_everything_is_arithmetic():
    assert lower(rms_drift()).algebraic
    assert lower(predicted_dynamics()).algebraic
    assert rms_drift(x**2, [x]).observables == ("h", "u", "x", "log_sharpness")


BAD = {
    "alpha and delta": ("tied by", lambda: predicted_dynamics(alpha=1, delta=1)),
    "excess of y": ("not of y", lambda: predicted_dynamics(excess=x * y)),
    "kappa and slope": ("follows from", lambda: rms_drift(x, [x], kappa=1)),
    "variables alone": ("belong to", lambda: rms_drift(variables=[x])),
    "two manifolds": ("own metric", lambda: rms_drift(x, [x], sphere=True, metric=[[1]])),
    "metric": ("1 coordinates", lambda: rms_drift(x, [x], metric=[[1, 0], [0, 1]])),
    "skew": ("not symmetric", lambda: rms_drift(x * y, [x, y], metric=[[1, 1], [0, 1]])),
    "singular": ("singular", lambda: rms_drift(x * y, [x, y], metric=[[1, 1], [1, 1]])),
    "indefinite": ("positive definite", lambda: rms_drift(x, [x], metric=[[-1]])),
    "names": ("drift state", lambda: rms_drift(sympy.Symbol("h") ** 2, [sympy.Symbol("h")])),
}


def test_a_metric_of_text_is_not_evaluated():
    with pytest.raises(TypeError, match="entry of the metric is 'x'"):
        rms_drift(x, [x], metric=[["x"]])


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_together_is_refused(name):
    message, make = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
