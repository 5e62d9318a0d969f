"""Linear regression with batch normalisation in rotated coordinates: O(n) operations per step.

With the centred inputs ``Xt/sqrt(n) = P diag(sigma) V'`` the loss depends on
``s = diag(sigma) V'w`` alone, ``L = |gamma s/|s| - e|^2 + rest`` with ``e = P'(y - beta)/sqrt(n)``,
and gradient descent moves each entry of s by its own number:

    s_i' = (1 - eta wd) s_i + eta sigma_i^2 / |s| (g_i - (g.s) s_i / |s|^2),   g = 2 gamma e.

The part of w in the null space of Xt only decays.  With an epsilon under the root, as libraries
have it, ``|s|`` becomes ``sqrt(|s|^2 + epsilon)`` and the same variables close.  The 3-D loss of
lyu22's appendix F is the same with two coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import sympy
from sympy import Expr, Symbol

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
class Rotated(Reduction):
    """GD on ``L(w) = |gamma s/|s| - e|^2 + rest``, ``s = diag(sigma) V'w``, as a recurrence in s.

    ``null`` is the length of the part of w that no coordinate sees, with the sign of
    ``(1 - eta wd)^t``; it is missing where there is no such part.

    Args:
        basis: V, (d, r) with orthonormal columns.
        sigma: (r,) positive.
        aim: e, (r,).
        gamma: size of the normalised outputs.
        rest: what of the loss no weight can change.
        count: number n of samples (for the norm of the residual).
        decay: the recurrence has the parameter ``weight_decay``.
        as_parameters: data are parameters of the recurrence, not numbers in it.
        epsilon: what is added to ``|s|^2`` under the root.
    """

    basis: Tensor
    sigma: Tensor
    aim: Tensor
    gamma: float
    rest: float
    count: int
    decay: bool = True
    as_parameters: bool = False
    epsilon: float = 0.0

    @property
    def name(self) -> str:
        return "batch_norm"

    @property
    def model(self) -> str:
        decay = " with weight decay" if self.decay else ""
        return f"gradient descent{decay} on |gamma s/|s| - e|^2, s = diag(sigma) V'w: " + (
            f"w of dimension {self.dim}, rank {self.rank}"
        )

    @property
    def hypotheses(self) -> tuple[str, ...]:
        return ("the scores are not all equal: s is not zero",)

    @property
    def full(self) -> Mapping[str, tuple[int, ...]]:
        return {"w": (self.dim,)}

    @property
    def dim(self) -> int:
        """Dimension d of the weight."""
        return len(self.basis)

    @property
    def rank(self) -> int:
        """Number r of coordinates that the loss sees."""
        return len(self.sigma)

    @cached_property
    def closed(self) -> Closed:
        coefficient = Coefficients(self.as_parameters)
        lam = [float(s) ** 2 for s in self.sigma]
        aim = [float(e) for e in self.aim]
        return rotated_recurrence(
            lam=coefficient("lambda", lam),
            step=coefficient("lambda_e", [a * b for a, b in zip(lam, aim, strict=True)]),
            aim=coefficient("e", aim),
            gamma=coefficient("gamma", [self.gamma])[0],
            rest=coefficient("rest", [self.rest])[0],
            epsilon=coefficient("epsilon", [self.epsilon])[0] if self.epsilon else None,
            count=self.count,
            null=self.rank < self.dim,
            decay=self.decay,
            coefficients=coefficient,
        )

    def loss(self, *full: Tensor) -> Tensor:
        import torch

        (w,) = full
        s = self.sigma.to(w.device) * (w @ self.basis.to(w.device))
        length = torch.sqrt((s * s).sum() + self.epsilon)
        error = self.gamma * s / length - self.aim.to(w.device)
        return (error * error).sum() + self.rest

    def _reduced(self, *full: Tensor) -> Tensor:
        import torch

        (w,) = full
        basis = self.basis.to(w.device)
        seen = w @ basis
        rows = list((self.sigma.to(w.device) * seen).unbind(-1))
        if self.rank < self.dim:
            unseen = w - seen @ basis.mT
            rows.append(torch.sqrt((unseen * unseen).sum(-1)))
        return torch.stack(rows)

    def restore(self, states: Tensor, start: Tensor) -> Tensor:
        """The weights (..., d) of states (n_state, ...), given the weight (d,) they began from.

        Raises:
            ValueError: more than one start.
        """
        import torch

        if start.shape != (self.dim,):
            raise ValueError(
                f"the start has shape {tuple(start.shape)}; expected ({self.dim},), the one start "
                "of these states"
            )
        basis = self.basis.to(states.device)
        seen = states[: self.rank].movedim(0, -1) / self.sigma.to(states.device)
        whole = seen @ basis.mT
        if self.rank < self.dim:
            unseen = start - (start @ basis) @ basis.mT
            size = torch.sqrt((unseen * unseen).sum())
            if size > 0:
                whole = whole + states[self.rank][..., None] * (unseen / size)
        return whole

    def hessian(self, states: Tensor) -> Tensor:
        """The Hessian of the loss at w in the coordinates ``V'w``, (..., r, r); zero elsewhere."""
        import torch

        s = states[: self.rank].movedim(0, -1)
        sigma = self.sigma.to(states.device)
        g = 2 * self.gamma * self.aim.to(states.device)
        size2 = ((s * s).sum(-1) + self.epsilon)[..., None, None]
        size = torch.sqrt(size2)
        along = (s * g).sum(-1)[..., None, None] / size2
        eye = torch.eye(self.rank, dtype=s.dtype, device=s.device)
        both = s[..., :, None] * g + g[:, None] * s[..., None, :]
        square = s[..., :, None] * s[..., None, :] / size2
        inner = (both / size2 + along * eye - 3 * along * square) / size
        if self.epsilon:
            inner = inner + 2 * self.gamma**2 * self.epsilon / size2**2 * (eye - 4 * square)
        found: Tensor = sigma[:, None] * inner * sigma
        return found

    def spherical_sharpness(self, states: Tensor) -> Tensor:
        """Largest eigenvalue of the Hessian at ``w/|w|``, (...); NaN where that is not finite."""
        import torch

        s = states[: self.rank].movedim(0, -1) / self.sigma.to(states.device)
        norm2 = (s * s).sum(-1)
        if self.rank < self.dim:
            norm2 = norm2 + states[self.rank] ** 2
        top = top_eigenvalue(self.hessian(states / torch.sqrt(norm2)))
        # outside of the span the Hessian is zero
        return top.clamp_min(0) if self.rank < self.dim else top


