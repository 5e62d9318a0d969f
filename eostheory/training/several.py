r"""Predicted dynamics of several unstable directions at once, next to gradient descent.

At a reference point theta-dagger with orthonormal top directions U (rows, k of them), where the
gradient has no part along U, write ``theta = theta-dagger + U^T x + w`` with w across U.  Then

    x'  = -(I + eta Y) x,                     Y_ij = u_i^T H u_j - (2/eta) delta_ij + <s_ij, w>,
    w'  = P (I - eta H) P w - eta P grad L - (eta/2) sum_ij x_i x_j s_ij,

with ``s_ij = P D^3 L[u_i, u_j, .]`` and P the projection across U.  For k = 1 it is Definition 7 of
damian23, whose ``(delta^2 - x^2)/2`` splits the gradient into the part along ``s_11`` and the part
that moves the reference point.  Terms that are left out are of the order of what is kept, but
change sign with x or come back within two steps (claims ``engine/several.x-two-steps`` and
``.y-two-steps``), so that the error over ``1/eps`` steps is ``O(eps^2)`` where x is ``O(eps)``.

The displacement w carries the past, so that ``beta_{s->t}`` costs one product per step (or, if w
follows the gradient at theta-dagger + w itself, one gradient); the reference point is found anew
from the *predicted* point every few steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eostheory.curvature import Products
from eostheory.numeric.autodiff import LossFunction
from eostheory.numeric.dynamics import LIMIT
from eostheory.numeric.events import BecameNaN, Diverged, NoConvergence
from eostheory.numeric.objective import Objective
from eostheory.training.center import demand_third_derivatives
from eostheory.training.several_top import Top, TopPairs, aligned

Loss = LossFunction


@dataclass(frozen=True)
class BlockReference:
    """Taylor data of a loss at a reference point with k top directions.

    Attributes:
        point: (D,) theta-dagger.
        eta: learning rate.
        basis: (k, D), orthonormal rows that span the top eigenvectors.
        gradient: (D,), across the basis.
        slope: (k,), its part along the basis, which vanishes to ``residual``.
        excess: (k, k) symmetric, ``U H U^T - (2/eta) I``.
        slopes: (k, k, D), ``s_ij``: the gradients of the entries of the block, across the basis.
        next_value: the largest eigenvalue that is not in the block, or -inf.
        residual: largest ``|<u_i, grad L>| eta / 2``, the distance from the reference along U.
        products: Hessian-vector products that were used to find it.
    """

    point: Tensor
    eta: float
    basis: Tensor
    gradient: Tensor
    slope: Tensor
    excess: Tensor
    slopes: Tensor
    next_value: float
    residual: float
    products: int

    @property
    def k(self) -> int:
        """Number of directions."""
        return len(self.basis)

    @property
    def alpha(self) -> Tensor:
        """(k, k): how fast gradient flow raises the block, ``A_ij = -<grad L, s_ij>``."""
        return -(self.slopes @ self.gradient)

    @property
    def beta(self) -> Tensor:
        """(k, k, k, k): ``B_ij,kl = <s_ij, s_kl>``, how the oscillation lowers the block."""
        return torch.einsum("ijd,kld->ijkl", self.slopes, self.slopes)

    def limiting_covariance(self) -> Tensor:
        """(k, k): the least-squares solution Sigma of ``B[Sigma] = 2 A``.

        While the block stays bounded, the mean of ``x x^T`` over time tends to it (claim
        ``engine/several.mean``); so if it is not positive semidefinite, some direction leaves the
        edge.  For k = 1 it is ``delta^2`` of damian23, Definition 4.
        """
        rows, columns = torch.tril_indices(self.k, self.k, device=self.excess.device)
        # vectors of symmetric matrices with the Frobenius product: the others count twice
        root = torch.where(rows == columns, 1.0, 2.0).sqrt().to(self.excess)
        slopes = root[:, None] * self.slopes[rows, columns]
        inverse = torch.linalg.pinv(slopes @ slopes.T, hermitian=True)
        found = 2 * inverse @ (root * self.alpha[rows, columns]) / root
        sigma = torch.zeros_like(self.excess)
        sigma[rows, columns] = found
        sigma[columns, rows] = found
        return sigma

    def coordinates(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` of shape (k,) and ``w`` of shape (D,) of a point."""
        shift = theta - self.point
        x = self.basis @ shift
        return x, shift - x @ self.basis

    def block(self, w: Tensor) -> Tensor:
        """``Y`` at a displacement w across the basis, shape (k, k)."""
        return self.excess + self.slopes @ w


