"""Flows, invariants, scale invariance."""

import pytest
import sympy

from eostheory import derive

x, y, z = sympy.symbols("x y z")
p, q = sympy.symbols("p q", positive=True)


def test_predator_and_prey():
    found = derive.vector_field([p, q], [p * (1 - q), q * (p - 1)])
    assert sympy.expand(found.invariant - (p + q - sympy.log(p) - sympy.log(q))) == 0
    assert found.equilibria == ((1, 1),)
    assert found.frequencies == (1,)
    assert found.lotka_volterra
    assert found.linear_part((1, 1)).trace() == 0


def test_gradient_flow_descends_and_keeps_its_balance():
    loss = (x * y - 1) ** 2
    found = derive.flow(loss, [x, y])
    descent = sympy.Add(
        *(sympy.diff(loss, v) * s for v, s in zip((x, y), found.speeds, strict=True))
    )
    assert sympy.expand(descent + sum(s**2 for s in found.speeds)) == 0
    assert sympy.expand(found.invariant - (y**2 - x**2)) == 0


def test_without_an_invariant_it_says_so():
    found = derive.vector_field([x, y], [-x - y**3, -2 * y + x**2])
    assert found.invariant is None
    with pytest.raises(derive.DerivationError, match="no conserved"):
        found.latex("invariant")
    assert found.to_torch("speeds")(1.0, 1.0).tolist() == [-2.0, -1.0]


def test_on_the_sphere_the_norm_is_kept():
    loss = (x * y + z**2) / (x**2 + y**2 + z**2)
    found = derive.flow(loss, [x, y, z], sphere=True)
    outward = sum(v * s for v, s in zip((x, y, z), found.speeds, strict=True))
    on_sphere = sympy.simplify(outward.subs(z, sympy.sqrt(1 - x**2 - y**2)))
    assert on_sphere == 0
    # of an invariant loss the gradient is tangent already
    plain = derive.flow(loss, [x, y, z])
    assert sympy.simplify(plain.speeds.subs({x: 1, y: 0, z: 0})
                          - found.speeds.subs({x: 1, y: 0, z: 0})) == sympy.zeros(3, 1)  # fmt: skip


@pytest.mark.parametrize(
    "loss, invariant",
    [
        ((x * y) / (x**2 + y**2), True),
        (2 - (x + y) / sympy.sqrt(x**2 - x * y + y**2), True),
        (sympy.log(x**2 + y**2) - sympy.log(x**2 + x * y + y**2), True),
        (sympy.exp(x / y), True),
        (x * y, False),
        (x / y + 1 / y, False),
    ],
)
def test_scale_invariance_and_its_identities(loss, invariant):
    found = derive.scale_invariance(loss, [x, y])
    assert found.invariant is invariant
    statuses = {h.status for h in found.hypotheses}
    assert (statuses == {"holds"}) is invariant


def test_the_speeds_must_fit():
    with pytest.raises(derive.DerivationError, match="2 coordinates but 1"):
        derive.vector_field([x, y], [x])