@dataclass(frozen=True, eq=False)
class LinearBatchNorm(Rotated):
    """The reduction of :func:`linear_batch_norm`, with its data."""

    X: Tensor = field(kw_only=True)
    """Inputs (n, d)."""
    y: Tensor = field(kw_only=True)
    """Targets (n,)."""
    beta: float = field(kw_only=True)
    """Mean of the normalised outputs."""

    @property
    def name(self) -> str:
        return "linear_batch_norm"

    @property
    def model(self) -> str:
        decay = " with weight decay" if self.decay else ""
        return (
            f"gradient descent{decay} on the squared error of linear regression with batch "
            f"normalisation: d = {self.dim} inputs, n = {self.count} samples, rank {self.rank}"
        )

    @property
    def hypotheses(self) -> tuple[str, ...]:
        return (
            "gamma and beta are constants, the statistics are over the full batch",
            *super().hypotheses,
        )

    def loss(self, *full: Tensor) -> Tensor:
        """The mean squared error of the normalised scores, from the data."""
        import torch

        (w,) = full
        scores = self.X.to(w.device) @ w
        centred = scores - scores.mean()
        deviation = torch.sqrt((centred * centred).mean() + self.epsilon)
        error = self.gamma * centred / deviation + self.beta - self.y.to(w.device)
        return (error * error).mean()


@dataclass(frozen=True, eq=False)
class ThreeDimensional(Rotated):
    """The reduction of :func:`scale_invariant_3d`."""

    @property
    def name(self) -> str:
        return "scale_invariant_3d"

    @property
    def model(self) -> str:
        decay = " with weight decay" if self.decay else ""
        return f"gradient descent{decay} on 2 - (x + y)/sqrt(x^2 - xy + y^2) of (x, y, z)"

    def loss(self, *full: Tensor) -> Tensor:
        import torch

        x, y, _ = full[0]
        value: Tensor = 2 - (x + y) / torch.sqrt(x * x - x * y + y * y)
        return value


def rotated_recurrence(
    *,
    lam: Sequence[Expr],
    step: Sequence[Expr],
    aim: Sequence[Expr],
    gamma: Expr | None,
    rest: Expr,
    count: int,
    null: bool,
    decay: bool,
    coefficients: Coefficients,
    epsilon: Expr | None = None,
    mean: Expr | None = None,
) -> Closed:
    """The recurrence in s: ``lam`` are sigma_i^2, ``aim`` is e, ``step`` their products.

    With the ``mean`` of the targets and no ``gamma``, gamma and beta are trained too and join the
    state.
    """
    r = len(lam)
    s = [real(f"s_{i + 1}") for i in range(r)]
    unseen: list[Symbol] = [real("null")] if null else []
    sums = Sums()
    keep: Expr = sums.name("keep", 1 - ETA * DECAY) if decay else sympy.Integer(1)
    size2 = sums("size2", [v**2 for v in s])
    along = sums("along", [e * v for e, v in zip(aim, s, strict=True)])
    seen2 = size2
    if epsilon is not None:
        size2 = sums.name("room", size2 + epsilon)
    if gamma is None:
        gamma = real("gamma")
    rate = sums.name("rate", 2 * gamma * ETA / sympy.sqrt(size2))
    turn = rate * along / size2
    if epsilon is not None:
        turn = turn + 2 * gamma**2 * epsilon * ETA / size2**2
    shrink = sums.name("shrink", turn)
    update: list[Expr] = [
        v * (keep - shrink * a) + rate * b for v, a, b in zip(s, lam, step, strict=True)
    ]
    update += [keep * x for x in unseen]
    outer: list[Symbol] = []
    if mean is not None:
        beta = real("beta")
        outer = [gamma, beta]
        fit = along / sympy.sqrt(size2)
        slope = gamma - fit if epsilon is None else gamma * seen2 / size2 - fit
        update += [keep * gamma - 2 * ETA * slope, keep * beta - 2 * ETA * (beta - mean)]
        rest = rest + (beta - mean) ** 2
    # observables see no locals
    length = sympy.sqrt(sympy.Add(*(v**2 for v in s), *([epsilon] if epsilon else [])))
    loss = sympy.Add(*((gamma * v / length - e) ** 2 for v, e in zip(s, aim, strict=True))) + rest
    norm2 = sympy.Add(*(v**2 / a for v, a in zip(s, lam, strict=True)), *(x**2 for x in unseen))
    kept = 1 - ETA * DECAY if decay else sympy.Integer(1)
    return Closed(
        state=(*s, *unseen, *outer),
        update=tuple(update),
        parameters=(ETA, *([DECAY] if decay else []), *coefficients.symbols),
        observables={
            "loss": loss,
            "residual_norm": sympy.sqrt(count * loss),
            "norm2": norm2,
            "norm": sympy.sqrt(norm2),
            "effective_rate": ETA / (kept * norm2),
            "deviation": length,
        },
        locals=tuple(sums.locals),
        constants=coefficients.values,
    )


