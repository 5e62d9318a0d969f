r"""Phases II and III: the residual along the top direction while the sharpness is above 2/eta.

Setting:  D(t+1) = (I - eta M) D (Assumption 3.2), Lambda = (2 + tau)/eta, M with eigenvalues in
          [0, Lambda], <v_1(t), v_1(t+1)> >= 1 - epsilon_2, D.v_1 >= c epsilon_2 |D|, c > 1.
Claims:   Lemma 3.2 = Lemma E.2 with its proof, and what sections 3.1 and 3.3.2 conclude from it.
Source:   Li, Wang, Li, arXiv:2207.12678, sections 3.1 and 3.3.2, appendix E.1.

Lemma 3.2 is false as printed.  A unit vector whose inner product with v_1 is 1 - epsilon_2 has a
component sqrt(2 epsilon_2 - epsilon_2^2) off v_1, not epsilon_2 (the proof of Lemma 3.4 has it
right); so the turn of v_1 may cancel D.v_1 altogether.  With D.v_1 >= c sqrt(2 epsilon_2) |D| in
place of Assumption 3.6 the printed factor is right.  Further: the inner product changes its sign
at each step, so that only its magnitude grows; the condition is needed at every step, not only at
t_0; and near 2/eta (tau below the bound of the lemma) nothing follows, so that the lemma does not
hold "before Lambda drops below 2/eta".  That epsilon_2 + 1/c < 1 is granted: epsilon_2 is small.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Inequality,
    Statement,
    absolute,
    as_expr,
    dot,
    norm,
    norm2,
    scalar,
    sqrt,
    vector,
)

from ._phase import (
    EIGEN,
    FIRST_ORDER,
    PSD,
    SLOW,
    D,
    D_next,
    Lam,
    c,
    descend,
    eps,
    eta,
    one,
    spectrum,
    tau,
    top,
    v1,
    v1_next,
    zero,
)
from ._phase_step import growth

if TYPE_CHECKING:
    from collections.abc import Callable

    from eostheory.symbolic import Decision, Model

# --------------------------------------------------------------------------------------- letters
x = scalar("x", r"\mathbf D(t)^\top\mathbf v_1(t)")
x_next = scalar("x_next", r"\mathbf D(t+1)^\top\mathbf v_1(t+1)")
x_old = scalar("x_old", r"\mathbf D(t+1)^\top\mathbf v_1(t)")
size = scalar("size", r"\|\mathbf D(t)\|", nonnegative=True)
size_next = scalar("size_next", r"\|\mathbf D(t+1)\|", nonnegative=True)
x_0 = scalar("x_0", r"\mathbf D(t_0)^\top\mathbf v_1(t_0)")
size_0 = scalar("size_0", r"\|\mathbf D(t_0)\|", nonnegative=True)

# ------------------------------------------------------------------------------------ statements
room = 1 - eps - 1 / c
factor = (1 + tau) * room
now, then, after = dot(D, v1), dot(D_next, v1_next), dot(D_next, v1)
magnitude = Inequality(absolute(x_next), ">=", factor * absolute(x))
signed = Inequality(x_next, ">=", factor * x)
above_one = Inequality(factor, ">", one)
increases = Inequality(absolute(x_next), ">", absolute(x))

old_direction = Equation(after, (1 - eta * Lam) * now)
second_line = absolute(after * (1 - eps)) - eps * norm(D_next)
third_line = absolute(now) * (1 - eps) * (eta * Lam - 1) - (eta * Lam - 1) * eps * norm(D)


def new_direction(side: Expr) -> Inequality:
    """The change of direction, with the component off v_1 that it is given."""
    return Inequality(absolute(then), ">=", absolute(after * (1 - eps)) - side * norm(D_next))


old_norm = Inequality(second_line, ">=", third_line)
inserted: dict[str, Statement] = {
    "3.6": Inequality(third_line, ">=", absolute(now) * (eta * Lam - 1) * room),
    "tau": Equation(absolute(now) * (eta * Lam - 1) * room, absolute(now) * (1 + tau) * room),
}


# ----------------------------------------------------------------------------------- derivations
def derive_old(m: Model) -> None:
    """Along the old direction."""
    top(m)
    descend(m)


def derive_turn(m: Model) -> None:
    """|b| >= (1 - eps)|a| - sqrt(2 eps) |D'| for a = D'.v_1, b = D'.v_1', any D'."""
    m.relation(norm2(v1), 1, by="unit")
    turn_lemma(m)
    m.example({v1: (1, 0), v1_next: (Fraction(40, 41), Fraction(9, 41)),
               D_next: (-9, 40), eps: Fraction(1, 41)})  # fmt: skip


