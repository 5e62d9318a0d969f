r"""Several directions at the edge: letters, two exact steps of gradient descent, and real steps.

    theta - theta* = U x + w,   U^T U = I,   U^T w = 0,   H U = U ((2/eta) I + r K),
    x = r xi,   w = r omega,   grad L(theta*) = r^2 g.

All sizes are symbols: d parameters, k directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

from eostheory.agree.torch import Rounding
from eostheory.formula import Expr, dot, eye, form, matrix, scalar, vector
from eostheory.numeric.autodiff import gradient, hessian_vector, third
from eostheory.numeric.losses import Draw
from eostheory.numeric.toys import symmetric

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.symbolic import Model

eta = scalar("eta", r"\eta", positive=True)
r = scalar("r", "r", positive=True)
U = matrix("U", "d", "k", "U")
K = matrix("K", "k", "k", "K", symmetric=True)
H = matrix("hess_L", "d", "d", r"\nabla^2 L", symmetric=True)
T = form("T", "d", 2, r"\nabla^3 L")
gradL = vector("grad_L", "d", r"\nabla L")
g = vector("g", "d", "g")
"""The gradient at the reference point is ``r^2 g``."""
xi = vector("xi", "k", r"\xi")
omega = vector("omega", "d", r"\omega")
bend = vector("bend", "k", r"U^T \nabla^3 L(\omega, \omega)")
x = vector("x", "k", "x_t")
w = vector("w", "d", "w_t")
x_two = vector("x_two", "k", "x_{t+2}")
a = vector("a", "k", "a")
b = vector("b", "k", "b")
"""Any two vectors: ``Y(a, b)`` for all of them is the matrix Y."""
y = scalar("y", "Y_t(a, b)")
y_two = scalar("y_two", "Y_{t+2}(a, b)")

EDGE = {"edge": "H U = U ((2/eta) I + r K)"}
KERNEL = {"kernel": "H w = 0"}
SLOPE = {"slope in the kernel": "H s_ab = 0"}
TRANSVERSE = {"transverse": "T(w, w) lies in the span of U"}


def across(v: Expr) -> Expr:
    """``(I - U U^T) v``."""
    return v - U @ (U.T @ v)


s_ab = across(T(U @ a, U @ b))


# -------------------------------------------------------------------------------- derivation
def reference(m: Model) -> None:
    """The reference point and a displacement of size r."""
    m.fully_symmetric(T)
    m.relation(U.T @ U, eye("k"), by="orthonormal")
    m.relation(H @ U, (2 / eta) * U + r * (U @ K), by="edge")
    m.relation(U.T @ omega, 0 * a, by="w across U")
    m.relation(H @ omega, 0 * omega, by="kernel")
    m.bound(eta)
    m.bound(r)
    m.define(gradL, r**2 * g)
    m.define(x, r * xi)
    m.define(w, r * omega)


def two_steps(m: Model) -> Expr:
    """The displacement after two steps of gradient descent, by Taylor's formula."""
    shift = U @ x + w
    for name in ("first", "second"):
        slope = gradL + H @ shift + T(shift, shift) / 2 + r**3 * m.landau(f"rest_{name}", ("d",))
        shift = shift - eta * slope
    m.step("Taylor's formula for the gradient, twice; the remainder is of third order")
    return shift


# -------------------------------------------------------------------------------- simulation
SCALES = [4.0**-e for e in range(2, 8)]


@dataclass(frozen=True)
class Block:
    """A drawn quartic in coordinates of which the first k are U, and then its kernel."""

    eta: float
    k: int
    flat: int
    g: Tensor
    K: Tensor
    bulk: Tensor
    T: Tensor
    rows: Tensor

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return len(self.g)

    def hessian(self, scale: float, tilt: Tensor | None = None) -> Tensor:
        """At the reference point; call it where roundings are counted."""
        edge = 2 / torch.tensor(self.eta, dtype=torch.float64)
        place = torch.eye(self.dim, dtype=torch.float64)[:, : self.k]
        found = self.bulk + place @ (edge * torch.eye(self.k, dtype=torch.float64)) @ place.T
        found = found + place @ (scale * self.K) @ place.T
        return found if tilt is None else found + tilt

    def loss(self, scale: float, tilt: Tensor | None = None) -> Any:
        """The loss as a function of the displacement."""
        slope, bent = scale**2 * self.g, self.hessian(scale, tilt)

        def function(d: Tensor) -> Tensor:
            cubic = torch.dot((self.T.reshape(-1, self.dim) @ d).reshape(self.T.shape[:2]) @ d, d)
            quartic = ((self.rows @ d) ** 4).sum()
            return torch.dot(slope, d) + torch.dot(d, bent @ d) / 2 + cubic / 6 + quartic / 24

        return function

    def rule(self) -> Rule:
        """The predicted dynamics around the origin; call it where roundings are counted."""
        function, origin = self.loss(1.0), torch.zeros(self.dim, dtype=torch.float64)
        place = torch.eye(self.dim, dtype=torch.float64)[: self.k]
        bends = [[third(function, origin, u, v) for v in place] for u in place]
        return Rule(
            self.eta,
            self.k,
            across_first(gradient(function, origin), self.k),
            torch.stack([torch.stack([across_first(s, self.k) for s in row]) for row in bends]),
            self.K,
            lambda w: across_first(hessian_vector(function, origin, w), self.k),
        )


