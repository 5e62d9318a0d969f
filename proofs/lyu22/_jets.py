"""A generic loss near a manifold of minimizers, in every dimension: a jet with free coefficients.

``H`` is the Hessian at the minimizer, ``T`` the third derivative, the fourth is a bounded letter
(the loss is C^4).  On the sphere the relations of scale invariance are added.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.formula import Equation, Expr, Number, dot, eye, norm2, vector

from . import _notation as n
from ._notation import D
from ._orders import bound, giant, letter, settle, sizes, taylor, unless

if TYPE_CHECKING:
    from eostheory.symbolic import Model

ONE = Number(Fraction(1))
HALF = Fraction(1, 2)


def minimizer(m: Model, sphere: bool) -> None:
    """The Hessian's top eigenpair and null space at a minimizer, and the sharpness gradient."""
    m.fully_symmetric(n.T)
    m.relation(n.H @ n.v1, n.lam * n.v1, by="eigenpair")
    m.relation(norm2(n.v1), 1, by="eigenpair")
    m.relation(n.P0 @ n.H, 0 * n.H, by="null space")
    m.relation(n.P0 @ n.v1, 0 * n.v1, by="null space")
    m.relation(n.P0 @ n.P0, n.P0, by="null space")
    m.define(n.mu, 2 / n.lam)
    m.define(n.U, eye(D) - n.mu * n.H)
    if sphere:
        scale_invariance(m)


def scale_invariance(m: Model) -> None:
    """Relations at a unit minimizer of a scale-invariant loss."""
    m.step(
        "Scale invariance: grad L(c w) = grad L(w)/c and Hess L(c w) = Hess L(w)/c^2. Their "
        "derivatives in c at c = 1 are H phi = -grad L(phi) = 0 and T[phi, x] = -2 H x."
    )
    m.uses("lyu22/lemma-D.1")
    m.relation(n.H @ n.foot, 0 * n.foot, by="scale invariance")
    m.relation(n.T(n.foot, x := m.any_vector(D)), -2 * (n.H @ x), by="scale invariance")
    m.relation(norm2(n.foot), 1, by="sphere")
    m.relation(n.P0 @ n.foot, n.foot, by="scale invariance")
    m.relation(dot(n.foot, n.v1), 0, by="scale invariance")


def sharpness(m: Model, sphere: bool) -> None:
    """The gradient of log lambda_1 by differentiating the eigenpair, and its tangential part."""
    w, turn = vector("w", D), vector("turn", D, r"\dot v")
    change = dot(n.T(n.v1, w) + n.H @ turn - n.lam * turn, n.v1)
    m.step(
        "Differentiating H v = lambda v along w and pairing with v leaves "
        "d lambda = <T[v, w], v> = <T[v, v], w>."
    )
    if m.decide(Equation(change, dot(n.T(n.v1, n.v1), w))).outcome != "holds":
        m.step("Without the eigenpair the sharpness has no such gradient.")
        return
    m.define(n.glog_full, n.T(n.v1, n.v1) / n.lam)
    tangential = n.P0 @ n.glog_full
    if sphere:
        tangential = tangential - dot(n.glog_full, n.foot) * n.foot
    m.define(n.glog, tangential)


def quadratic(x: Expr, sphere: bool) -> Expr:
    """The paper's two-step quadratic term, as printed."""
    bent = (1 / n.lam) * (n.U @ n.T(x, x) + n.T(n.U @ x, n.U @ x))
    if not sphere:
        return bent
    return bent + (2 / n.lam**2) * (norm2(n.H @ x) + norm2(n.H @ n.U @ x)) * n.foot


def slope(m: Model, x: Expr, size: Expr) -> Expr:
    """The gradient at phi + x where x = O(size), by Taylor's theorem for a C^4 loss."""
    return n.H @ x + HALF * n.T(x, x) + size**3 * letter(m, "fourth", (D,))


def advance(
    m: Model, x: Expr, rate: Expr, sphere: bool, slope_at: Expr, second: Expr, third: Expr
) -> Expr:
    """One step from phi + x, seen from phi, with its terms of ``third`` order as one letter.

    On the sphere the result is normalized: ``|phi + x + d|^2 - 1 = <d, 2 phi + 2 x + d>`` for
    ``|phi + x| = 1``.
    """
    change = settle(m, -rate * slope_at, third)
    if not sphere:
        return settle(m, x + change, third)
    brief = settle(m, change, second)
    mixed = dot(brief, 2 * settle(m, x, second) + brief)
    excess = settle(m, 2 * dot(change, n.foot) + mixed, third)
    shrink = taylor(m, "inverse root", excess, 2)
    return settle(m, (n.foot + x + change) * shrink - n.foot, third)


def near(m: Model, sphere: bool) -> None:
    """A point at distance O(r eta) of a minimizer, one step from it at a rate near 2/lambda_1."""
    minimizer(m, sphere)
    sizes(m)
    bound(m, n.r / giant)
    bound(m, n.r / n.alpha, by="r")
    x = n.r * n.eta * unless(m, "near") * letter(m, "displacement", (D,))
    m.define(n.step0, x)
    if sphere:
        m.step("|theta_t| = |phi| = 1, so that |phi + y|^2 - 1 = <y - x, 2 phi + y + x>.")
    m.step("grad L(phi + x) = H x + T[x, x]/2 + O(|x|^3), for L is C^4 and grad L(phi) = 0.")
    m.define(n.rate0, 2 / n.lam + n.alpha * n.eta * unless(m, "rate") * letter(m, "detuning"))
    m.define(n.step1, _advance(m, n.step0, n.rate0, sphere))


def two_steps(m: Model, sphere: bool) -> None:
    """The second step, from a point that is again at distance O(r eta)."""
    m.define(n.rate1, 2 / n.lam + n.alpha * n.eta * unless(m, "rate") * letter(m, "detuning"))
    m.define(n.step2, _advance(m, n.step1, n.rate1, sphere))


def _advance(m: Model, x: Expr, rate: Expr, sphere: bool) -> Expr:
    size = n.r * n.eta * unless(m, "near")
    second, third = n.alpha * n.r * n.eta**2, n.alpha * n.r**2 * n.eta**3
    return advance(m, x, rate, sphere, settle(m, slope(m, x, size), third), second, third)