def block_reference(
    loss: Loss,
    near: Tensor,
    eta: float,
    k: int,
    *,
    basis: Tensor | None = None,
    pairs: TopPairs | None = None,
    tolerance: float = 1e-10,
    maximum: int = 20,
) -> BlockReference:
    """The reference point next to ``near``: Newton's method along the top k eigenvectors.

    Args:
        loss: a function of a flat (D,) tensor, or an ``Objective``.
        near: (D,) float64 or float32.
        eta: learning rate.
        k: number of directions, fewer than D.
        basis: (k, D), an earlier basis: the new one is turned to lie as close to it as can be.
        pairs: what finds the eigenvectors, to go on from earlier ones.
        tolerance: largest step along a top direction, relative to ``1 + |theta|``, at the end.

    Raises:
        ValueError: k outside 1 ... D - 1, or eta not positive.
        NoConvergence: not within ``maximum`` steps; there is no such point close by.
        BecameNaN, UnconvergedEigenpair: from the loss, or from its eigenvectors.
    """
    size = len(near)
    if not 1 <= k < size:
        raise ValueError(f"k = {k} directions of {size} parameters; give 1 <= k < {size}")
    if not eta > 0:
        raise ValueError(f"eta = {eta}: a learning rate is positive")
    finder = TopPairs() if pairs is None else pairs
    point, used, residual = near.detach().clone(), 0, float("inf")
    if near.dtype == torch.float32:
        tolerance = max(tolerance, 1e-5)
    allowed = tolerance * (1 + float(near.norm()))
    for _ in range(maximum):
        with Products(loss, point) as products:
            top: Top = finder(products, k)
            used += products.count
            slope = top.vectors @ products.gradient
            residual = float(slope.abs().max()) * eta / 2
            if residual <= allowed:
                return _reference(products, top, eta, basis, residual, used)
        steps = slope / top.values.abs().clamp_min(1 / eta)
        point = point - steps @ top.vectors
    raise NoConvergence("the reference point of several directions", residual, allowed)


def _reference(
    products: Products,
    top: Top,
    eta: float,
    basis: Tensor | None,
    residual: float,
    used: int,
) -> BlockReference:
    rows = top.vectors if basis is None else aligned(top.vectors, basis)
    turn = rows @ top.vectors.T
    block = (turn * top.values) @ turn.T
    k = len(rows)
    slopes = rows.new_zeros(k, k, rows.shape[1])
    for i in range(k):
        for j in range(i + 1):
            bend = products.third(rows[i], rows[j])
            slopes[i, j] = slopes[j, i] = bend - (rows @ bend) @ rows
    excess = (block + block.T) / 2 - (2 / eta) * torch.eye(k, dtype=rows.dtype, device=rows.device)
    slope = rows @ products.gradient
    gradient = products.gradient - slope @ rows
    return BlockReference(
        products.point, eta, rows, gradient, slope, excess, slopes, top.next_value, residual, used
    )


