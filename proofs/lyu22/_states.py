"""Hidden variables along real steps at the edge of stability, derived in every dimension.

A state at distance ``size`` of its own gradient-flow projection phi takes one or two steps of
(projected) gradient descent with a quasi-RMSprop scheduler; h, u and phi are read off as in
appendix H.  ``B`` is the second derivative of the projection Phi at phi.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.formula import Expr, Inequality, Symbol, as_expr, dot, norm, norm2, scalar, vector

from . import _notation as n
from ._jets import advance, minimizer, quadratic, sharpness, slope
from ._notation import B, D
from ._orders import bound, giant, letter, settle, shared, sizes, taylor, unless

if TYPE_CHECKING:
    from eostheory.symbolic import Model

HALF = Fraction(1, 2)
poly = scalar("poly", r"\mathrm{poly}(\alpha)", positive=True)


def flow_projection(m: Model) -> None:
    """The derivatives of Phi at a minimizer from dPhi(theta) grad L(theta) = 0."""
    m.step(
        "Phi is constant along gradient flow: dPhi(theta) grad L(theta) = 0. Differentiated once "
        "at phi, dPhi H = 0; and dPhi is the identity on the null space of H, the tangent space. "
        "So dPhi = P_0. Differentiated twice along an eigenvector v, 2 lambda d2Phi[v, v] = "
        "-P_0 T[v, v]: the second derivative does not vanish on normal vectors."
    )
    m.uses("lyu22/lemma-I.1")


def settings(m: Model, sphere: bool) -> None:
    """What every lemma of the two phases assumes: sizes, the minimizer, the flow's projection."""
    sizes(m)
    bound(m, 1 / poly)
    bound(m, poly * n.eta, by="alpha")
    bound(m, n.alpha**4 / poly)
    minimizer(m, sphere)
    sharpness(m, sphere)
    flow_projection(m)


def aligned(m: Model, sphere: bool) -> tuple[Expr, Expr]:
    """The displacement of an O(|h| eta)-misaligned state, as Lemma L.3 has it; and its size."""
    settings(m, sphere)
    bound(m, n.h0 / giant)
    bound(m, n.h0 / n.alpha, by="bounded")
    off = vector("off_axis", D)
    m.relation(dot(n.v1, off), 0, by="decomposition")
    size = n.h0 * n.eta
    m.step("x = h eta v_1 + O(h^2 eta^2) by Lemma L.3, the rest orthogonal to v_1.")
    m.uses("lyu22/lemma-L.3")
    m.define(n.x0, size * n.v1 + size**2 * unless(m, "aligned") * off)
    return n.x0, size


def scattered(m: Model, sphere: bool, project: bool) -> tuple[Expr, Expr]:
    """A displacement of size r eta in no particular direction, perhaps with its projection."""
    settings(m, sphere)
    bound(m, n.r / giant)
    bound(m, n.r / n.alpha, by="bounded")
    m.define(n.size, n.r * n.eta)
    direction = vector("direction", D, r"\hat x")
    if project:
        m.step("Phi(phi + x) = phi, expanded: P_0 x = -B[x, x]/2 + O(|x|^3).")
        bent = -HALF * B(direction, direction) + n.r * n.eta * letter(m, "fibre", (D,))
        m.relation(n.P0 @ direction, n.r * n.eta * bent, by="projection")
    m.define(n.x0, n.r * n.eta * direction)
    m.define(n.h0, dot(n.v1, n.x0) / n.eta)
    return n.x0, n.r * n.eta


class Walk:
    """Steps from a state, each quantity defined in the model under the paper's name."""

    def __init__(self, m: Model, sphere: bool, x: Expr, size: Expr) -> None:
        self.m, self.sphere, self.size = m, sphere, size
        self.second = n.alpha * size * n.eta
        self.third = n.alpha * size**2 * n.eta
        self.gain = n.C_b * n.eta**2 + n.eta**4 * letter(m, "beta")
        m.define(n.u0, n.alpha * unless(m, "bounded") * scalar("relative_u"))
        self.hat: Expr = x
        self.uhat: Expr = n.u0
        self.moment: Expr = (1 + n.eta * n.u0) / n.mu**2
        m.uses("lyu22/lemma-K.1")

    def take(self, rate: Symbol, gbar: Symbol, hat: Symbol, uhat: Symbol) -> None:
        """One step: the scheduler's rate, the gradient's size, the new displacement and moment."""
        m = self.m
        near = settle(m, n.eta * self.uhat, n.alpha**2 * n.eta**2)
        there = settle(m, slope(m, self.hat, self.size), self.third)
        m.define(gbar, norm(there) / n.eta)
        noise = letter(m, "quasi") * self.gain * (1 + norm2(there) / n.eta**2)
        critical = n.mu * taylor(m, "inverse root", near, 2) + noise
        m.define(rate, settle(m, critical, n.alpha**2 * n.eta**2))
        m.define(hat, advance(m, self.hat, rate, self.sphere, there, self.second, self.third))
        self.moment = (
            (1 - self.gain) * self.moment
            + self.gain * norm2(there) / n.eta**2
            + letter(m, "quasi") * poly * self.gain**2
        )
        m.define(uhat, (n.mu**2 * self.moment - 1) / n.eta)
        self.hat, self.uhat = hat, uhat

    def land(self, hat: Symbol, phi: Symbol, x: Symbol) -> Expr:
        """The new projection and displacement; returns the projection's move."""
        m, start = self.m, n.x0
        move = n.P0 @ hat - n.P0 @ start + HALF * (B(hat, hat) - B(start, start))
        move = settle(m, move + self.size**3 * letter(m, "third_of_Phi", (D,)), self.third)
        m.define(phi, n.phi0 + move)
        m.define(x, hat - move)
        return move

    def read(self, move: Expr, x: Symbol, h: Symbol, u: Symbol) -> None:
        """h and u at the new projection, by Taylor expansion of v_1 and mu along the manifold."""
        m = self.m
        m.define(n.top2, n.v1 + self.size**2 * letter(m, "turn", (D,)))
        m.define(h, dot(n.top2, x) / n.eta)
        change = dot(n.glog_full, move) + self.size**4 * letter(m, "curve")
        change = settle(m, change, self.third)
        m.define(n.loglam2, n.loglam0 + change)
        shrink = settle(m, taylor(m, "exponential", -2 * change, 2), self.third)
        m.define(u, (n.mu**2 * shrink * self.moment - 1) / n.eta)


