"""Short names for building formulas: ``scalar("eta")``, ``dot(u, v)``, ``log(x)``."""

from __future__ import annotations

from eostheory.formula.nodes import (
    Dim,
    Dot,
    Expr,
    FormSymbol,
    Function,
    Identity,
    Norm,
    Operand,
    Outer,
    Power,
    Symbol,
    Trace,
    as_expr,
)


def scalar(name: str, latex: str = "", **traits: bool) -> Symbol:
    """A scalar symbol; ``traits`` among positive, nonnegative, nonzero, integer."""
    known = {"positive", "nonnegative", "nonzero", "integer"}
    if unknown := set(traits) - known:
        raise ValueError(f"unknown traits {sorted(unknown)} of {name}; known: {sorted(known)}")
    return Symbol(name, (), latex, frozenset(k for k, on in traits.items() if on))


def vector(name: str, dim: Dim, latex: str = "") -> Symbol:
    """A vector symbol of size ``dim``."""
    return Symbol(name, (dim,), latex)


def matrix(name: str, rows: Dim, cols: Dim, latex: str = "", symmetric: bool = False) -> Symbol:
    """A matrix symbol; ``symmetric`` only for square ones."""
    if symmetric and rows != cols:
        raise ValueError(f"{name} of shape ({rows}, {cols}) cannot be symmetric")
    return Symbol(name, (rows, cols), latex, frozenset({"symmetric"} if symmetric else ()))


def form(name: str, dim: Dim, arity: int = 2, latex: str = "") -> FormSymbol:
    """A symmetric multilinear map from ``arity`` vectors of size ``dim`` to one such vector."""
    return FormSymbol(name, dim, arity, latex)


def eye(dim: Dim) -> Expr:
    """The identity matrix."""
    return Identity(dim)


def dot(left: Expr, right: Expr) -> Expr:
    """Inner product of two vectors."""
    return Dot(left, right)


def norm(arg: Expr) -> Expr:
    """Euclidean (Frobenius) norm."""
    return Norm(arg)


def norm2(arg: Expr) -> Expr:
    """Squared norm."""
    return Power(Norm(arg), as_expr(2))


def trace(arg: Expr) -> Expr:
    """Trace of a square matrix."""
    return Trace(arg)


def outer(left: Expr, right: Expr) -> Expr:
    """The matrix ``left right^T``."""
    return Outer(left, right)


def _function(name: str, arg: Operand) -> Expr:
    return Function(name, as_expr(arg))


def log(arg: Operand) -> Expr:
    """Natural logarithm."""
    return _function("log", arg)


def exp(arg: Operand) -> Expr:
    """Exponential."""
    return _function("exp", arg)


def sqrt(arg: Operand) -> Expr:
    """Non-negative square root."""
    return _function("sqrt", arg)


def absolute(arg: Operand) -> Expr:
    """Absolute value."""
    return _function("abs", arg)


def sign(arg: Operand) -> Expr:
    """Sign: -1, 0 or 1."""
    return _function("sign", arg)


def lambertw(arg: Operand, branch: int = 0) -> Expr:
    """Lambert W on the real branch 0 or -1."""
    if branch not in (0, -1):
        raise ValueError(f"branch {branch} of Lambert W is not real; use 0 or -1")
    return _function("lambertw" if branch == 0 else "lambertwm1", arg)