def turn_lemma(m: Model) -> None:
    """The change of direction, by Cauchy's inequality for D' and v_1' off v_1."""
    m.relation(norm2(v1_next), 1, by="unit")
    a, b, kappa = (scalar(x) for x in ("a", "b", "kappa"))
    d = scalar("d", nonnegative=True)
    x, y = vector("x", "n"), vector("y", "n")
    place: dict[Expr, Expr] = {a: after, b: then, kappa: dot(v1, v1_next), d: norm(D_next)}
    cauchy = Inequality(dot(x, y) ** 2, "<=", norm2(x) * norm2(y))
    sides: dict[Expr, Expr] = {x: D_next - after * v1, y: v1_next - dot(v1, v1_next) * v1}
    least = Inequality(dot(v1, v1_next), ">=", 1 - eps)
    m.assume(least, by="3.5(iii)")
    m.assume(Inequality(eps, "<=", one), by="small")
    known = Inequality((b - kappa * a) ** 2, "<=", (d**2 - a**2) * (1 - kappa**2))
    small, near = Inequality(eps, "<=", one), Inequality(kappa, ">=", 1 - eps)
    below, short = Inequality(kappa, "<=", one), Inequality(a**2, "<=", d**2)
    at_most = Inequality((b - kappa * a) ** 2, "<=", 2 * eps * d**2)
    bound = Inequality(absolute(b), ">=", absolute(a) * (1 - eps) - sqrt(2 * eps) * d)
    steps: list[Callable[[], Decision]] = [
        lambda: m.decide(least),
        lambda: m.decide(small),
        lambda: m.lemma("kappa", Inequality(dot(v1, v1_next), "<=", one)),
        lambda: m.lemma("a <= d", cauchy, where={x: D_next, y: v1}),
        lambda: m.lemma("Cauchy off v_1", cauchy, where=sides),
        lambda: m.lemma("off the old direction", at_most, (known, near, below, short), place),
        lambda: m.lemma("new direction", bound, (at_most, near, below, small), place),
    ]
    all(step().outcome == "holds" for step in steps)  # up to the first that does not
    m.patience = 0.1


def derive_norm(m: Model) -> None:
    """The new residual is at most eta Lambda - 1 times as long."""
    top(m)
    descend(m)
    m.assume(Inequality(Lam, ">=", 2 / eta), by="above")
    spectrum(m, D)
    m.lemma("squares", Inequality(norm2(D_next), "<=", (eta * Lam - 1) ** 2 * norm2(D)))
    m.lemma("lengths", Inequality(norm(D_next), "<=", (eta * Lam - 1) * norm(D)))


@lru_cache(maxsize=1)
def proved() -> None:
    """The change of direction and the new length, proved once for every step.

    Raises:
        ArithmeticError: one of the two does not hold.
    """
    from eostheory.symbolic import Model as Fresh

    turned, longer, factored = Fresh(), Fresh(), Fresh()
    turned.relation(norm2(v1), 1, by="unit")
    turn_lemma(turned)
    derive_norm(longer)
    derive_factor(factored)
    facts = (
        turned.decide(new_direction(sqrt(2 * eps))),
        longer.decide(Inequality(norm(D_next), "<=", (eta * Lam - 1) * norm(D))),
        factored.decide(above_one),
    )
    if any(fact.outcome != "holds" for fact in facts):
        raise ArithmeticError("an intermediate bound does not hold")


