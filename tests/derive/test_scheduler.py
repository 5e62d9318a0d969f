"""Adaptive rates: the paper's two, variants, and rules that are not of the kind."""

from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory import derive

v, g, n, r = sympy.symbols("v g n r")
lr, wd, b, a = sympy.symbols("lr wd b a", positive=True)


@pytest.fixture(scope="module")
def weight_decay():
    return derive.scheduler(
        (1 - lr * wd) ** 2 * n + lr**2 * g**2 / n,
        state=n,
        gradient=g,
        rate=lr / ((1 - lr * wd) * n),
        given=[lr * wd < 1],
    )


@pytest.fixture(scope="module")
def rmsprop():
    return derive.scheduler(
        b * v + (1 - b) * g**2, state=v, gradient=g, rate=lr / sympy.sqrt(v), given=[b < 1]
    )


def symbol(result, name):
    found = set()
    for _, value in result.values():
        found |= getattr(value, "free_symbols", set())
    return next(s for s in found if s.name == name)


def test_weight_decay_on_a_scale_invariant_loss_is_theorem_b7(weight_decay):
    decay = (1 - lr * wd) ** 4
    assert sympy.simplify(weight_decay.decay - decay) == 0
    assert sympy.simplify(weight_decay.base**2 - (1 / decay - 1) / 2) == 0
    beta, gbar, moment = (symbol(weight_decay, k) for k in ("beta", "gbar", "v"))
    exact = gbar**4 * (1 - beta) ** 2 / (4 * beta * moment)
    assert sympy.simplify(weight_decay.remainder - exact) == 0
    assert weight_decay.quasi_rmsprop == "holds"
    assert weight_decay.rate_error == 0
    assert weight_decay.c_b == 2
    kappa = weight_decay.kappa
    assert sympy.simplify(weight_decay.flow_rate - 1 / (4 + kappa)) == 0  # equation 10


def test_rmsprop_is_definition_h2_and_equation_8(rmsprop):
    c_b, h, u = (symbol(rmsprop, k) for k in ("C_b", "h", "u"))
    kappa = rmsprop.kappa
    push = 4 * lr * h**2 * (2 * c_b + kappa) - 2 * lr * c_b
    assert sympy.expand(rmsprop.u_next - u - push) == 0
    assert sympy.expand(rmsprop.h_next - (1 - 2 * lr * u) * h) == 0
    energy = u**2 / 2 + (2 * c_b + kappa) * h**2 - c_b * sympy.log(h)
    assert sympy.expand(rmsprop.energy - energy) == 0
    assert sympy.simplify(rmsprop.flow_rate - 1 / (4 + 2 * kappa / c_b)) == 0
    assert rmsprop.remainder == 0
    assert rmsprop.delta == 0


def test_the_rate_itself_may_be_the_state():
    found = derive.scheduler(
        r / sympy.sqrt(b + (1 - b) * r**2 * g**2 / lr**2), state=r, gradient=g, given=[b < 1]
    )
    assert found.quasi_rmsprop == "holds"
    assert found.base == lr
    assert found.decay == b


@settings(max_examples=60, deadline=None)
@given(
    *[st.fractions(Fraction(1, 50), 20, max_denominator=50)] * 2,
    st.fractions(Fraction(1, 2), Fraction(99, 100), max_denominator=100),
)
def test_the_bounds_hold_on_numbers(moment, gradient, decay):
    for found in SCHEDULERS:
        table = {symbol_or(found, "gbar"): gradient, symbol_or(found, "beta"): decay, b: decay}
        table |= {s: moment for s in found.remainder.free_symbols | found.delta.free_symbols
                  | found.rate_error.free_symbols if s.name.startswith("v")}  # fmt: skip
        table = {k: sympy.Rational(q.numerator, q.denominator) for k, q in table.items() if k}
        delta = float(found.delta.subs(table))
        for error, limit in (
            (found.remainder, (1 - decay) ** 2 * found.polynomial.subs(table)),
            (found.rate_error, (1 - decay) * (1 + gradient**2)),
        ):
            size = abs(float(error.subs(table)))
            assert size <= delta * float(limit) * (1 + 1e-12) + 1e-15


def symbol_or(result, name):
    try:
        return symbol(result, name)
    except StopIteration:
        return None


def newest():
    after = b * v + (1 - b) * g**2
    return derive.scheduler(
        after, state=v, gradient=g, rate=lr / sympy.sqrt(after), moment=v / lr**2, given=[b < 1]
    )


SCHEDULERS = [
    newest(),
    derive.scheduler(
        b * v + (1 - b) * g**2 + (1 - b) ** 2 * (g**2 / 3 - b * v),
        state=v, gradient=g, rate=1 / sympy.sqrt(v), eta=None, given=[b < 1],
    ),
]  # fmt: skip


def test_newest_moments_are_quasi_rmsprop_too():
    assert SCHEDULERS[0].quasi_rmsprop == "holds"


