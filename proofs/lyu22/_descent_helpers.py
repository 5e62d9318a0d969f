"""Steps that the derivations of ``gradient_descent_edge`` share."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eostheory.formula import Expr, Inequality, norm, scalar

from ._descent_letters import Psi, Psi_next, g, lam_max, loss_star, mu, path, rate

if TYPE_CHECKING:
    from eostheory.symbolic import Model


def tight(m: Model, share: Fraction, extra: dict[Any, Any]) -> None:
    """An exact instance on which the drop of the potential is almost the printed one.

    PL is an equation, Psi falls from 1 to 1 - 2^-12, and 1 - s lambda_max/2 is ``share``.
    """
    import sympy

    if m.withheld:
        return
    end = 1 - sympy.Rational(1, 4096)
    speed = 2 - 2 * sympy.Rational(share.numerator, share.denominator)
    square = (1 - end**2) * 2 / (speed * (2 - speed))
    exact = {Psi: 1, Psi_next: end, g: (sympy.sqrt(square),), mu: square / 2}
    m.example({**exact, rate: speed, lam_max: 1, loss_star: 0, **extra})


def grown_path(m: Model, weight: Expr, first: Expr, by: str) -> Expr:
    """The path one step longer, by induction: the drops of the potential telescope.

    The bound at t is weight * path <= first - Psi.  It holds for the empty path.
    """
    m.step("induction on t: the path to t + 1 is the path to t and one step")
    so_far = scalar("path_before", r"\sum_{\tau<t}", nonnegative=True)
    m.define(path, so_far + rate * norm(g))
    m.assume(Inequality(weight * so_far, "<=", first - Psi), by=by)
    a, b, c = (scalar(f"{k}_path", nonnegative=True) for k in "abc")
    x, y, z = (scalar(f"{k}_psi", nonnegative=True) for k in "xyz")
    m.lemma(
        "path",
        Inequality(a * (b + c), "<=", x),
        given=[Inequality(a * b, "<=", x - y), Inequality(a * c, "<=", y - z)],
        where={a: weight, b: so_far, c: rate * norm(g), x: first, y: Psi, z: Psi_next},
    )
    return so_far
