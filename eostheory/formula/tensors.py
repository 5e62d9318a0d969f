"""Nodes of linear algebra: products, norms, traces and multilinear maps."""

from __future__ import annotations

from dataclasses import dataclass, field

from eostheory.formula.core import Dim, Expr, Shape, ShapeError


@dataclass(frozen=True, repr=False)
class Identity(Expr):
    """The identity matrix of a (symbolic) size."""

    dim: Dim

    @property
    def shape(self) -> Shape:
        return (self.dim, self.dim)


@dataclass(frozen=True, repr=False)
class MatMul(Expr):
    """A chain of matrices, perhaps ending in a vector."""

    factors: tuple[Expr, ...]

    def __post_init__(self) -> None:
        for position, (a, b) in enumerate(zip(self.factors, self.factors[1:], strict=False)):
            last = position == len(self.factors) - 2
            fits = len(a.shape) == 2 and (len(b.shape) == 2 or (last and len(b.shape) == 1))
            if not fits or a.shape[1] != b.shape[0]:
                raise ShapeError(f"{a} of shape {a.shape} times {b} of shape {b.shape}")

    @property
    def shape(self) -> Shape:
        return (self.factors[0].shape[0], *self.factors[-1].shape[1:])

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.factors

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return MatMul(children)


@dataclass(frozen=True, repr=False)
class Transpose(Expr):
    """The transpose of a matrix."""

    arg: Expr

    def __post_init__(self) -> None:
        if len(self.arg.shape) != 2:
            raise ShapeError(f"transpose of {self.arg} of shape {self.arg.shape}")

    @property
    def shape(self) -> Shape:
        return (self.arg.shape[1], self.arg.shape[0])

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Transpose(*children)


@dataclass(frozen=True, repr=False)
class Dot(Expr):
    """The inner product of two vectors."""

    left: Expr
    right: Expr

    def __post_init__(self) -> None:
        if len(self.left.shape) != 1 or self.left.shape != self.right.shape:
            raise ShapeError(
                f"inner product of {self.left} of shape {self.left.shape} "
                f"and {self.right} of shape {self.right.shape}"
            )

    @property
    def shape(self) -> Shape:
        return ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.left, self.right)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Dot(*children)


@dataclass(frozen=True, repr=False)
class Norm(Expr):
    """The Euclidean norm of a vector, the Frobenius norm of a matrix."""

    arg: Expr

    def __post_init__(self) -> None:
        if self.arg.shape == ():
            raise ShapeError(f"norm of the scalar {self.arg}: use absolute()")

    @property
    def shape(self) -> Shape:
        return ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Norm(*children)


@dataclass(frozen=True, repr=False)
class Trace(Expr):
    """The trace of a square matrix."""

    arg: Expr

    def __post_init__(self) -> None:
        if len(self.arg.shape) != 2 or self.arg.shape[0] != self.arg.shape[1]:
            raise ShapeError(f"trace of {self.arg} of shape {self.arg.shape}")

    @property
    def shape(self) -> Shape:
        return ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Trace(*children)


@dataclass(frozen=True, repr=False)
class Outer(Expr):
    """The matrix ``left right^T`` of two vectors."""

    left: Expr
    right: Expr

    def __post_init__(self) -> None:
        if len(self.left.shape) != 1 or len(self.right.shape) != 1:
            raise ShapeError(f"outer product of {self.left} and {self.right}: both must be vectors")

    @property
    def shape(self) -> Shape:
        return (self.left.shape[0], self.right.shape[0])

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.left, self.right)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Outer(*children)


@dataclass(frozen=True)
class FormSymbol:
    """A symmetric multilinear map from ``arity`` vectors to one vector of the same size.

    The third derivative of a loss, contracted twice, is the standing example.
    """

    name: str
    dim: Dim
    arity: int
    latex: str = field(default="", compare=False)

    def __call__(self, *args: Expr) -> Expr:
        return Apply(self, args)


@dataclass(frozen=True, repr=False)
class Apply(Expr):
    """A symmetric multilinear map applied to vectors."""

    form: FormSymbol
    args: tuple[Expr, ...]

    def __post_init__(self) -> None:
        if len(self.args) != self.form.arity:
            raise ShapeError(
                f"{self.form.name} takes {self.form.arity} vectors, not {len(self.args)}"
            )
        for arg in self.args:
            if arg.shape != (self.form.dim,):
                raise ShapeError(
                    f"{self.form.name} acts on vectors of size {self.form.dim}, not {arg.shape}"
                )

    @property
    def shape(self) -> Shape:
        return (self.form.dim,)

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return Apply(self.form, children)


def matmul(left: Expr, right: Expr) -> Expr:
    """A flat chain of matrices."""
    first = left.factors if isinstance(left, MatMul) else (left,)
    second = right.factors if isinstance(right, MatMul) else (right,)
    return MatMul(first + second)


def transpose(arg: Expr) -> Expr:
    """The transpose; of a transpose, the matrix itself."""
    return arg.arg if isinstance(arg, Transpose) else Transpose(arg)