@pytest.mark.parametrize(
    "update, reason",
    [
        (v + g**2, "beta = 1"),
        (b * v + (1 - b) * g, "moment squared"),
        (b * v + (1 - b) * g**4, "moment squared"),
        (b * v**2 + g**2, "decays geometrically"),
    ],
)
def test_what_is_not_of_the_kind_says_why(update, reason):
    found = derive.scheduler(update, state=v, gradient=g, rate=1 / sympy.sqrt(v), given=[b < 1])
    assert found.quasi_rmsprop == "fails"
    assert reason in " ".join(h.text for h in found.hypotheses if h.status == "fails")
    assert found.flow_rate is None
    with pytest.raises(derive.DerivationError, match="not derived"):
        found.latex("flow_rate")


def test_an_epsilon_under_the_root_is_not_known_to_be_quasi_rmsprop():
    found = derive.scheduler(
        b * v + (1 - b) * g**2, state=v, gradient=g, rate=lr / (sympy.sqrt(v) + a),
        moment=v / lr**2, given=[b < 1],
    )  # fmt: skip
    assert found.quasi_rmsprop == "unknown"
    assert any(h.status == "unknown" and "|rate" in h.text for h in found.hypotheses)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: derive.scheduler(v + g**2, state=v, gradient=g, rate=lr), "does not depend"),
        (lambda: derive.scheduler(v, state=v, gradient=g, rate=1 / (v + g)), "moment="),
        (lambda: derive.scheduler(v, state=v, gradient=g, rate=sympy.exp(-v) * v), "monotone"),
        (lambda: derive.scheduler(v, state="v", gradient=g), "sympy symbol"),
        (lambda: derive.scheduler(0.9 * v, state=v, gradient=g), "float"),
    ],
)
def test_bad_rules(call, message):
    with pytest.raises(derive.DerivationError, match=message):
        call()


# --------------------------------------------------------------- the flow on a manifold
x, y, z, s = sympy.symbols("x y z s")


def test_the_example_of_appendix_f(weight_decay):
    loss = 2 - (x + y) / sympy.sqrt(x**2 - x * y + y**2)
    level = sympy.sqrt((1 - s**2) / 2)
    found = derive.sharpness_flow(
        loss, [x, y, z], at={x: level, y: level, z: s}, coords=[s], sphere=True,
        scheduler=weight_decay, given=[s > -1, s < 1],
    )  # fmt: skip
    assert sympy.simplify(found.sharpness - 6 / (1 - s**2)) == 0
    printed = 3 / (1 - s**2) * sympy.Matrix([[1, -1, 0], [-1, 1, 0], [0, 0, 0]])
    assert sympy.simplify(found.hessian - printed) == sympy.zeros(3, 3)
    assert sympy.simplify(found.kappa - 4 * s**2 / (1 - s**2)) == 0
    assert sympy.simplify(found.speeds[0] + s * (1 - s**2) / 2) == 0
    assert {h.status for h in found.hypotheses} == {"holds", "given"}


def test_a_manifold_must_consist_of_minimizers():
    with pytest.raises(derive.DerivationError, match="does not vanish"):
        derive.sharpness_flow((x * y - 1) ** 2, [x, y], at={x: s, y: s}, coords=[s])
    with pytest.raises(derive.DerivationError, match="no value"):
        derive.sharpness_flow((x * y - 1) ** 2, [x, y], at={x: s}, coords=[s])
    with pytest.raises(derive.DerivationError, match="degenerate"):
        derive.sharpness_flow(x**2, [x, y], at={x: 0, y: 1}, coords=[s])
    with pytest.raises(derive.DerivationError, match="scale-invariant"):
        derive.sharpness_flow(
            (x * y - 1) ** 2, [x, y], at={x: s, y: 1 / s}, coords=[s], sphere=True, given=[s > 0]
        )
    with pytest.raises(derive.DerivationError, match="has no flow"):
        derive.sharpness_flow(
            x**2, [x, y], at={x: 0, y: s}, coords=[s],
            scheduler=derive.scheduler(v + g**2, state=v, gradient=g, rate=1 / sympy.sqrt(v)),
        )  # fmt: skip


def test_names_of_hyperparameters_never_collide_with_ours():
    beta, eta, h, u, kappa = sympy.symbols("beta eta h u kappa", positive=True)
    found = derive.scheduler(
        beta**2 * u + h * (1 - beta**2) * g**2, state=u, gradient=g,
        rate=kappa * eta / sympy.sqrt(u), given=[beta < 1],
    )  # fmt: skip
    assert found.quasi_rmsprop == "holds"
    names = {str(s) for s in found.u_next.free_symbols}
    assert not names & {"beta", "eta", "h", "u", "kappa"}
    assert sympy.simplify(found.base - kappa * eta / sympy.sqrt(h)) == 0


def test_gradients_must_raise_the_moment():
    found = derive.scheduler(
        b * v - (1 - b) * g**2, state=v, gradient=g, rate=1 / sympy.sqrt(v), given=[b < 1]
    )
    assert found.quasi_rmsprop == "fails"
