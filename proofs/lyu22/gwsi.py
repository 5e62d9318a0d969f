r"""Gradient descent with weight decay on a scale-invariant loss.

Setting:  L is twice differentiable off the origin and L(c w) = L(w) for every c > 0;
          w' = (1 - eta lambda) w - eta grad L(w), and theta = w / |w|.
Claims:   the gradient is homogeneous of degree -1 and orthogonal to w, the Hessian is homogeneous
          of degree -2 and maps w to minus the gradient (Lemma D.1); theta does projected gradient
          descent with an effective learning rate (Lemma 3.1); the squared norm has a recursion of
          its own (Lemma E.1, eq. 13).
Source:   Lyu, Li, Arora, arXiv:2206.07085, section 3 and appendices D.2 and E.1.

The derivation differentiates the identity L(c w) = L(w) with the gradient and the Hessian as
unknowns; it never writes a loss down.  The simulation runs the update by autograd on losses
of unlike families.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Expr,
    Predicate,
    as_expr,
    dot,
    matrix,
    norm,
    norm2,
    scalar,
    substitute,
    vector,
)

from ._gwsi import (
    FEW,
    INVARIANT,
    SHRINKS,
    D,
    effective_rate,
    either_sign,
    eta_hat,
    grad_theta,
    grad_w,
    lam_hat,
    project,
    real_step,
    solved,
    theta,
    theta_next,
    w,
    w_next,
)
from ._run import Drawn, Setup, draw_loss, draw_setup, length_of_run, reader, run

if TYPE_CHECKING:
    from eostheory.agree import Measured, Sample
    from eostheory.symbolic import Decision, Model

c = scalar("c", positive=True)
grad_cw = vector("grad_cw", D, r"\nabla\mathcal{L}(cw)")
hessian_w = matrix("hessian_w", D, D, r"\nabla^2\mathcal{L}(w)", symmetric=True)
hessian_cw = matrix("hessian_cw", D, D, r"\nabla^2\mathcal{L}(cw)", symmetric=True)
loss_theta = scalar("loss_theta", r"\mathcal{L}(\theta_t)")


# ------------------------------------------------------------------------- Lemma D.1
homogeneous_gradient = Equation(grad_cw, c**-1 * grad_w)
homogeneous_hessian = Equation(hessian_cw, c**-2 * hessian_w)
lemma_d1 = {
    "1, homogeneous": homogeneous_gradient,
    "1, perpendicular": Equation(dot(grad_w, w), as_expr(0)),
    "2": homogeneous_hessian,
    "3": Equation(hessian_w @ w, -grad_w),
}
lemma_d1_p2 = {
    "in c": Equation(dot(grad_cw, w), as_expr(0)),
    "in w": Equation(hessian_w @ w + grad_w, 0 * w),
}


def differentiate_the_identity(m: Model) -> None:
    """L(c w) = L(w) for all w and c > 0, differentiated in w, twice, in c, and in c and w."""
    y = vector("y", D)
    m.step("in w along any y: <grad(cw), D(cw) y> = <grad(w), y>")
    inner = m.differentiate(c * w, w, y)
    in_w = m.gradient(dot(grad_cw, inner) - dot(grad_w, y), y)
    m.step("again in w along y; the derivative of a gradient is a Hessian")
    twice = substitute(in_w, {grad_cw: hessian_cw @ inner, grad_w: hessian_w @ y})
    in_ww = m.hessian(dot(y, twice), y)
    m.step("in c: <grad(cw), d(cw)/dc> = 0, and then at c = 1")
    in_c = dot(grad_cw, m.differentiate(c * w, c, as_expr(1)))
    at_one = substitute(in_c, {grad_cw: grad_w})
    m.step("the last one in w along any y: <Hess(w) y, w> + <grad(w), y> = 0")
    in_cw = m.gradient(dot(hessian_w @ y, w) + dot(grad_w, y), y)
    gradient, hessian = solved(m, in_w, grad_cw), solved(m, in_ww, hessian_cw)
    m.relation(grad_w, solved(m, in_cw, grad_w), by="scale_invariant")
    m.relation(grad_cw, gradient, by="scale_invariant")
    m.relation(hessian_cw, hessian, by="scale_invariant")
    m.relation(at_one, 0, by="scale_invariant")
    if "scale_invariant" not in m.withheld:
        h = ((4, 0), (0, -1))
        halved = ((1, 0), (0, Fraction(-1, 4)))
        m.example({c: 2, w: (1, 2), grad_w: (-4, 2), grad_cw: (-2, 1), hessian_w: h,
                   hessian_cw: halved})  # fmt: skip


def measure_derivatives(sample: Sample) -> None:
    """Gradient and Hessian by autograd at w and at c w."""
    drawn = draw_loss(sample, tilted=not sample.holds("scale_invariant"))
    size = 2.0 ** sample.draw(st.integers(-2, 2), "log2 |w|")
    factor = sample.draw(st.sampled_from([0.25, 0.75, 1.5, 2.0, 3.0, 8.0]), "c")
    point, at, at_scaled, second, second_scaled = derivatives(drawn, size, factor)
    sample.observe({c: factor, w: point, grad_w: at, grad_cw: at_scaled, hessian_w: second,
                    hessian_cw: second_scaled})  # fmt: skip


@lru_cache(maxsize=512)
def derivatives(drawn: Drawn, size: float, factor: float) -> list[Measured]:
    """A point, the gradients at it and at its multiple, and the Hessians there."""
    from eostheory.numeric.autodiff import gradient, hessian
    from eostheory.numeric.rounding import RunningError

    loss = drawn.loss
    point = loss.point(drawn.seed + 1, size)
    with RunningError() as running:
        scaled = factor * point
        found = (
            point,
            gradient(loss, point),
            gradient(loss, scaled),
            hessian(loss, point),
            hessian(loss, scaled),
        )
    return [*map(reader(running), found)]


# ------------------------------------------------------- Lemma 3.1, Lemma E.1 and eq. (13)
def projected(step: Expr, gradient: Expr) -> Equation:
    """theta' is the projection of theta less a step along a gradient."""
    return Equation(theta_next, project(theta - step * gradient))


