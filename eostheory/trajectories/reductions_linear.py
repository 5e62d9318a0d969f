"""Two-layer linear networks of any width: gradient descent closes on three Gram matrices.

``f(x) = A'Wx/sqrt(m)`` with squared error moves in ``(|A|^2, W'A, W'W)`` alone (li22, section 4
and appendix C).  The data enter by their singular value decomposition ``X = U diag(sigma) V'``:
only the part of ``W`` that acts on the span of the data is seen, so that the state has
``1 + r + r(r+1)/2`` variables for rank r, whatever the width m and the input dimension d.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import sympy
from sympy import Expr, Rational, Symbol

from eostheory.trajectories.reductions_base import (
    DECAY,
    ETA,
    Closed,
    Coefficients,
    Reduction,
    Sums,
    finite,
    real,
    top_eigenvalue,
)

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class TwoLayerLinear(Reduction):
    """Gradient descent on ``|X'W'A/sqrt(m) - Y|^2 / n`` in ``(|A|^2, U'W'A, U'W'WU)``.

    Args:
        X: inputs, one per column, (d, n) float64.
        Y: labels, (n,).
        width: number m of hidden neurons.
        normalized: the network carries ``1/sqrt(m)``.
        decay: the recurrence has the parameter ``weight_decay``.
        as_parameters: the data's coefficients are parameters of the recurrence, so that one
            compiled formula serves every data set of the same shape and rank.
    """

    X: Tensor
    Y: Tensor
    width: int
    normalized: bool = True
    decay: bool = True
    as_parameters: bool = False
    basis: Tensor = field(init=False, repr=False)
    """Left singular vectors U of the inputs, (d, r)."""
    singular: Tensor = field(init=False, repr=False)
    """Singular values, (r,), descending."""
    labels: Tensor = field(init=False, repr=False)
    """Labels in the right singular vectors, ``V'Y``, (r,)."""
    rest: float = field(init=False, repr=False)
    """``|Y - VV'Y|^2``: what no linear function can fit."""

    def __post_init__(self) -> None:
        import torch

        x, y = finite("inputs", self.X), finite("labels", self.Y)
        if x.dim() != 2 or y.shape != x.shape[1:]:
            raise ValueError(
                f"inputs {tuple(x.shape)} and labels {tuple(y.shape)}; expected (d, n) "
                "and (n,): one sample per column"
            )
        if self.width != int(self.width) or self.width < 1:
            raise ValueError(
                f"width = {self.width}; a network has a whole number of hidden neurons, "
                "at least one"
            )
        u, sigma, vh = torch.linalg.svd(x, full_matrices=False)
        cut = max(x.shape) * torch.finfo(torch.float64).eps * sigma[:1]
        rank = int((sigma > cut).sum())
        if rank == 0:
            raise ValueError("all inputs are zero: nothing to train on")
        v = vh[:rank].T
        z = v.T @ y
        missed = y - v @ z
        found = {"basis": u[:, :rank], "singular": sigma[:rank], "labels": z}
        for key, value in {**found, "rest": float(missed @ missed)}.items():
            object.__setattr__(self, key, value)

    @property
    def name(self) -> str:
        return "two_layer_linear"

    @property
    def model(self) -> str:
        d, n = self.X.shape
        decay = " with weight decay" if self.decay else ""
        return (
            f"gradient descent{decay} on |X'W'A{'/sqrt(m)' if self.normalized else ''} - Y|^2 / n: "
            f"m = {self.width} neurons, d = {d} inputs, n = {n} samples, rank {self.rank}"
        )

    @property
    def hypotheses(self) -> tuple[str, ...]:
        return ("squared error, one output, no biases", "full batch, one step size for all weights")

    @property
    def full(self) -> Mapping[str, tuple[int, ...]]:
        return {"A": (self.width,), "W": (self.width, self.X.shape[0])}

    @property
    def rank(self) -> int:
        """Rank r of the inputs."""
        return len(self.singular)

    @property
    def factor(self) -> float:
        """The network's factor c: ``1/sqrt(m)`` or one."""
        return float(self.width) ** -0.5 if self.normalized else 1.0

    @cached_property
    def closed(self) -> Closed:
        count = self.X.shape[1]
        c = self.factor
        coefficient = Coefficients(self.as_parameters)
        fits = [c * float(s) for s in self.singular]
        z = [float(v) for v in self.labels]
        return two_layer_recurrence(
            slopes=coefficient("slope", [2 * f * f / count for f in fits]),
            pulls=coefficient("pull", [2 * f * v / count for f, v in zip(fits, z, strict=True)]),
            fits=coefficient("fit", fits),
            labels=coefficient("label", z),
            rest=coefficient("rest", [self.rest])[0],
            count=count,
            decay=self.decay,
            coefficients=coefficient,
        )

    def loss(self, *full: Tensor) -> Tensor:
        a, w = full
        residual = self.factor * (a @ w @ self.X.to(a)) - self.Y.to(a)
        return (residual * residual).sum() / len(self.Y)

    def _reduced(self, *full: Tensor) -> Tensor:
        import torch

        a, w = full
        inner = w @ self.basis.to(w.device)
        along = (inner * a.unsqueeze(-1)).sum(-2)
        gram = inner.mT @ inner
        rows = [(a * a).sum(-1), *along.unbind(-1)]
        rows += [gram[..., i, j] for i, j in _pairs(self.rank)]
        return torch.stack(rows)

    def matrices(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``|A|^2`` (...), ``U'W'A`` (..., r) and ``U'W'WU`` (..., r, r) of states (n_state, ...).

        With ``U`` (:attr:`basis`) they give ``W'A`` and ``W'W`` on the span of the inputs.
        """
        import torch

        r = self.rank
        gram = torch.zeros(*states.shape[1:], r, r, dtype=states.dtype, device=states.device)
        for (i, j), entry in zip(_pairs(r), states[1 + r :], strict=True):
            gram[..., i, j] = entry
            gram[..., j, i] = entry
        return states[0], states[1 : 1 + r].movedim(0, -1), gram

    def gram_matrix(self, states: Tensor) -> Tensor:
        """The Gram matrix M of li22 (8) in the right singular vectors, (..., r, r).

        Its eigenvalues are the nonzero ones of M, the largest is the sharpness of li22.
        """
        import torch

        norm2, _, gram = self.matrices(states)
        sigma = self.singular.to(states.device)
        eye = torch.eye(self.rank, dtype=states.dtype, device=states.device)
        inner = norm2[..., None, None] * eye + gram
        found: Tensor = 2 * self.factor**2 / self.X.shape[1] * sigma[:, None] * inner * sigma
        return found

    def sharpness(self, states: Tensor) -> Tensor:
        """Largest eigenvalue of the loss's Hessian in all ``m + md`` weights, (...).

        NaN for a state that is not finite.

        Of any network with these Gram matrices the one of width r + 1 is taken, on the space of
        3r + 1 dimensions that its Hessian maps to.  Wider networks only add the eigenvalues
        ``+-(2c/n)|X D|``, which never exceed the largest.
        """
        import torch

        norm2, along, gram = self.matrices(states)
        r, c = self.rank, self.factor
        sigma = self.singular.to(states.device)
        whole = torch.cat([norm2[..., None, None], along[..., None, :]], -1)
        whole = torch.cat([whole, torch.cat([along[..., :, None], gram], -1)], -2)
        well = torch.isfinite(states).all(0)
        held = torch.where(well[..., None, None], whole, torch.zeros_like(whole))
        values, vectors = torch.linalg.eigh(held)
        # rows: hidden neurons; first column A, the others W U
        small = values.clamp_min(0).sqrt()[..., :, None] * vectors.mT
        a, w = small[..., 0], small[..., 1:]
        q = sigma * (c * sigma * along - self.labels.to(states.device))
        size = torch.sqrt((q * q).sum(-1))
        across = _reflection(q, size)
        unit = across[..., :, 0]
        jacobian = torch.cat(
            [
                w.mT,
                unit[..., :, None] * a[..., None, :],
                across[..., :, 1:] * torch.sqrt(norm2)[..., None, None],
            ],
            -1,
        )
        jacobian = c * sigma[:, None] * jacobian
        hessian = jacobian.mT @ jacobian
        bend = c * (unit * q).sum(-1)
        for i in range(r + 1):
            hessian[..., i, r + 1 + i] += bend
            hessian[..., r + 1 + i, i] += bend
        return 2 / self.X.shape[1] * top_eigenvalue(hessian)


def _reflection(q: Tensor, size: Tensor) -> Tensor:
    """An orthogonal matrix (..., r, r) whose first column is ``q/|q|`` up to sign."""
    import torch

    r = q.shape[-1]
    first = torch.zeros_like(q)
    first[..., 0] = 1
    unit = torch.where(size[..., None] > 0, q / size[..., None].clamp_min(1e-300), first)
    # the sign for which nothing cancels
    sign = torch.where(unit[..., :1] < 0, -torch.ones_like(size)[..., None], 1.0)
    normal = unit + sign * first
    square = (normal * normal).sum(-1)[..., None, None]
    eye = torch.eye(r, dtype=q.dtype, device=q.device)
    return eye - 2 * normal[..., :, None] * normal[..., None, :] / square


def _pairs(rank: int) -> list[tuple[int, int]]:
    """The upper triangle, row by row."""
    return [(i, j) for i in range(rank) for j in range(i, rank)]


def two_layer_recurrence(
    *,
    slopes: list[Expr],
    pulls: list[Expr],
    fits: list[Expr],
    labels: list[Expr],
    rest: Expr,
    count: int,
    decay: bool,
    coefficients: Coefficients,
) -> Closed:
    """The closed recurrence of rank r from its coefficients, each a list of r.

    With ``c`` the factor of the network: ``fits`` are ``c sigma_i``, ``labels`` are ``v_i.Y``,
    ``slopes`` are ``2 fits_i^2/n`` and ``pulls`` are ``2 fits_i labels_i/n``.
    """
    r = len(fits)
    sums = Sums()
    norm2 = real("output_norm2")
    p = [real(f"p_{i + 1}") for i in range(r)]
    entry = {(i, j): real(f"S_{i + 1}_{j + 1}") for i, j in _pairs(r)}

    def gram(i: int, j: int) -> Symbol:
        return entry[min(i, j), max(i, j)]

    keep: Expr = sums.name("keep", 1 - ETA * DECAY) if decay else sympy.Integer(1)
    keep2 = keep**2
    # u = eta (2c/n) U' X D, the step that the data ask for
    u = [sums.name(f"u_{i + 1}", ETA * (slopes[i] * p[i] - pulls[i])) for i in range(r)]
    v = [sums(f"v_{i + 1}", [gram(i, j) * u[j] for j in range(r)]) for i in range(r)]
    pu = sums("pu", [p[i] * u[i] for i in range(r)])
    uv = sums("uv", [u[i] * v[i] for i in range(r)])
    half = sums.name("half", norm2 / 2)
    turn = sums.name("turn", pu - keep * norm2)
    z = [sums.name(f"z_{i + 1}", keep * p[i] - half * u[i]) for i in range(r)]
    update: list[Expr] = [keep2 * norm2 - 2 * keep * pu + uv]
    update += [keep2 * p[i] - keep * v[i] + turn * u[i] for i in range(r)]
    update += [keep2 * entry[i, j] - (z[i] * u[j] + z[j] * u[i]) for i, j in _pairs(r)]
    outputs = [fits[i] * p[i] for i in range(r)]
    residuals = [f - y for f, y in zip(outputs, labels, strict=True)]
    square = sympy.Add(*(e**2 for e in residuals)) + rest
    top = Rational(2, count) * fits[0] ** 2 * (norm2 + gram(0, 0))
    return Closed(
        state=(norm2, *p, *entry.values()),
        update=tuple(update),
        parameters=(ETA, *([DECAY] if decay else []), *coefficients.symbols),
        observables={
            "loss": square / count,
            "residual_norm": sympy.sqrt(square),
            "output_norm2": norm2,
            "residual_dot_output": sympy.Add(
                *(f * e for f, e in zip(outputs, residuals, strict=True))
            ),
            # v_1'Mv_1 of the top direction of the data; for rank one the sharpness itself
            "gram_top": top,
        },
        locals=tuple(sums.locals),
        constants=coefficients.values,
    )


def two_layer_linear(
    X: Tensor,
    Y: Tensor,
    width: int,
    *,
    normalized: bool = True,
    decay: bool = True,
    as_parameters: bool = False,
) -> TwoLayerLinear:
    """Gradient descent on a two-layer linear network (li22, section 4), reduced.

    Args:
        X: inputs (d, n), one sample per column.
        Y: labels (n,).
        width: number m of hidden neurons; it enters by the factor ``1/sqrt(m)`` alone.
        normalized: the network carries that factor.
        decay: the recurrence has the parameter ``weight_decay``.
        as_parameters: data as parameters of the recurrence instead of numbers in it: one
            compiled formula for all data sets of one shape and rank, many of them in one run.

    Raises:
        TypeError: data that are no tensors of real numbers.
        ValueError: shapes that do not fit, or inputs that are all zero.
    """
    return TwoLayerLinear(X, Y, width, normalized, decay, as_parameters)
