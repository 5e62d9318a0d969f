"""Hessians, gradient flows, scale invariance and what a planar field conserves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import sympy
from sympy import ImmutableMatrix as Matrix

from eostheory.derive.errors import DerivationError
from eostheory.derive.judge import Judge, Scope, read
from eostheory.derive.losses import derivatives, parameters, smoothness
from eostheory.derive.result import Derived, Hypothesis, renamed
from eostheory.symbolic.orbits import lotka_volterra
from eostheory.symbolic.vectorfield import (
    VectorField,
    equilibria,
    first_integral,
    frequency_squared,
    linearise,
)


# ---------------------------------------------------------------------------- Hessians
@dataclass(frozen=True)
class LossDerivatives(Derived):
    """Value, gradient and Hessian of a loss, at a point or as functions of the parameters."""

    title: ClassVar[str] = "derivatives of the loss"
    shown: ClassVar[Mapping[str, str]] = {
        "value": "L",
        "gradient": r"\nabla L",
        "hessian": r"\nabla^2 L",
    }

    params: tuple[sympy.Symbol, ...]
    value: sympy.Expr
    gradient: Matrix
    hessian: Matrix
    hypotheses: tuple[Hypothesis, ...]


def hessian(
    loss: sympy.Expr,
    params: Sequence[sympy.Symbol],
    *,
    at: Mapping[sympy.Symbol, Any] | None = None,
) -> LossDerivatives:
    """Gradient and Hessian of a loss; nothing is asked of its eigenvalues."""
    params, point = parameters(params, at)
    expr = read(loss, "the loss")
    scope = Scope([expr, *params, *point.values()])
    judge = Judge()
    inner = [scope.enter(p) for p in params]
    table = {scope.enter(k): scope.enter(v) for k, v in point.items()}
    body = scope.enter(expr)
    smooth = smoothness(body, inner, table, judge)
    gradient, matrix, _ = derivatives(body, inner, table)
    found = LossDerivatives(
        params=tuple(inner),
        value=judge.tidy(body.subs(table, simultaneous=True)),
        gradient=judge.tidy_matrix(gradient),
        hessian=judge.tidy_matrix(matrix),
        hypotheses=smooth,
    )
    result: LossDerivatives = renamed(found, scope.outside)
    return result


# ---------------------------------------------------------------------- scale invariance
@dataclass(frozen=True)
class ScaleInvariance(Derived):
    """Whether ``L(c w) = L(w)`` (None: not decided), and what follows for the derivatives."""

    title: ClassVar[str] = "scale invariance"
    shown: ClassVar[Mapping[str, str]] = {
        "invariant": r"L(cw) = L(w)",
        "radial_slope": r"\langle\nabla L, w\rangle",
        "hessian_on_weight": r"\nabla^2 L\, w",
        "gradient": r"\nabla L",
    }

    params: tuple[sympy.Symbol, ...]
    invariant: bool | None
    radial_slope: sympy.Expr
    hessian_on_weight: Matrix
    gradient: Matrix
    hypotheses: tuple[Hypothesis, ...]


def scale_invariance(loss: sympy.Expr, params: Sequence[sympy.Symbol]) -> ScaleInvariance:
    """Check ``L(c w) = L(w)`` for every ``c > 0``, and the identities that follow from it.

    They are: no radial slope, ``grad L(c w) = grad L(w) / c`` and ``Hess L(w) w = -grad L(w)``.
    Where the loss is not invariant, they are reported as failing or unknown.
    """
    params, _ = parameters(params, None)
    expr = read(loss, "the loss")
    scope = Scope([expr, *params])
    inner, body = [scope.enter(p) for p in params], scope.enter(expr)
    factor = sympy.Symbol("_c", positive=True)
    scaled = {p: factor * p for p in inner}
    judge = Judge()
    gradient, matrix, _ = derivatives(body, inner, {})
    weight = Matrix(inner)
    slope = judge.tidy((gradient.T * weight)[0])
    moved = judge.tidy_matrix(matrix * weight)
    change = body.subs(scaled, simultaneous=True) - body

    def identity(text: str, entries: Sequence[sympy.Expr]) -> Hypothesis:
        return Hypothesis(text, judge.identity(entries, [factor, *inner]))

    far = gradient.subs(scaled, simultaneous=True) * factor - gradient
    hypotheses = (
        identity("L(c w) = L(w) for all c > 0", [change]),
        identity("<grad L, w> = 0 (Euler)", [slope]),
        identity("grad L(c w) = grad L(w)/c", list(far)),
        identity("Hess L(w) w = -grad L(w)", list(moved + gradient)),
    )
    invariant = {"holds": True, "fails": False}.get(hypotheses[0].status)
    found = ScaleInvariance(
        tuple(inner), invariant, slope, moved, judge.tidy_matrix(gradient), hypotheses
    )
    result: ScaleInvariance = renamed(found, scope.outside)
    return result


# ------------------------------------------------------------------------------- flows
@dataclass(frozen=True)
class Flow(Derived):
    """``d coords / dt = speeds``; for a planar field also what is known about its orbits.

    ``invariant`` is a conserved quantity, ``equilibria`` the points at rest, ``frequencies`` the
    squared frequencies at those that are centres, ``lotka_volterra`` the monomials in which the
    field is of that form.
    """

    title: ClassVar[str] = "flow"
    shown: ClassVar[Mapping[str, str]] = {
        "coords": "x",
        "speeds": r"\dot x",
        "invariant": "I",
        "equilibria": "x_*",
        "frequencies": r"\omega^2",
        "lotka_volterra": "U",
    }

    coords: tuple[sympy.Symbol, ...]
    speeds: Matrix
    invariant: sympy.Expr | None
    method: str
    equilibria: tuple[tuple[sympy.Expr, ...], ...]
    frequencies: tuple[sympy.Expr, ...]
    lotka_volterra: tuple[sympy.Expr, ...]
    hypotheses: tuple[Hypothesis, ...]

    @property
    def params(self) -> tuple[sympy.Symbol, ...]:
        """The coordinates: the leading inputs of torch functions."""
        return self.coords

    def linear_part(self, point: Sequence[sympy.Expr]) -> Matrix:
        """The Jacobian at a point."""
        return Matrix(linearise(VectorField(self.coords, tuple(self.speeds)), list(point)))

    def _why(self, name: str) -> str:
        return "no conserved quantity was found"


def vector_field(
    coords: Sequence[sympy.Symbol], speeds: Sequence[sympy.Expr], *, orbits: bool = True
) -> Flow:
    """A vector field; a planar one is searched for what it conserves and where it rests.

    Conserved quantities, equilibria and frequencies are found by search and accepted by the
    kernel.

    Args:
        orbits: search; otherwise the field is only held.
    """
    coords, _ = parameters(coords, None)
    exprs = [read(s, "a speed") for s in speeds]
    if len(exprs) != len(coords):
        raise DerivationError(f"{len(coords)} coordinates but {len(exprs)} speeds")
    scope = Scope([*exprs, *coords])
    judge = Judge()
    inner = tuple(scope.enter(c) for c in coords)
    field = VectorField(inner, tuple(judge.tidy(scope.enter(s)) for s in exprs))
    found: Flow = renamed(_orbits(field, judge, orbits), scope.outside)
    return found


def _orbits(field: VectorField, judge: Judge, search: bool) -> Flow:
    hypotheses = list(smoothness(sympy.Add(*field.speeds), field.coords, {}, judge))
    invariant: sympy.Expr | None = None
    method = ""
    rest: list[tuple[sympy.Expr, ...]] = []
    frequencies: list[sympy.Expr] = []
    monomials: tuple[sympy.Expr, ...] = ()
    if search and len(field.coords) == 2:
        conserved = _quietly(lambda: first_integral(field))
        if conserved is not None:
            invariant, method = conserved.value, conserved.method
            hypotheses.append(Hypothesis(f"dI/dt = 0 ({method})", "holds"))
        rest = _quietly(lambda: equilibria(field)) or []
        for point in rest:
            square = frequency_squared(field, point)
            centre = square is not None and judge.status(
                sympy.StrictGreaterThan(square, 0, evaluate=False)
            )
            if centre == "holds":
                frequencies.append(square)
        form = _quietly(lambda: lotka_volterra(field))
        monomials = form.monomials if form is not None and form.planar else ()
    return Flow(
        coords=field.coords,
        speeds=Matrix(field.speeds),
        invariant=invariant,
        method=method,
        equilibria=tuple(rest),
        frequencies=tuple(frequencies),
        lotka_volterra=monomials,
        hypotheses=tuple(hypotheses),
    )


def _quietly(search: Any) -> Any:
    """What a search finds; None where sympy or the language of formulas gives up."""
    try:
        return search()
    except (NotImplementedError, TypeError, ValueError, sympy.PolynomialError, KeyError):
        return None


def flow(
    loss: sympy.Expr, params: Sequence[sympy.Symbol], *, sphere: bool = False, orbits: bool = True
) -> Flow:
    """Gradient flow of a loss, in the space of its parameters or on the unit sphere.

    On the sphere the field is ``-(I - w w^T) grad L``; that the sphere is invariant is checked.
    """
    params, _ = parameters(params, None)
    body = read(loss, "the loss")
    gradient = [sympy.diff(body, p) for p in params]
    if not sphere:
        return vector_field(params, [-g for g in gradient], orbits=orbits)
    radial = sympy.Add(*(p * g for p, g in zip(params, gradient, strict=True)))
    speeds = [-g + radial * p for p, g in zip(params, gradient, strict=True)]
    found = vector_field(params, speeds, orbits=orbits)
    # <w, w'> = -(1 - |w|^2) <w, grad L> vanishes on the sphere
    norm = sympy.Add(*(p**2 for p in params))
    outward = sympy.Add(*(p * s for p, s in zip(params, speeds, strict=True)))
    scope = Scope([body, *params])
    if not Judge().zero(scope.enter(outward + (1 - norm) * radial)):
        raise ArithmeticError("the flow leaves the sphere")
    extra = Hypothesis("|w| = 1 at the start; then it stays so", "given")
    return renamed_hypotheses(found, (*found.hypotheses, extra))


def renamed_hypotheses(found: Flow, hypotheses: tuple[Hypothesis, ...]) -> Flow:
    """The same flow with other hypotheses."""
    from dataclasses import replace

    return replace(found, hypotheses=hypotheses)