lemma_31 = projected(effective_rate(), grad_theta)
lemma_31_p1 = projected(eta_hat / ((1 - eta_hat * lam_hat) * norm(w)), grad_w)
lemma_31_p2_printed = Predicate(
    "same vector", (grad_w, 1 / norm(w) * loss_theta), "are one and the same vector"
)
lemma_31_p2 = Equation(grad_w, 1 / norm(w) * grad_theta)
lemma_e1 = Equation(
    norm2(w_next),
    (1 - eta_hat * lam_hat) ** 2 * norm2(w) + eta_hat**2 / norm2(w) * norm2(grad_theta),
)
lemma_e1_p1 = Equation(
    norm2(w_next), (1 - eta_hat * lam_hat) ** 2 * norm2(w) + eta_hat**2 * norm2(grad_w)
)


def derive_bare_step(m: Model) -> None:
    """The exact step of any loss: nothing is known of the gradient."""
    real_step(m, invariant=False)


def derive_step(m: Model) -> None:
    """The exact step; and whether two expressions are one vector."""
    real_step(m)

    def same_vector(left: Expr, right: Expr) -> Decision:
        from eostheory.symbolic import Decision

        if left.shape != right.shape:
            shapes = {"left": str(left.shape), "right": str(right.shape)}
            return Decision("fails", method="shapes", witness={"how": "shapes", **shapes})
        return m.decide(Equation(left, right))

    m.predicate("same vector", same_vector)


def observe_run(sample: Sample, setup: Setup) -> None:
    """A long run by autograd; some steps of it are looked at closely."""
    found = run(setup, length_of_run(sample))
    for s in found.steps:
        sample.observe({eta_hat: setup.eta, lam_hat: setup.decay, w: s.w, w_next: s.w_next,
                        theta: s.theta, theta_next: s.theta_next, grad_w: s.grad_w,
                        grad_theta: s.grad_theta, loss_theta: s.loss_theta})  # fmt: skip
    line = {"label": "|w_t|", "x": list(range(len(found.norms))), "y": found.norms}
    sample.plot("Norm along gradient descent with weight decay", "step t", "|w_t|", [line],
                yscale="log")  # fmt: skip