def bounds(m: Model) -> None:
    """The lines of the proof for one step."""
    proved()
    m.uses("li22/lemma-E.2.p1")
    m.uses("li22/lemma-E.2.p3")
    m.relation(x_old, -(1 + tau) * x, by="first order")
    lost = sqrt(2 * eps) * size_next
    m.assume(Inequality(absolute(x_next), ">=", (1 - eps) * absolute(x_old) - lost), by="3.5(iii)")
    m.assume(Inequality(size_next, "<=", (1 + tau) * size), by="psd")


def derive_insert(m: Model) -> None:
    """The component condition as printed."""
    m.define(Lam, (2 + tau) / eta)
    m.assume(Inequality(tau, ">=", zero), by="above")
    m.assume(Inequality(c, ">", one), by="c")
    m.assume(Inequality(now, ">=", c * eps * norm(D)), by="3.6")


def derive_step(m: Model, earlier: bool = False, factored: bool = False) -> None:
    """The whole step; with ``earlier`` the printed condition holds one step before.

    With ``factored`` the factor is shown to exceed one.  s stands for sqrt(2 eps), q for 1/c.
    """
    s, q = scalar("s", nonnegative=True), scalar("q", positive=True)
    m.define(eps, s**2 / 2)
    m.define(c, 1 / q)
    m.assume(Inequality(tau, ">=", zero), by="above")
    m.assume(Inequality(q, "<", one), by="c")
    m.assume(Inequality(q * absolute(x), ">=", s * size), by="large")
    m.assume(Inequality(x, "!=", zero), by="large")
    before, length = (x_0, size_0) if earlier else (x, size)
    m.assume(Inequality(q * before, ">=", eps * length), by="3.6")
    bounds(m)
    a, b = (scalar(letter, nonnegative=True) for letter in "ab")
    place: dict[Expr, Expr] = {a: absolute(x), b: absolute(x_next)}
    grown = Inequality(b, ">=", (1 + tau) * (1 - s**2 / 2 - q) * a)
    known = (
        Inequality(b, ">=", (1 - s**2 / 2) * (1 + tau) * a - s * size_next),
        Inequality(size_next, "<=", (1 + tau) * size),
        Inequality(q * a, ">=", s * size),
        Inequality(tau, ">=", zero),
    )
    m.lemma("growth", grown, given=known, where=place)
    if factored:
        left = 1 - s**2 / 2 - q
        larger = Inequality((1 + tau) * left, ">", one)
        m.assume(Inequality(left, ">", zero), by="room")
        if "room" not in m.withheld:
            m.step("tau > 1/r - 1 with r = 1 - eps - 1/c > 0, multiplied by r (Lemma 3.2, factor)")
            m.assume(larger, by="rate")
        given = (grown, larger, Inequality(a, ">", zero))
        m.lemma("increase", Inequality(b, ">", a), given=given, where=place)
    m.generic = False
    m.patience = 0.1
    example(m, earlier, {s: sqrt(as_expr(Fraction(2, 41))), q: Fraction(1, 2)})


