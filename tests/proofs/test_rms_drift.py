"""The proofs of the drift at the edge of stability hold together."""

from __future__ import annotations

import importlib
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from eostheory.claims import Claim, mutants
from eostheory.formula import Equation, Number, OrderBound, dot, scalar
from eostheory.symbolic import Model
from proofs.lyu22 import _edge, _jets, _orders
from proofs.lyu22 import _notation as n
from proofs.lyu22._valley import normalized, renormalized, valley

SCRIPTS = ("quasi_rmsprop", "one_step", "two_step", "drift", "process", "zone")


def claims_of(script: str) -> list[Claim]:
    module: Any = importlib.import_module(f"proofs.lyu22.{script}")
    return list(module.CLAIMS)


CLAIMS = {c.id: c for script in SCRIPTS for c in claims_of(script)}


def derived(claim: Claim, *withheld: str) -> Model:
    model = Model(withheld=frozenset(withheld))
    assert claim.derive is not None
    claim.derive(model)
    return model


@pytest.mark.parametrize("name", ["eq-22", "eq-24", "eq-25", "eq-38", "lemma-J.5", "eq-33"])
def test_an_order_is_derived_and_no_higher_one(name: str) -> None:
    claim = CLAIMS[f"lyu22/{name}"]
    model = derived(claim)
    (statement,) = claim.parts.values()
    assert model.decide(statement).outcome == "holds"
    assert isinstance(statement, OrderBound)
    higher = OrderBound(statement.lhs, statement.rhs, statement.order * n.eta)
    assert model.decide(higher).outcome != "holds"


@pytest.mark.parametrize("name", ["eq-25", "lemma-J.2", "eq-29", "lemma-J.6"])
def test_every_mutant_of_the_statement_escapes_the_derivation(name: str) -> None:
    claim = CLAIMS[f"lyu22/{name}"]
    model = derived(claim)
    (statement,) = claim.parts.values()
    alive = [m.name for m in mutants(statement) if model.decide(m.statement).outcome == "holds"]
    assert alive == []


@pytest.mark.parametrize("missing", ["bounded", "aligned", "alpha"])
def test_the_drift_is_not_derived_without_one_of_its_hypotheses(missing: str) -> None:
    claim = CLAIMS["lyu22/eq-25"]
    (statement,) = claim.parts.values()
    assert derived(claim, missing).decide(statement).outcome != "holds"


def test_the_second_derivative_of_the_flow_projection_does_not_vanish() -> None:
    claim = CLAIMS["lyu22/lemma-I.2"]
    model = derived(claim)
    (printed,) = claim.parts.values()
    assert claim.corrected_parts is not None
    (corrected,) = claim.corrected_parts.values()
    assert model.decide(printed).outcome == "fails"
    assert model.decide(corrected).outcome == "holds"


def test_flow_differences_show_the_same_second_derivative_as_the_derivation() -> None:
    loss = valley(False, 4, 2, 5)
    at = _edge.look(loss, np.zeros(4))
    bend = np.asarray(_edge.projection_bend(loss).value)
    third = loss.third(at.phi)
    expected = -at.null @ (third @ at.v1 @ at.v1) / (2 * at.lam)
    assert np.allclose(bend @ at.v1 @ at.v1, expected, atol=1e-6)
    assert np.linalg.norm(expected) > 1e-2


def test_settling_keeps_what_is_not_small_and_hides_what_is() -> None:
    model = Model()
    _orders.sizes(model)
    x = scalar("x")
    short = _orders.settle(model, x * n.eta + 3 * n.eta**2, n.eta**2)
    assert model.decide(OrderBound(short, x * n.eta, n.eta**2)).outcome == "holds"
    assert model.decide(Equation(short, x * n.eta + 3 * n.eta**2)).outcome != "holds"


def test_a_taylor_polynomial_has_the_coefficients_of_the_series() -> None:
    model = Model()
    _orders.sizes(model)
    root = _orders.taylor(model, "inverse root", n.eta, 3)
    expected = 1 - Fraction(1, 2) * n.eta + Fraction(3, 8) * n.eta**2
    assert model.decide(OrderBound(root, expected, n.eta**3)).outcome == "holds"
    wrong = 1 - Fraction(1, 2) * n.eta + Fraction(1, 8) * n.eta**2
    assert model.decide(OrderBound(root, wrong, n.eta**3)).outcome != "holds"


def test_scale_invariance_makes_the_radial_part_of_the_sharpness_gradient_minus_two() -> None:
    model = Model()
    _jets.minimizer(model, sphere=True)
    _jets.sharpness(model, sphere=True)
    radial = Equation(dot(n.glog_full, n.foot), Number(Fraction(-2)))
    assert model.decide(radial).outcome == "holds"


@pytest.mark.parametrize("sphere", [False, True])
def test_gradient_flow_ends_on_the_manifold_and_stays_there(sphere: bool) -> None:
    loss = valley(sphere, 4, 2, 3)
    start = 0.01 * np.random.default_rng(0).normal(size=(3, 4))
    start = renormalized(start) if sphere else start
    end = loss.project(start)
    assert np.abs(loss.gradient(end)).max() < 1e-10
    assert np.allclose(loss.project(end), end, atol=1e-10)


def test_offsets_on_the_sphere_keep_their_digits() -> None:
    import torch

    tiny = torch.tensor([3e-9, 4e-9, 0.0], dtype=torch.float64)
    offset = normalized(tiny).numpy()
    assert offset[0] == pytest.approx(3e-9, rel=1e-15)
    assert offset[2] == pytest.approx(-1.25e-17, rel=1e-12)


@pytest.mark.parametrize("sphere", [False, True])
def test_two_real_steps_follow_the_drift(sphere: bool) -> None:
    (window,) = _edge.edge(_edge.Setting(sphere, 4, 2, 11, h=0.8, u=0.5))
    gaps = []
    for seen in window:
        drift = seen["glog"].value
        move = seen["phi2"] - seen["phi0"] + 2 * (seen["eta"] * seen["h0"]) ** 2 * drift
        gaps.append(np.linalg.norm(move) / seen["eta"] ** 3)
    assert max(gaps) < 1.2 * min(gaps)