def simulate_steps(sample: Sample) -> None:
    """Scale-invariant losses and weight decay that shrinks, unless the engine withholds it."""
    tilted, reversing = not sample.holds("scale_invariant"), not sample.holds("decay_below_one")
    observe_run(sample, draw_setup(sample, tilted=tilted, reversing=reversing))


def simulate_any_loss(sample: Sample) -> None:
    """Losses that are scale-invariant or not: the step itself does not care."""
    tilted, reversing = sample.draw(st.booleans(), "tilted"), not sample.holds("decay_below_one")
    observe_run(sample, draw_setup(sample, tilted=tilted, reversing=reversing))


def simulate_any_decay(sample: Sample) -> None:
    """Weight decay that shrinks or reverses: norms and gradients do not care."""
    tilted = not sample.holds("scale_invariant")
    reversing = sample.draw(st.booleans(), "eta lambda > 1")
    observe_run(sample, draw_setup(sample, tilted=tilted, reversing=reversing))

    def same_vector(left: Measured, right: Measured) -> bool:
        return left.shape == right.shape

    sample.predicate("same vector", same_vector)


CLAIMS = [
    Claim(
        "lyu22/lemma-D.1",
        examples=FEW,
        statement=lemma_d1,
        hypotheses=INVARIANT,
        derive=differentiate_the_identity,
        simulate=measure_derivatives,
    ),
    Claim(
        "lyu22/lemma-D.1.p1",
        examples=FEW,
        statement={"first": homogeneous_gradient, "again": homogeneous_hessian},
        hypotheses=INVARIANT,
        derive=differentiate_the_identity,
        simulate=measure_derivatives,
    ),
    Claim(
        "lyu22/lemma-D.1.p2",
        examples=FEW,
        statement=lemma_d1_p2,
        hypotheses=INVARIANT,
        derive=differentiate_the_identity,
        simulate=measure_derivatives,
    ),
    Claim(
        "lyu22/lemma-3.1",
        examples=FEW,
        statement=lemma_31,
        hypotheses=INVARIANT,
        corrected_hypotheses=SHRINKS,
        derive=derive_step,
        simulate=simulate_steps,
        waive=either_sign("-eta_hat*((1 - eta_hat*lambda_hat)*norm(w)**2)**(-1)*grad_theta"),
        reading="Pi(x) = x / |x| is written out. The proof divides by (1 - eta lambda)|w| inside "
        "Pi, which needs eta lambda < 1; with eta lambda > 1 the direction comes out reversed.",
    ),
    Claim(
        "lyu22/lemma-3.1.p1",
        examples=FEW,
        statement=lemma_31_p1,
        corrected_hypotheses=SHRINKS,
        derive=derive_bare_step,
        simulate=simulate_any_loss,
        reading="Holds for every loss; like Lemma 3.1 it needs eta lambda < 1.",
    ),
    Claim(
        "lyu22/lemma-3.1.p2",
        examples=FEW,
        statement=lemma_31_p2_printed,
        corrected=lemma_31_p2,
        hypotheses=INVARIANT,
        derive=derive_step,
        simulate=simulate_any_decay,
        reading="Printed with L(theta_t) where its gradient is meant: a vector on the left, a "
        "number times 1/|w| on the right. Both text conversions drop no other nabla there.",
    ),
    Claim(
        "lyu22/lemma-E.1",
        statement=lemma_e1,
        hypotheses=INVARIANT,
        derive=real_step,
        simulate=simulate_any_decay,
    ),
    Claim(
        "lyu22/eq-13",
        statement=lemma_e1,
        hypotheses=INVARIANT,
        derive=real_step,
        simulate=simulate_any_decay,
    ),
    Claim(
        "lyu22/lemma-E.1.p1",
        statement=lemma_e1_p1,
        hypotheses=INVARIANT,
        derive=real_step,
        simulate=simulate_any_decay,
    ),
]