def example(m: Model, earlier: bool, letters: dict[object, object]) -> None:
    """tau = 3, c = 2, epsilon_2 = 1/41; the turn undoes the growth unless D.v_1 is large."""
    big = "large" not in m.withheld
    part = Fraction(1, 41)
    small, long = (18, 1) if big else (1, 18), sqrt(as_expr(325))
    m.step("instance: eta = 1, eta M = diag(5, 0), v_1 = (1, 0), v_1' = (40, 9)/41, tau = 3, c = 2")
    m.step(f"D = ({small[0]}, {small[1]}), D' = ({-4 * small[0]}, {small[1]}); and D' of the same "
           "length along the other side with eta M = diag(5, 24/5) one step before")  # fmt: skip
    slow = "rate" in m.withheld and big
    if slow:
        m.step("or tau = 1/100, just above 2/eta, and the same turn")
    stretched = Fraction(101, 100) if slow else Fraction(4)
    after = -stretched * small[0], small[1]
    table: dict[object, object] = {
        **letters, tau: stretched - 1, x: small[0], size: long, x_old: after[0],
        x_next: part * (40 * after[0] + 9 * after[1]),
        size_next: sqrt(as_expr(after[0] ** 2 + after[1] ** 2)),
    }  # fmt: skip
    if earlier:
        # D(t_0) = (9/2, 1) or (1/4, -90/19), and the signs of D.v_1 alternate
        first = Fraction(9, 2) if big else Fraction(1, 4)
        second = Fraction(1) if big else Fraction(90, 19)
        table |= {x_0: first, size_0: sqrt(as_expr(first**2 + second**2))}
        table |= {x: -small[0], x_old: -after[0], x_next: -table[x_next]}  # type: ignore[operator]
    m.example(table)


def gain(m: Model) -> None:
    """The factor is above one."""
    r = scalar("r")
    given = (Inequality(tau, ">", 1 / r - 1), Inequality(r, ">", zero))
    m.lemma("factor", Inequality((1 + tau) * r, ">", one), given=given, where={r: room})


def derive_factor(m: Model) -> None:
    """Constants alone."""
    m.assume(Inequality(eps, ">", zero), by="epsilon_2")
    m.assume(Inequality(c, ">", one), by="c")
    m.assume(Inequality(tau, ">", 1 / room - 1), by="rate")
    m.assume(Inequality(room, ">", zero), by="room")
    gain(m)
    outside = "room" in m.withheld
    m.example({eps: Fraction(3, 4) if outside else Fraction(1, 8), c: 2, tau: 4})


# ---------------------------------------------------------------------------------------- claims
PRINTED_36 = {"3.6": "Assumption 3.6: D.v_1 >= c epsilon_2 |D|"}
CONSTANTS = {"c": "c > 1"}
RATE = {"rate": "tau > 1/(1 - epsilon_2 - 1/c) - 1"}
ABOVE = {"above": "the sharpness is at least 2/eta"}
SMALL = {"small": "epsilon_2 <= 1"}
PHASE = FIRST_ORDER | PSD | SLOW | CONSTANTS | ABOVE
ROOM = {"room": "epsilon_2 is small (Assumption 3.5 (iii)): epsilon_2 < 1 - 1/c"}
LARGE = {"large": "0 < |D.v_1| and |D.v_1| >= c sqrt(2 epsilon_2) |D|"}
TURN = "A unit vector with <v_1, v_1'> = 1 - epsilon_2 is sqrt(2 epsilon_2 - epsilon_2^2) off v_1."


MARGIN = {
    f"simulation:*{end}": "no draw has tau within a thousandth of its bound"
    for end in ("right 1 x1.001", "right abs(x) x1.001")
}


_TRUE = "weaker where the factor is positive, and trivial where it is not"
WEAKER = {
    **{f"*right 1 {change}": _TRUE for change in ("dropped", "-1")},
    **{f"*abs(x) {change}": _TRUE for change in ("x1/2", "sign")},
    "*right c -> epsilon_2": "true: 1 - epsilon_2 - 1/epsilon_2 is negative",
}


def _lemma(name: str, statement: Statement | dict[str, Statement], **more: object) -> Claim:
    arguments: dict[str, object] = {
        "hypotheses": PHASE | PRINTED_36 | RATE,
        "derive": derive_step,
        "simulate": growth("large"),
        "corrected_hypotheses": LARGE,
        "reading": TURN,
        "waive": WEAKER,
    }
    return Claim(f"li22/{name}", statement, **{**arguments, **more})  # type: ignore[arg-type]