def linear_batch_norm(
    X: Tensor,
    y: Tensor,
    *,
    gamma: float | None = None,
    beta: float | None = None,
    epsilon: float = 0.0,
    decay: bool = True,
    as_parameters: bool = False,
) -> LinearBatchNorm:
    """Linear regression with batch normalisation (lyu22, section 5) in rotated coordinates.

    Args:
        X: inputs, one per row, (n, d).
        y: targets, (n,).
        gamma: size of the normalised outputs (default: the deviation of the targets).
        beta: mean of the normalised outputs (default: the mean of the targets).
        epsilon: added to the variance of the scores, as libraries do.
        decay: the recurrence has the parameter ``weight_decay``.
        as_parameters: data as parameters of the recurrence instead of numbers in it: one
            compiled formula for all data sets of one shape and rank, many of them in one run.

    Raises:
        TypeError: data that are no tensors of real numbers.
        ValueError: shapes that do not fit, inputs that are all equal, a negative epsilon, or a
            number that is not finite.
    """
    import torch

    inputs, targets = finite("inputs", X), finite("targets", y)
    if inputs.dim() != 2 or targets.shape != inputs.shape[:1]:
        raise ValueError(
            f"inputs {tuple(inputs.shape)} and targets {tuple(targets.shape)}; expected (n, d) and "
            "(n,): one sample per row"
        )
    for name, value in (("gamma", gamma), ("beta", beta), ("epsilon", epsilon)):
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name} = {value}; expected a finite number")
    if epsilon < 0:
        raise ValueError(f"epsilon = {epsilon} is added to a variance; give zero or more")
    count = len(targets)
    centre = targets.mean()
    spread = torch.sqrt(((targets - centre) ** 2).mean())
    scale = float(spread) if gamma is None else float(gamma)
    shift = float(centre) if beta is None else float(beta)
    shifted = (inputs - inputs.mean(0)) / count**0.5
    left, sigma, right = torch.linalg.svd(shifted, full_matrices=False)
    cut = max(shifted.shape) * torch.finfo(torch.float64).eps * torch.linalg.vector_norm(inputs)
    rank = int((sigma > cut / count**0.5).sum())
    if rank == 0:
        raise ValueError("all inputs are equal: their scores have no deviation to divide by")
    goal = (targets - shift) / count**0.5
    aim = left[:, :rank].T @ goal
    missed = goal - left[:, :rank] @ aim
    return LinearBatchNorm(
        basis=right[:rank].T.contiguous(),
        sigma=sigma[:rank],
        aim=aim,
        gamma=scale,
        rest=float(missed @ missed),
        count=count,
        decay=decay,
        as_parameters=as_parameters,
        epsilon=float(epsilon),
        X=inputs,
        y=targets,
        beta=shift,
    )


def scale_invariant_3d(*, decay: bool = True) -> ThreeDimensional:
    """lyu22's 3-D loss ``2 - (x + y)/sqrt(x^2 - xy + y^2)`` (appendix F): two coordinates.

    With ``s = ((x + y)/2, sqrt(3) (x - y)/2)`` it is ``2 - 2 s_1/|s|``; z is seen by weight decay
    alone.
    """
    import torch

    half = 0.5**0.5
    basis = torch.tensor([[half, half], [half, -half], [0.0, 0.0]], dtype=torch.float64)
    sigma = torch.tensor([0.5, 1.5], dtype=torch.float64).sqrt()
    aim = torch.tensor([1.0, 0.0], dtype=torch.float64)
    return ThreeDimensional(basis, sigma, aim, 1.0, 0.0, 1, decay)
