"""Gradient descent with weight decay: what its proof scripts must be able to tell apart."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from eostheory.claims import Settings, judge
from eostheory.formula import scalar, vector
from eostheory.suite import load_library
from eostheory.suite.scripts import claims_of_script, import_script
from eostheory.symbolic import Model

LIBRARY = load_library()
FOLDER = next(p.folder for p in LIBRARY.papers if p.name == "lyu22")
SCRIPTS = ("gwsi.py", "gwsi_definition.py", "scheduler.py", "quasi.py", "quasi_chain.py")
CLAIMS = {c.id: c for script in SCRIPTS for c in claims_of_script(FOLDER, script)}
letters = import_script(FOLDER, "_gwsi.py")
runs = import_script(FOLDER, "_run.py")
gwsi = import_script(FOLDER, "gwsi.py")

SETUP = runs.Setup(runs.Drawn("quadratic ratio", 5, 11), 2.0, 1.0, 0.125)
TILTED = runs.Setup(runs.Drawn("quadratic ratio", 5, 11, tilted=True), 2.0, 1.0, 0.125)
REVERSING = runs.Setup(runs.Drawn("cosine embedding", 3, 4), 1.0, 0.5, 3.0)


@functools.cache
def verdict(claim_id: str, mutate: bool = False) -> dict[str, Any]:
    settings = Settings(profile="quick", mutate=mutate)
    return judge(CLAIMS[claim_id], LIBRARY.entries[claim_id], settings)


@pytest.mark.parametrize(
    "claim_id", ["lyu22/lemma-D.1", "lyu22/lemma-E.1", "lyu22/thm-B.7.p2", "lyu22/eq-14"]
)
def test_a_claim_is_proved_and_both_witnesses_notice_every_change(claim_id: str) -> None:
    record = verdict(claim_id, mutate=True)
    assert record["verdict"] == "proved"
    assert set(record["legs"].values()) == {"same"}
    for witness in record["mutants"].values():
        assert witness["killed"] == witness["total"] > 0


@pytest.mark.parametrize("claim_id", ["lyu22/lemma-3.1", "lyu22/lemma-3.1.p1", "lyu22/thm-B.7"])
def test_without_eta_lambda_below_one_the_direction_is_refuted(claim_id: str) -> None:
    record = verdict(claim_id)
    assert record["verdict"] == "refuted"
    assert record["nature"] == "hypothesis"
    assert record["corrected"]["verdict"] == "proved"
    values = record["witness"]["values"]
    assert Fraction(values["eta_hat"]) * Fraction(values["lambda_hat"]) > 1


@pytest.mark.parametrize(
    ("claim_id", "corrected"),
    [
        ("lyu22/lemma-3.1.p2", "proved"),
        ("lyu22/thm-B.9.p1", "assumed"),
        ("lyu22/thm-B.9.p6", "proved"),
    ],
)
def test_a_misprint_is_refuted_and_its_correction_holds(claim_id: str, corrected: str) -> None:
    record = verdict(claim_id)
    assert record["verdict"] == "refuted"
    assert record["corrected"]["verdict"] == corrected
    assert record["witness"] is not None


def test_the_last_bound_of_theorem_b9_fails_where_the_gradient_vanishes() -> None:
    values = verdict("lyu22/thm-B.9.p6")["witness"]["values"]
    assert values["gbar"] == "0"


def test_one_unknown_is_solved_for_from_an_equation_that_is_linear_in_it() -> None:
    model = Model()
    c, g, f = scalar("c", positive=True), vector("g", "D"), vector("f", "D")
    assert model.normal(letters.solved(model, c * g - f, g)) == model.normal(f / c)
    x = scalar("x")
    assert model.normal(letters.solved(model, 3 * x - c, x)) == model.normal(c / 3)


def test_orthogonality_is_derived_and_not_assumed() -> None:
    model = Model()
    gwsi.differentiate_the_identity(model)
    assert model.decide(gwsi.lemma_d1["1, perpendicular"]).outcome == "holds"
    without = Model(withheld=frozenset({"scale_invariant"}))
    gwsi.differentiate_the_identity(without)
    assert without.decide(gwsi.lemma_d1["1, perpendicular"]).outcome != "holds"


def test_a_measured_step_brackets_the_step_in_exact_arithmetic() -> None:
    loss = SETUP.drawn.loss
    step = runs.run(SETUP, 10).steps[0]
    a, b = (loss.data[x].tolist() for x in "AB")
    w = [Fraction(x) for x in step.w.value.tolist()]

    def form(m: list[list[float]]) -> tuple[Fraction, list[Fraction]]:
        image = [sum(Fraction(x) * y for x, y in zip(row, w, strict=True)) for row in m]
        return sum(x * y for x, y in zip(w, image, strict=True)), image

    (top, a_w), (bottom, b_w) = form(a), form(b)
    gradient = [2 * (x - top / bottom * y) / bottom for x, y in zip(a_w, b_w, strict=True)]
    shrink = 1 - Fraction(SETUP.eta) * Fraction(SETUP.decay)
    exact = [shrink * x - Fraction(SETUP.eta) * g for x, g in zip(w, gradient, strict=True)]
    gaps = [abs(Fraction(v) - x) for v, x in zip(step.w_next.value.tolist(), exact, strict=True)]
    assert all(gap <= Fraction(e) for gap, e in zip(gaps, step.w_next.error.tolist(), strict=True))
    assert np.max(step.w_next.error) < 1e-12


def test_the_tilted_loss_is_not_scale_invariant_and_the_plain_one_is() -> None:
    point = torch.tensor([1.0, -2.0, 0.5, 3.0, 1.0], dtype=torch.float64)
    for setup, gap in ((SETUP, 0.0), (TILTED, 0.1)):
        loss = setup.drawn.loss
        apart = abs(float(loss(3 * point) - loss(point)))
        assert apart >= gap if gap else apart < 1e-12


def test_the_scheduler_keeps_up_with_a_thousand_steps_of_the_update() -> None:
    found = runs.run(SETUP, 1000)
    decay = (1 - float(SETUP.intrinsic)) ** 4
    unit = ((1 / decay - 1) / 2) ** 0.5
    v = found.rates[0] ** -2
    for rate, gradient in zip(found.rates, found.gradients, strict=True):
        assert v**-0.5 == pytest.approx(rate, rel=1e-9)
        x = (gradient / unit) ** 2
        v = decay * v * (1 + (1 - decay) * x / (2 * decay * v)) ** 2


def test_weight_decay_above_one_reverses_the_direction() -> None:
    for step in runs.run(REVERSING, 20).steps:
        assert np.dot(step.theta.value, step.theta_next.value) < 0
        assert step.rate.value < 0


def test_runs_of_equal_setups_are_one_run() -> None:
    assert runs.run(SETUP, 10) is runs.run(SETUP, 10)