CLAIMS = [
    _lemma("lemma-3.2.a", magnitude),
    _lemma(
        "lemma-3.2.b",
        signed,
        corrected=magnitude,
        reading="As printed, without the magnitudes of section 3.1 and of the proof: the inner "
        "product itself is multiplied by 1 - eta Lambda < -1 at each step.  " + TURN,
    ),
    Claim(
        "li22/lemma-3.2.c",
        above_one,
        hypotheses={"epsilon_2": "epsilon_2 > 0"} | CONSTANTS | RATE | ROOM,
        derive=derive_factor,
        simulate=growth("rate"),
        waive=MARGIN,
        reading="epsilon_2 is 'a small constant': if epsilon_2 + 1/c > 1 the factor is negative.",
    ),
    _lemma(
        "lemma-3.2.d",
        magnitude,
        derive=partial(derive_step, earlier=True),
        simulate=None,
        reading="The condition holds at t_0 = t - 1 and the step from t is judged.  " + TURN,
    ),
    _lemma(
        "lemma-E.2",
        {"growth": magnitude, "factor": above_one},
        derive=partial(derive_step, factored=True),
        hypotheses=PHASE | PRINTED_36 | RATE | ROOM,
        waive=MARGIN,
    ),
    Claim(
        "li22/lemma-E.2.p1",
        old_direction,
        hypotheses=FIRST_ORDER | {"eigenvector": EIGEN["eigenvector"]},
        derive=derive_old,
        simulate=growth(),
    ),
    Claim(
        "li22/lemma-E.2.p2",
        new_direction(eps),
        hypotheses=SLOW | SMALL | {"unit": EIGEN["unit"]},
        derive=derive_turn,
        simulate=growth(cancelled=True),
        waive={
            "simulation:right -epsilon_2 x2": "epsilon_2 is small beside its root",
            "simulation:right 1 -1": "the whole line is negative where the turn undoes the growth",
        },
        corrected=new_direction(sqrt(2 * eps)),
        reading=TURN,
    ),
    Claim(
        "li22/lemma-E.2.p3",
        old_norm,
        hypotheses=FIRST_ORDER | EIGEN | PSD | ABOVE,
        derive=derive_norm,
        simulate=growth(),
        waive={
            f"*(1 - epsilon_2)*(eta*Lambda - 1) {change}": "weaker: |1 - epsilon_2| on the left"
            for change in ("x1/2", "sign", "dropped")
        },
    ),
    Claim(
        "li22/lemma-E.2.p4",
        inserted,
        hypotheses=PRINTED_36 | CONSTANTS | ABOVE,
        derive=derive_insert,
        simulate=growth(),
        waive={
            f"simulation:*{end}": "the draws have epsilon_2 + 1/c < 1 and a component far above 3.6"
            for end in ("x1/2", "x1.001", "sign", "dropped")
        },
    ),
    _lemma(
        "def-3.1.II",
        increases,
        derive=partial(derive_step, factored=True),
        waive=MARGIN,
        hypotheses=PHASE | RATE | LARGE | ROOM,
        simulate=growth("large", "rate"),
        corrected_hypotheses={},
        reading="A summary that quotes Lemma 3.2: read with its bound on tau and with a "
        "'non-negligible component in the direction of v_1' (section 3.3.1), of the size that the "
        "lemma needs; that of Assumption 3.6 is too small, see Lemma 3.2.",
    ),
    _lemma(
        "def-3.1.III",
        increases,
        derive=partial(derive_step, factored=True),
        waive=MARGIN,
        hypotheses=PHASE | LARGE | ROOM,
        simulate=growth("large", "rate"),
        corrected_hypotheses=RATE,
        reading="'Before Lambda drops below 2/eta, Lemma 3.2 still holds': without its bound on "
        "tau.  The component is read as in Phase II.",
    ),
]
