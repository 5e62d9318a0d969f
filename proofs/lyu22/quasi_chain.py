r"""The exact scheduler is a quasi-RMSprop scheduler: the chain of inequalities in the proof.

Setting:  hyperparameters beta, eta and beta', eta' that a constant C_0 holds close to one another,
          g hat = (eta/eta') g bar, and the recursion with beta' and g hat.
Claims:   the steps of the proof of Theorem B.9 after the first two; the last is wrong as printed.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendix E.2.

Both witnesses use only what the proof says of C_0.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import Expr, Inequality, absolute, as_expr, scalar

from ._gwsi import beta, beta_exact, bound_c, gbar, ghat, moment, moment_next

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

ONE = as_expr(1)
p3 = Inequality(
    absolute(moment_next - (beta * moment + (1 - beta) * gbar**2)),
    "<=",
    absolute(moment_next - (beta_exact * moment + (1 - beta_exact) * ghat**2))
    + (1 - beta_exact) * absolute(ghat**2 - gbar**2)
    + absolute(beta_exact - beta) * (moment + gbar**2),
)
p4 = Inequality(
    1 / (4 * beta_exact * moment) * (1 - beta_exact) ** 2 * ghat**4,
    "<=",
    bound_c**6 / (2 * moment) * (1 - beta) ** 2 * gbar**4,
)
p5 = {
    "second": Inequality(
        (1 - beta_exact) * absolute(ghat**2 - gbar**2), "<=", bound_c**2 * (1 - beta) ** 2 * gbar**2
    ),
    "third": Inequality(
        absolute(beta_exact - beta) * (moment + gbar**2),
        "<=",
        bound_c * (1 - beta) ** 2 * (moment + gbar**2),
    ),
}


def last_bound(polynomial: Expr) -> Inequality:
    """The final product form, for a polynomial in the gradient norm."""
    return Inequality(
        bound_c**6 / (2 * moment) * (1 - beta) ** 2 * gbar**4
        + bound_c**2 * (1 - beta) ** 2 * gbar**2
        + bound_c * (1 - beta) ** 2 * (moment + gbar**2),
        "<=",
        (bound_c**6 / (2 * moment) + bound_c**2 + bound_c * (1 + moment))
        * (1 - beta) ** 2
        * polynomial,
    )


p6_printed = last_bound(gbar**4 + gbar**2)
p6_corrected = Inequality(
    p6_printed.lhs,
    "<=",
    (bound_c**6 / (2 * moment) * gbar**4 + (bound_c**2 + bound_c) * gbar**2 + bound_c * moment)
    * (1 - beta) ** 2,
)
CONSTANT = {"C_0": "eta/eta' <= C_0, |1 - (eta/eta')^2| <= C_0 (1 - beta), 1 - beta' <= C_0 "
            "(1 - beta), |beta' - beta| <= C_0 (1 - beta)^2"}  # fmt: skip
HALF = {"half": "beta' >= 1/2"}
stretch = scalar("r", r"\eta/\eta'", positive=True)


def derive_chain(m: Model) -> None:
    """Any hyperparameters that satisfy what the proof says of C_0: nothing else is used."""
    m.define(ghat, stretch * gbar)
    for decay in (beta, beta_exact):
        m.assume(Inequality(decay, "<", ONE))
    m.assume(Inequality(stretch, "<=", bound_c), by="C_0")
    m.assume(Inequality(absolute(1 - stretch**2), "<=", bound_c * (1 - beta)), by="C_0")
    m.assume(Inequality(1 - beta_exact, "<=", bound_c * (1 - beta)), by="C_0")
    m.assume(Inequality(absolute(beta_exact - beta), "<=", bound_c * (1 - beta) ** 2), by="C_0")
    m.assume(Inequality(beta_exact, ">=", as_expr(1) / 2), by="half")
    tight = {beta: Fraction(1, 2), beta_exact: Fraction(1, 2), stretch: 1, bound_c: 1}
    m.example({**tight, moment: 1, moment_next: 1, gbar: 0})
    m.example({**tight, moment: Fraction(1, 10**4), moment_next: 3, gbar: 10})


F = Fraction
EDGES = (  # C_0, 1 - beta, 1 - beta', eta/eta': every bound on C_0 is met, some of them exactly
    (F(6, 5), F(5, 12), F(1, 2), F(6, 5)),
    (F(9, 10), F(5, 9), F(1, 2), F(9, 10)),
    (F(6, 5), F(11, 30), F(11, 25), F(6, 5)),
    (F(9, 10), F(2, 5), F(9, 25), F(4, 5)),
    (F(1), F(1, 4), F(3, 16), F(1)),
    (F(5, 4), F(1, 5), F(1, 4), F(1)),
    (F(2), F(1, 4), F(1, 3), F(9, 8)),
    (F(7, 10), F(51, 70), F(51, 100), F(7, 10)),
    (F(1), F(3, 4), F(3, 16), F(1)),
    (F(1), F(1, 20), F(1, 20), F(1)),
    (F(1), F(1, 10**4), F(1, 10**4), F(1)),
)
BEYOND = {  # as above, but one hypothesis is violated
    "C_0": (F(1), F(1, 4), F(1, 2), F(2)),
    "half": (F(6, 5), F(7, 12), F(7, 10), F(6, 5)),
}


def simulate_chain(*asked: str) -> Callable[[Sample], None]:
    """Hyperparameters at the edge of what C_0 allows, and gradients from none to large."""

    def simulate(sample: Sample) -> None:
        broken = [name for name in asked if not sample.holds(name)]
        for k, edge in enumerate(EDGES):
            c0, x, x_exact, r = BEYOND[broken[0]] if broken else edge
            if "half" in asked and not broken and x_exact > F(1, 2):
                continue
            g = sample.draw(st.sampled_from([F(0), F(1, 64), F(1, 2), F(1), F(30)]), f"g {k}")
            for v in (F(1, 2**20), F(1, 4), F(1), F(2**12)):
                sample.observe({beta: 1 - x, beta_exact: 1 - x_exact, bound_c: c0, gbar: g,
                                moment: v, ghat: r * g})  # fmt: skip

    return simulate


def simulate_triangle(sample: Sample) -> None:
    """Any numbers, and such that all parts of the sum have one sign."""
    from eostheory.agree import exact

    for k in range(6):
        x = F(sample.draw(st.integers(1, 15), f"16 (1 - beta) {k}"), 16)
        x_exact = F(sample.draw(st.integers(1, 15), f"16 (1 - beta') {k}"), 16)
        r = sample.draw(st.sampled_from([F(1, 2), F(1), F(3, 2)]), f"eta/eta' {k}")
        extra = sample.draw(st.sampled_from([F(-1, 8), F(0), F(5)]), f"excess {k}")
        for v, g in (
            (F(1, 2**45), F(1)),
            (F(1, 2**45), F(3)),
            (F(1, 2**45), F(1, 2)),
            (F(4), F(0)),
        ):
            after = (1 - x_exact) * v + x_exact * (r * g) ** 2 + extra
            sample.observe({beta: 1 - x, beta_exact: 1 - x_exact, gbar: g, moment: v,
                            moment_next: exact(after), ghat: r * g})  # fmt: skip


CLAIMS = [
    Claim("lyu22/thm-B.9.p3", statement=p3, derive=derive_chain, simulate=simulate_triangle),
    Claim(
        "lyu22/thm-B.9.p4",
        statement=p4,
        hypotheses={**CONSTANT, **HALF},
        derive=derive_chain,
        simulate=simulate_chain("C_0", "half"),
    ),
    Claim(
        "lyu22/thm-B.9.p5",
        statement=p5,
        hypotheses=CONSTANT,
        derive=derive_chain,
        simulate=simulate_chain("C_0"),
    ),
    Claim(
        "lyu22/thm-B.9.p6",
        statement=p6_printed,
        corrected=p6_corrected,
        derive=derive_chain,
        simulate=simulate_chain(),
        reading="At gbar = 0 the left side is C_0 (1 - beta)^2 v and the right side vanishes. "
        "The polynomial needs a constant term. Corrected, term by term: every function of v is at "
        "most delta(v), and P(g) = g^4 + g^2 + 1 will do; Theorem B.9 survives.",
    ),
]
