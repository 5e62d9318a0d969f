"""Conserved quantities are found; orbits have closed forms; Lotka-Volterra forms."""

import pytest
import sympy as sp

from eostheory.formula import scalar
from eostheory.symbolic.orbits import (
    level_extremes,
    lotka_volterra,
    separable_lotka_volterra,
    solve_power_log,
)
from eostheory.symbolic.vectorfield import (
    VectorField,
    equilibria,
    first_integral,
    frequency_squared,
    hamiltonian_form,
    is_conserved,
    linearise,
    vanishes,
)

X, a, b, c, d, p, q = sp.symbols("X a b c d p q", positive=True)
x, y, E = sp.symbols("x y E", real=True)
SELF_STABILISATION = VectorField((X, y), (X * y, a - b * X**2 / 2))
PREDATOR_PREY = VectorField((p, q), (p * (a - b * q), q * (c * p - d)))


@pytest.mark.parametrize(
    "field",
    [
        SELF_STABILISATION,
        PREDATOR_PREY,
        VectorField((x, y), (y, -sp.sin(x))),
        VectorField((x, y), (y, x - x**3)),
        VectorField((x, y), (-y, a * sp.exp(2 * x) - b)),
        VectorField((x, y), (x * (1 - y) * (1 + x**2), y * (x - 1) * (1 + x**2))),
    ],
)
def test_a_conserved_quantity_is_found(field):
    found = first_integral(field)
    assert found is not None
    assert is_conserved(field, found.value)
    assert not is_conserved(field, found.value + field.coords[0])
    assert found.formula().shape == ()


def test_a_field_without_simple_integral_gives_none():
    assert first_integral(VectorField((x, y), (x**2 + y, x - y**3 + 1))) is None


def test_the_found_quantity_is_the_expected_one():
    found = first_integral(SELF_STABILISATION)
    expected = b * X**2 + 2 * y**2 - 4 * a * sp.log(X)
    assert vanishes(found.value - expected)


def test_equilibrium_frequency_and_hamiltonian_form():
    (point,) = equilibria(SELF_STABILISATION)
    assert vanishes(point[0] - sp.sqrt(2 * a / b))
    assert vanishes(frequency_squared(SELF_STABILISATION, point) - 2 * a)
    assert linearise(SELF_STABILISATION, point).shape == (2, 2)
    value = first_integral(SELF_STABILISATION).value
    density = hamiltonian_form(SELF_STABILISATION, value)
    assert vanishes(density - X / 4)


def test_extremes_of_an_orbit_through_both_branches_of_lambert_w():
    value = first_integral(SELF_STABILISATION).value
    low, high = level_extremes(value, SELF_STABILISATION, X, E)
    numbers = {a: 2, b: 1, E: 1.5}
    assert float(low.subs(numbers)) < 2 < float(high.subs(numbers))
    for extreme in (low, high):
        at = (value - E).subs(y, 0).subs(X, extreme).subs(numbers)
        assert abs(float(at)) < 1e-12
    assert len(level_extremes(value, SELF_STABILISATION, y, E)) == 2


def test_an_expression_of_another_form_is_refused():
    with pytest.raises(ValueError, match="is not a"):
        solve_power_log(X**2 + X + sp.log(X), X, E)
    with pytest.raises(ValueError, match="lacks"):
        solve_power_log(X**2, X, E)


def test_lotka_volterra_forms():
    classical = lotka_volterra(PREDATOR_PREY)
    assert classical.predator_prey
    assert separable_lotka_volterra(PREDATOR_PREY)
    wide = lotka_volterra(SELF_STABILISATION)
    assert not wide.planar
    assert not separable_lotka_volterra(SELF_STABILISATION)


def test_fields_come_from_formulas_too():
    h, u = scalar("h", positive=True), scalar("u")
    k = scalar("k", positive=True)
    field = VectorField.of((h, u), (-1 * h * u, 2 * k**2 * h**2 - 1))
    assert first_integral(field) is not None
    assert [s.name for s in field.parameters] == ["k"]