@dataclass(frozen=True)
class Rule:
    """Derivatives at the reference point, by autograd, and the step that is made of them."""

    eta: float
    k: int
    slope: Tensor
    """The gradient across U, (d,)."""
    slopes: Tensor
    """``s_ij``, (k, k, d)."""
    excess: Tensor
    bent: Callable[[Tensor], Tensor]
    """The Hessian across U."""

    def block(self, w: Tensor) -> Tensor:
        """Y at a displacement across U, (k, k)."""
        return self.excess + self.slopes @ w

    def step(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """x and w after one step of the predicted dynamics."""
        push = (x[:, None, None] * (x[None, :, None] * self.slopes)).sum(0).sum(0)
        moved = w - self.eta * (self.slope + self.bent(w) + push / 2)
        return -x - self.eta * (self.block(w) @ x), moved

    def gained(self, left: Tensor, right: Tensor) -> Tensor:
        """``A(a, b)``."""
        return -torch.dot(self.slope, self.between(left, right))

    def lost(self, left: Tensor, right: Tensor, x: Tensor) -> Tensor:
        """``B[x x^T](a, b)``."""
        return torch.dot(self.between(x, x), self.between(left, right))

    def between(self, left: Tensor, right: Tensor) -> Tensor:
        """``s_ab``, (d,)."""
        return (left[:, None, None] * (right[None, :, None] * self.slopes)).sum(0).sum(0)


def across_first(v: Tensor, k: int) -> Tensor:
    """Without the first k entries."""
    return v * (torch.arange(len(v)) >= k).double()


def drawn_block(
    sample: Sample, *, slopes_flat: bool, transverse: bool, k: int | None = None
) -> Block:
    """A generic loss with k directions near the edge; drawn, if k is not given."""
    k = sample.draw(st.integers(1, 3), "k") if k is None else k
    flat = sample.draw(st.integers(1, 3), "dimension of the kernel")
    rest = sample.draw(st.integers(1, 3), "dimension of the bulk")
    rate = sample.draw(st.sampled_from([0.25, 0.5, 1.0, 2.0]), "eta")
    draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
    dim = k + flat + rest
    cubic = symmetric(draw.normal(dim, dim, dim))
    kernel, bulk = slice(k, k + flat), slice(k + flat, dim)
    if slopes_flat:
        for axes in ((bulk, slice(k), slice(k)), (slice(k), bulk, slice(k)), (slice(k),) * 2):
            cubic[axes if len(axes) == 3 else (*axes, bulk)] = 0.0
    if transverse:
        every = slice(k, dim)
        cubic[kernel, kernel, every] = 0.0
        cubic[kernel, every, kernel] = 0.0
        cubic[every, kernel, kernel] = 0.0
    stiff = torch.zeros(dim, dim, dtype=torch.float64)
    stiff[bulk, bulk] = torch.diag(draw.uniform(0.3, 1.6, rest) / rate)
    return Block(
        rate, k, flat, draw.normal(dim), symmetric(draw.normal(k, k)), stiff, cubic,
        0.5 * draw.normal(2, dim),
    )  # fmt: skip


def run(sample: Sample, asks: tuple[str, ...]) -> None:
    """Two real steps from displacements closer and closer to the reference point."""
    met = {name: name not in asks or sample.holds(name) for name in (*EDGE, *KERNEL, *SLOPE)}
    block = drawn_block(
        sample,
        slopes_flat="slope in the kernel" in asks and met["slope in the kernel"],
        transverse="transverse" in asks and sample.holds("transverse"),
    )
    draw = Draw(sample.draw(st.integers(0, 2**20), "displacement"))
    k, dim = block.k, block.dim
    ahead, aside = draw.uniform(0.5, 1.5, k), torch.zeros(dim, dtype=torch.float64)
    end = k + block.flat if met["kernel"] else dim
    aside[k:end] = draw.normal(end - k)
    left, right = draw.normal(k), draw.normal(k)
    tilt = None if met["edge"] else symmetric(0.1 * draw.normal(dim, dim))
    place = torch.eye(dim, dtype=torch.float64)[:, :k]
    for scale in SCALES:
        start = torch.cat([scale * ahead, torch.zeros(dim - k, dtype=torch.float64)])
        start = start + scale * aside
        with Rounding() as rounding:
            function = block.loss(scale, tilt)
            here = start
            for _ in range(2):
                here = here - block.eta * gradient(function, here)
            bent = (block.T.reshape(-1, dim) @ (place @ left)).reshape(dim, dim) @ (place @ right)
            height = torch.dot(left, scale * (block.K @ right))
            heights = [height + torch.dot(bent[k:], v[k:]) for v in (start, here)]
            measured = {x_two: here[:k], y: heights[0], y_two: heights[1]}
            table = {letter: rounding(value) for letter, value in measured.items()}
        given = {eta: block.eta, r: scale, U: place, K: block.K, T: block.T.numpy(), a: left,
                 b: right, x: start[:k], gradL: scale**2 * block.g}  # fmt: skip
        aside_now = start.clone()
        aside_now[:k] = 0.0
        sample.observe({**given, **table, w: aside_now}, scale=scale)


def block_of(w_at: Expr) -> Expr:
    """``Y(a, b)`` at a displacement across U."""
    return r * dot(a, K @ b) + dot(T(U @ a, U @ b), w_at)