def contraction(m: Model, rest: Expr, *later: tuple[Symbol, int], general: bool = False) -> None:
    """Lengths of the non-top part after so many steps: spectral bound, then a bounded rest.

    ``general`` says that the part before is of size r eta.

    Raises:
        ArithmeticError: when the spectral bound of Lemma L.1 does not follow.
    """
    curvature = scalar("curvature", r"\lambda_i", positive=True)
    m.assume(Inequality(curvature, ">=", n.gamma * n.lam), by="gap")
    m.assume(Inequality(curvature, "<=", (1 - n.gamma) * n.lam), by="gap")
    m.assume(Inequality(n.gamma, "<=", as_expr(HALF)))
    m.step(
        "A non-zero, non-top eigenvalue lies in [gamma, 1 - gamma] lambda_1, so that one step at "
        "the critical rate shrinks its component by 1 - 2 gamma at least; at rates near it by "
        "1 - 1.9 gamma, for eta small."
    )
    factor = 1 - n.mu * curvature
    for bound_of in (factor, -factor):
        follows = m.decide(Inequality(bound_of, "<=", 1 - 2 * n.gamma)).outcome == "holds"
        if not follows and "gap" not in m.withheld:
            raise ArithmeticError("the spectral bound of Lemma L.1 does not follow")
    if general:
        share = scalar("share", nonnegative=True)
        m.define(n.nzt0, n.r * n.eta * share)
    shrink = scalar("shrink", r"\varsigma", nonnegative=True)
    m.assume(Inequality(shrink, "<=", 1 - Fraction(19, 10) * n.gamma), by="gap")
    if general:
        m.step("An eigenvalue of lambda_1/2 is annihilated: no equality holds in general.")
        quarter = Fraction(1, 4)
        m.example(
            {
                n.gamma: quarter,
                n.lam: 2,
                n.K: 1,
                shrink: 0,
                share: 1,
                curvature: 1,
                n.H: _diagonal(2, 1, 0),
                n.P0: _diagonal(0, 0, 1),
                n.v1: (1, 0, 0),
                **{scalar(f"part_{length.name}"): 0 for length, _ in later},
                vector("direction", D, r"\hat x"): (1, 0, 0),
            }
        )
    for length, steps in later:
        part = scalar(f"part_{length.name}")
        m.assume(Inequality(part, "<=", as_expr(1)))
        m.assume(Inequality(part, ">=", as_expr(-1)))
        after = shrink**steps * n.nzt0 + n.K * part * rest
        m.assume(Inequality(after, ">=", n.ZERO))
        m.define(length, after)


def _diagonal(*entries: int) -> tuple[tuple[int, ...], ...]:
    return tuple(
        tuple(e if i == j else 0 for j in range(len(entries))) for i, e in enumerate(entries)
    )


def two(m: Model, sphere: bool, read: bool = True) -> None:
    """Two steps from an aligned state (Lemmas H.11, H.20, L.4 to L.6)."""
    shared(m, _two, sphere, read)


def one(m: Model, sphere: bool, read: bool = True) -> None:
    """One step from a bounded state (Lemmas H.9 and L.2)."""
    shared(m, _one, sphere, read)


def _two(m: Model, sphere: bool, read: bool) -> None:
    walk = Walk(m, sphere, *aligned(m, sphere))
    walk.take(n.rate0, n.gbar0, n.xhat1, n.uhat1)
    walk.take(n.rate1, n.gbar1, n.xhat2, n.uhat2)
    m.define(n.hhat2, dot(n.v1, n.xhat2) / n.eta)
    m.define(n.psi_v1, quadratic(n.v1, sphere))
    if read:
        walk.read(walk.land(n.xhat2, n.phi2, n.x2), n.x2, n.h2, n.u2)


def _one(m: Model, sphere: bool, read: bool) -> None:
    walk = Walk(m, sphere, *scattered(m, sphere, read))
    walk.take(n.rate0, n.gbar0, n.xhat1, n.uhat1)
    m.define(n.hhat1, dot(n.v1, n.xhat1) / n.eta)
    if read:
        walk.read(walk.land(n.xhat1, n.phi1, n.x1), n.x1, n.h1, n.u1)
