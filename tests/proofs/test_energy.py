"""The potential well behind the oscillation: what its proof scripts must be able to tell apart."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
import sympy

from eostheory.claims import Settings, judge
from eostheory.formula import Equation, as_expr
from eostheory.suite import load_library
from eostheory.suite.scripts import claims_of_script, import_script
from eostheory.symbolic import Model
from eostheory.symbolic.vectorfield import VectorField, is_conserved

LIBRARY = load_library()
FOLDER = next(p.folder for p in LIBRARY.papers if p.name == "lyu22")
SCRIPTS = ("energy.py", "periodic.py", "energy_change.py", "energy_sum.py")
CLAIMS = {c.id: c for script in SCRIPTS for c in claims_of_script(FOLDER, script)}
wells = import_script(FOLDER, "_energy.py")
moves = import_script(FOLDER, "_transitions.py")
change = import_script(FOLDER, "energy_change.py")

WELL = wells.Well(k2=5.0, c_b=2.0, h=0.25, u=0.0)


@functools.cache
def verdict(claim_id: str, mutate: bool = False) -> dict[str, Any]:
    settings = Settings(profile="quick", mutate=mutate)
    return judge(CLAIMS[claim_id], LIBRARY.entries[claim_id], settings)


@pytest.mark.parametrize(
    ("claim_id", "expected"),
    [
        ("lyu22/eq-16", "proved"),
        ("lyu22/appH2.potential", "proved"),
        ("lyu22/appH2.average", "proved"),
        ("lyu22/def-H.21", "assumed"),
        ("lyu22/lemma-N.1", "proved"),
        ("lyu22/lemma-N.1.cases", "proved"),
        ("lyu22/lemma-N.2", "proved"),
    ],
)
def test_a_claim_holds_and_both_witnesses_notice_every_change(claim_id: str, expected: str) -> None:
    record = verdict(claim_id, mutate=True)
    assert record["verdict"] == expected
    for witness in record["mutants"].values():
        assert witness["killed"] + witness["waived"] == witness["total"] > 0


@pytest.mark.parametrize(
    "claim_id", ["lyu22/appH2.periodic", "lyu22/lemma-N.1.p1", "lyu22/lemma-N.1.p3"]
)
def test_a_false_statement_is_refuted_and_its_correction_proved(claim_id: str) -> None:
    record = verdict(claim_id)
    assert record["verdict"] == "refuted"
    assert record["corrected"]["verdict"] == "proved"
    assert record["witness"]["lhs"] != record["witness"]["rhs"]


def test_what_the_field_conserves_is_found_and_nothing_near_it_is_conserved() -> None:
    value = wells.conserved(canonical=False).value
    h = sympy.Symbol("h", positive=True)
    u = sympy.Symbol("u", real=True)
    k, c = sympy.symbols("K C_b", positive=True)
    field = VectorField((h, u), (-u * h, 2 * k**2 * h**2 - c))
    assert is_conserved(field, value)
    assert not is_conserved(field, value + u**2 / 1000)
    assert not is_conserved(field, value + sympy.log(h))


def test_energy_is_the_same_along_the_flow_for_h_of_either_sign() -> None:
    model = Model()
    wells.first_order(model)
    found = wells.energy_found(model, wells.u)
    k2 = model.normal(wells.curvature)
    along = wells.along_flow(model, found)
    model.define(wells.K, k2 ** (as_expr(1) / 2))
    assert model.decide(Equation(along, as_expr(0))).outcome == "holds"


def test_small_swings_have_the_period_of_the_linearised_well() -> None:
    rest = math.sqrt(WELL.c_b / (2 * WELL.k2))
    near = wells.Well(WELL.k2, WELL.c_b, rest * (1 + 1e-3), 0.0)
    assert wells.period(near) == pytest.approx(2 * math.pi / math.sqrt(2 * WELL.c_b), rel=1e-5)


def test_large_swings_take_longer() -> None:
    assert wells.period(WELL) < wells.period(wells.Well(WELL.k2, WELL.c_b, 0.01, 0.0))


def test_the_flow_returns_after_its_period_and_h_squared_has_its_average() -> None:
    time = wells.period(WELL)
    _, (h, u, area) = wells.states_at(WELL, (0.0, time))
    assert float(h.value) == pytest.approx(WELL.h, abs=1e-9)
    assert float(u.value) == pytest.approx(0.0, abs=1e-9)
    assert float(area.value) / time == pytest.approx(WELL.c_b / (2 * WELL.k2), rel=1e-9)


def test_the_slope_of_the_transition_is_the_flow() -> None:
    for eta in (1e-3, 0.1, 2.0):
        after = WELL.step(0.3, 0.7, eta)
        speeds = WELL.speeds(0.3, 0.7)
        assert (after[0] - 0.3) / (2 * eta) == pytest.approx(speeds[0])
        assert (after[1] - 0.7) / (2 * eta) == pytest.approx(speeds[1])


def test_a_transition_that_ignores_its_bounds_changes_the_energy_at_first_order() -> None:
    land = moves.Landscape(1.0, 3, 5, sphere=True)
    for wild, power in ((False, 2), (True, 0.5)):
        kicks = moves.Kicks(1.0, 1.0, 1.0, wild)
        gaps = []
        for eta in (2.0**-9, 2.0**-10):
            h, u, before, later = moves.transition(land, kicks, 1.0, 0.5, 0.25, eta)
            old, new = moves.energies(land, 0.5, 0.25, before), moves.energies(land, h, u, later)
            gaps.append(abs(float(new.value) - float(old.value)))
        assert math.log2(gaps[0] / gaps[1]) == pytest.approx(power, abs=0.2)


def test_on_the_sphere_the_slope_is_tangential_and_states_stay_on_it() -> None:
    land = moves.Landscape(1.0, 8, 3, sphere=True)
    point = land.start()
    assert float(point @ land.slope(point)) == pytest.approx(0.0, abs=1e-12)
    assert float(land.retract(point + 0.1 * land.slope(point)).norm()) == pytest.approx(1.0)


def test_a_process_that_leaves_its_bounds_is_no_process() -> None:
    land, kicks = moves.Landscape(1.0, 2, 1, sphere=False), moves.Kicks(0.0, 0.0, 0.0)
    assert moves.process(land, kicks, 4.0, 0.5, 0.25, 0.01, 500) is not None
    assert moves.process(land, kicks, 0.3, 0.5, 0.25, 0.01, 500) is None


def test_the_first_order_terms_of_the_energy_change_cancel() -> None:
    model = Model()
    change.derive_nothing(model)
    assert model.decide(change.p7).outcome == "holds"