class SeveralDynamics:
    """The predicted dynamics of k directions, one :meth:`step` at a time.

    Args:
        loss: a function of a flat (D,) tensor, or an ``Objective``.
        start: (D,) where the prediction starts.
        eta: learning rate.
        k: number of directions; None for those within ``band`` of the edge, counted anew at every
            reference point (at least one, at most ``most``).
        every: steps between reference points; None keeps the first one.
        band: an eigenvalue is at the edge from ``(1 - band) 2/eta`` on.
        linear: w moves by ``grad L + H w``, one Hessian-vector product per step, as Definition 7 of
            damian23 has it; otherwise by the gradient at ``theta-dagger + w``, which agrees to
            leading order, costs less and errs less (in x too, as long as x is small).

    Attributes:
        reference: the reference point in force.
        x: (k,), w: (D,): the displacement from it.
        steps: how many were taken.
        products: Hessian-vector products so far.

    Gradients and curvature are those of the loss at reference points only: gradient descent itself
    is not run.  Where it has hardly begun to oscillate, the time of the outbreak depends on an x
    that is smaller than what Definition 7 leaves out, ``(eta/2) U D^3 L[w, w]``: take ``linear``
    false there, and ``every`` small.

    Raises:
        what :func:`block_reference` raises; ``Diverged`` and ``BecameNaN`` from :meth:`step`.
    """

    def __init__(
        self,
        loss: Loss,
        start: Tensor,
        eta: float,
        k: int | None = None,
        *,
        every: int | None = 10,
        band: float = 0.1,
        most: int = 8,
        linear: bool = False,
    ) -> None:
        if not eta > 0:
            raise ValueError(f"eta = {eta}: a learning rate is positive")
        if every is not None and every < 1:
            raise ValueError(f"every = {every}: at least one step between reference points")
        self.eta, self.every = eta, every
        self.k, self.band, self.most, self.linear = k, band, most, linear
        self.steps = self.products = 0
        self.x: Tensor
        self.w: Tensor
        self._age: int
        self._kept: Products | None
        self._pairs = TopPairs()
        demand_third_derivatives(loss, start)
        self.loss = Objective.of(loss, len(start), start.dtype, start.device)
        self._anchor(start.detach().clone(), None)

    @property
    def point(self) -> Tensor:
        """(D,): the predicted parameters."""
        here: Tensor = self.reference.point + self.x @ self.reference.basis + self.w
        return here

    @property
    def block(self) -> Tensor:
        """(k, k): ``Y``, the predicted block of the Hessian less 2/eta."""
        return self.reference.block(self.w)

    def eigenvalues(self) -> Tensor:
        """(k,), descending: the predicted eigenvalues of the block of the Hessian."""
        found: Tensor = torch.linalg.eigvalsh(self.block).flip(0) + 2 / self.eta
        return found

    def step(self) -> None:
        """One step of the predicted dynamics."""
        here = self.reference
        if self.every is not None and self._age >= self.every:
            self._anchor(self.point, here.basis)
            here = self.reference
        eta, x, w = self.eta, self.x, self.w
        if self._kept is None:
            _, gradient = self.loss.value_and_gradient(here.point + w)
        else:
            gradient = here.gradient + here.slope @ here.basis + self._kept(w)
            self.products += 1
        moved = w - eta * gradient - (eta / 2) * torch.einsum("i,j,ijd->d", x, x, here.slopes)
        # what there is of the gradient along the basis is kept: x may be smaller
        self.x = -(x + eta * (self.block @ x)) - eta * (here.basis @ gradient)
        self.w = moved - (here.basis @ moved) @ here.basis
        size = float(torch.cat([self.x, self.w]).norm())
        if size != size:
            raise BecameNaN(self.steps, "the predicted displacement")
        if size > LIMIT:
            raise Diverged(self.steps, size)
        self.steps += 1
        self._age += 1

    def _anchor(self, point: Tensor, basis: Tensor | None) -> None:
        count = self._wanted(point)
        self.reference = self._found(point, count, basis)
        self.products += self.reference.products
        self.x, self.w = self.reference.coordinates(point)
        self._kept = Products(self.loss, self.reference.point) if self.linear else None
        self._age = 0

    def _found(self, point: Tensor, count: int, basis: Tensor | None) -> BlockReference:
        while True:
            old = basis if basis is not None and len(basis) == count else None
            try:
                # the step keeps the slope that is left, so that it need not be small
                return block_reference(
                    self.loss, point, self.eta, count, basis=old, pairs=self._pairs, tolerance=1e-7
                )
            except NoConvergence:
                # eigenvalues at the end of the block may change places; take the next one in
                if self.k is not None or count >= min(self.most, len(point) - 1):
                    raise
                count += 1

    def _wanted(self, point: Tensor) -> int:
        if self.k is not None:
            return self.k
        with Products(self.loss, point, step=self.steps) as products:
            top = self._pairs.near_edge(products, self.eta, self.band, self.most)
            self.products += products.count
            return len(top.values)
