"""Section 4 and appendix B of damian23: what their proof scripts must be able to tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from eostheory.claims import Settings, judge
from eostheory.formula import Equation, Inequality, as_expr
from eostheory.suite import load_library
from eostheory.suite.scripts import claims_of_script, import_script
from eostheory.symbolic import Model

LIBRARY = load_library()
FOLDER = next(p.folder for p in LIBRARY.papers if p.name == "damian23")
SCRIPTS = (
    "toy_model.py",
    "section4.py",
    "stages.py",
    "lotka_volterra.py",
    "kinship.py",
    "corollary_1.py",
    "coupling.py",
)
CLAIMS = {c.id: c for script in SCRIPTS for c in claims_of_script(FOLDER, script)}
QUICK = Settings(profile="quick")
REFUTED = {
    "damian23/appB.constrained": "conclusion",
    "damian23/appB.gradient": "conclusion",
    "damian23/appB.drift-direction": "conclusion",
    "damian23/appB.blocked-direction": "conclusion",
    "damian23/sec4.stage-4": "hypothesis",
    "damian23/sec4.sign-flip": "hypothesis",
    "damian23/cor-1": "hypothesis",
    "damian23/cor-1.x-upper": "hypothesis",
}

letters = import_script(FOLDER, "_common.py")
jet = import_script(FOLDER, "_jet.py")
flow = import_script(FOLDER, "_flow.py")
toy = import_script(FOLDER, "_toy.py")
losses = import_script(FOLDER, "_losses.py")
dynamics = import_script(FOLDER, "lotka_volterra.py")


def test_every_listed_claim_of_section_4_and_appendix_b_is_encoded() -> None:
    wanted = {
        i
        for i in LIBRARY.entries
        if i.startswith(("damian23/sec4.", "damian23/appB.", "damian23/lemma-3", "damian23/cor-1"))
    }
    assert wanted | {"damian23/eq-3", "damian23/eq-4"} == set(CLAIMS)


@pytest.mark.slow
@pytest.mark.parametrize("claim_id", sorted(REFUTED))
def test_a_false_statement_is_refuted_and_no_change_of_its_correction_goes_unnoticed(
    claim_id: str,
) -> None:
    record = judge(CLAIMS[claim_id], LIBRARY.entries[claim_id], QUICK)
    assert record["verdict"] == "refuted"
    assert record["nature"] == REFUTED[claim_id]
    assert record["corrected"]["verdict"] == "proved"
    assert record["witness"]["lhs"] != record["witness"]["rhs"]
    for score in record["mutants"].values():
        assert score["total"] > 0
        assert [s for s in score["survivors"] if not s["reason"]] == []


def test_the_sharpness_gradient_is_derived_from_the_eigenvalue_equation() -> None:
    m = Model()
    jet.top_eigenpair(m)
    found = jet.sharpness_gradient(m)
    assert m.decide(Equation(found, letters.T(letters.u, letters.u))).outcome == "holds"


def test_the_second_standing_assumption_contains_the_first() -> None:
    record = judge(
        CLAIMS["damian23/eq-3"], LIBRARY.entries["damian23/eq-3"], Settings("quick", mutate=False)
    )
    assert "kernel" in record["hypotheses_used"]
    assert "perpendicular" not in record["hypotheses_used"]


def test_one_step_of_the_discrete_map_never_lowers_the_conserved_quantity() -> None:
    m = Model()
    dynamics.discrete_drift(m)
    text, _ = m.steps[-1]
    assert "(holds)" in text
    assert "(holds, nlsat" in text
    levels = dynamics.drift()[:200]
    assert np.all(np.diff(levels) > 0)


def test_the_conserved_quantity_found_vanishes_along_the_flow() -> None:
    m = Model()
    value = dynamics.found_integral(m)
    rate = m.differentiate(value, flow.X, flow.SPEED_X) + m.differentiate(
        value, flow.Y, flow.SPEED_Y
    )
    assert m.decide(Equation(rate, as_expr(0))).outcome == "holds"


def test_projected_gradient_descent_keeps_to_the_edge_of_the_toy_loss() -> None:
    loss = toy.Toy(0.7, 1.3, 0.9).loss
    path = list(toy.constrained(loss, torch.zeros(3, dtype=torch.float64), 0.7, 4))
    points = np.array([p.numpy() for p, _ in path])
    assert np.allclose(points[:, :2], 0.0, atol=1e-13)
    assert np.allclose(points[:, 2], 0.7 * np.arange(1, 5), atol=1e-12)


def test_the_period_of_small_orbits_is_that_of_the_linearisation() -> None:
    orbits = flow.Flow(1.3, 0.6)
    period = orbits.period((0.999 * orbits.delta, 0.0))
    assert period == pytest.approx(2 * np.pi / np.sqrt(2 * 1.3), rel=1e-5)


def test_no_constant_saves_the_upper_bound_near_the_equilibrium() -> None:
    corollary = import_script(FOLDER, "corollary_1.py")
    m = Model(frozenset({"far"}))
    corollary.derive_corollary(m)
    found = m.decide(corollary.upper)
    assert found.outcome == "fails"
    assert found.witness is not None
    assert Inequality(corollary.Xt, "<=", corollary.Xt) is not None


def test_both_fluctuation_bounds_are_proved_down_to_the_equilibrium() -> None:
    corollary = import_script(FOLDER, "corollary_1.py")
    m = Model()
    corollary.derive_fluctuations(m)
    outcomes: dict[str, Any] = {n: m.decide(p).outcome for n, p in corollary.fluctuations.items()}
    assert set(outcomes.values()) == {"holds"}
