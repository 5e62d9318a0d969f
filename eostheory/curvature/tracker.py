"""Top eigenpairs of the Hessian along a trajectory, at a handful of products per step.

Davidson's method on a block: it starts from where each eigenvector should be by now (an
autoregression on its last positions), the next one below as a guard and one scout; where they
turn into one another, from where their span and one direction more should be; it expands by
what a low-rank model of the Hessian, kept from step to step, proposes.  Only true products at
this step enter the result.

A small residual does not certify the *top* pair.  So the next Ritz value is carried along, a scout
looks at every step at one direction more, and now and then the basis is extended by the Krylov
space of a random start (a cold check) before the pairs count as converged: whatever it finds above
joins the iteration.  :class:`Tracker` says what this guarantees and what not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from eostheory.curvature.davidson import Space
from eostheory.curvature.dense import dense_hessian
from eostheory.curvature.history import mixing, predict, predict_span
from eostheory.curvature.model import LowRank
from eostheory.curvature.products import SymmetricOperator
from eostheory.numeric.events import RepeatedTopEigenvalue, UnconvergedEigenpair

FLOOR = 64.0
"""Residuals are not asked to be below this many roundings."""

PATIENCE = 16
"""Size of the basis from which residuals, which cannot mislead, replace the model's proposals."""

PATROL = 16
"""Power steps after which the search for unknown directions starts from random again."""


class Eigenpairs(NamedTuple):
    """The k algebraically largest eigenvalues at a point.

    Attributes:
        values: (k,), descending.
        vectors: (k, D), orthonormal rows; each keeps its sign from step to step.
        residuals: (k,), ``|H u - value u|``; an eigenvalue lies within that of each value.
        next_value: the Ritz value below the k-th; ``-inf`` if k = D.
        gap: ``values[-1] - next_value``; never smaller than the true gap, up to the residuals.
        products: Hessian-vector products spent.
        cold: whether this step held a cold check.
        next_residual: of the next pair: an eigenvalue lies within that of ``next_value``.
    """

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    next_value: float
    gap: float
    products: int
    cold: bool
    next_residual: float = 0.0


class _Solution(NamedTuple):
    space: Space
    cold: bool
    patrol: Tensor | None


class Tracker:
    """Follows the top k eigenpairs; call it with the :class:`Products` of each step in turn.

    Args:
        k: number of pairs.
        history: steps remembered for the prediction.
        tolerance: residual relative to the largest Ritz value in magnitude; not below what the
            dtype can give (64 roundings).
        dense_below: up to this many parameters the dense Hessian is used.
        cold_every: steps between cold checks; 0 for the first step only.
        maximum: products per step, cold check aside, after which a pair is unconverged.
        cold_products: products of a cold check.
        guard_tolerance: relative residual asked of the next pair.
        rank: rank of the model, which is what it takes in memory: rank times D numbers.
        repeated: "raise" or "keep": what to do when the k-th eigenvalue equals the next to
            working accuracy.  Kept values are right; the k-th vector is one of many.
        seed: of the random starts.

    Raises (when called):
        UnconvergedEigenpair: a residual is above the tolerance after ``maximum`` products.
        RepeatedTopEigenvalue: see ``repeated``.
        ValueError: fewer parameters than k, another number or dtype of them than before, or a
            Hessian that is not symmetric or whose size leaves no room for residuals.

    After any exception the tracker is as it was before the call.

    Each value has an eigenvalue within its residual, always.  That none above was overlooked is
    certain for the dense Hessian only, and otherwise of a known probability at cold checks: one
    overlooks an eigenvalue mu above ``values[-1]`` with a probability of at most ::

        1.648 sqrt(D) exp(-(2 cold_products - 1) sqrt((mu - next_value) / (mu - lambda_min)))

    over its random start, whatever the Hessian (Kuczynski and Wozniakowski 1992, Theorem 3.2, on
    the complement of the pairs).  Between cold checks there is no such bound: an eigenvector that
    mixes with the tracked ones is met by their residuals, and the scout usually finds one that
    does not before it crosses, but one that it misses makes the pairs wrong up to the next cold
    check, ``cold_every - 1`` steps at most.  With ``cold_every=1`` every step has the bound.
    """

    def __init__(
        self,
        k: int = 1,
        history: int = 8,
        tolerance: float = 1e-8,
        dense_below: int = 200,
        cold_every: int = 50,
        maximum: int = 400,
        *,
        cold_products: int = 16,
        guard_tolerance: float = 1e-2,
        rank: int = 48,
        repeated: str = "raise",
        seed: int = 0,
    ) -> None:
        for name, number, least in (
            ("k", k, 1), ("history", history, 1), ("dense_below", dense_below, 0),
            ("cold_every", cold_every, 0), ("maximum", maximum, 1),
            ("cold_products", cold_products, 0), ("rank", rank, 1),
        ):  # fmt: skip
            if not isinstance(number, int) or number < least:
                raise ValueError(f"{name} is {number!r}; give an integer of at least {least}")
        if not tolerance > 0 or not guard_tolerance > 0:
            raise ValueError(
                f"tolerance {tolerance!r} and guard_tolerance {guard_tolerance!r} must be positive"
            )
        if repeated not in ("raise", "keep"):
            raise ValueError(f"repeated is {repeated!r}; give 'raise' or 'keep'")
        self.k = k
        self.history = history
        self.tolerance = float(tolerance)
        self.dense_below = dense_below
        self.cold_every = cold_every
        self.maximum = maximum
        self.cold_products = cold_products
        self.guard_tolerance = float(guard_tolerance)
        self.repeated = repeated
        self.seed = seed
        self.calls = 0
        self._past: list[Tensor] = []
        self._model = LowRank(rank)
        self._patrol: Tensor | None = None

    def __call__(self, products: SymmetricOperator) -> Eigenpairs:
        """The top pairs at the point of ``products``."""
        size = products.size
        if size < self.k:
            raise ValueError(f"k is {self.k}, but there are {size} parameters; ask for fewer pairs")
        if self._past and self._past[0].shape[1] != size:
            raise ValueError(
                f"{size} parameters, but {self._past[0].shape[1]} before; one tracker, one model"
            )
        if self._past and self._past[0].dtype != products.point.dtype:
            raise ValueError(
                f"the point is {products.point.dtype}, but was {self._past[0].dtype} before; one "
                f"tracker, one dtype"
            )
        before = products.count
        if size <= self.dense_below:
            found = self._dense(products)
            self._check_simple(found)
            self._past = [found.vectors]
        else:
            solution = self._solve(products)
            found, vectors = self._result(solution, products.count - before)
            self._check_simple(found)
            alike = [block for block in self._past if block.shape == vectors.shape]
            self._past = [vectors, *alike[: self.history - 1]]
            self._model.learn(solution.space.basis, solution.space.images, solution.space.small)
            self._patrol = solution.patrol
        self.calls += 1
        return found

    def state(self) -> dict[str, Tensor | int | float | str]:
        """Everything that later results depend on; :meth:`restored` continues bit for bit."""
        held: dict[str, Tensor | int | float | str] = {
            "k": self.k, "history": self.history, "tolerance": self.tolerance,
            "dense_below": self.dense_below, "cold_every": self.cold_every,
            "maximum": self.maximum, "cold_products": self.cold_products,
            "guard_tolerance": self.guard_tolerance, "rank": self._model.rank,
            "repeated": self.repeated, "seed": self.seed, "calls": self.calls,
        }  # fmt: skip
        if self._past:
            held["past"] = torch.stack(self._past)
        if self._model.rows is not None and self._model.values is not None:
            held["model_rows"] = self._model.rows.clone()
            held["model_values"] = self._model.values.clone()
        if self._patrol is not None:
            held["patrol"] = self._patrol.clone()
        return held

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """The tracker whose :meth:`state` this is."""
        arrays = {"past", "model_rows", "model_values", "patrol"}
        made = cls(**{name: x for name, x in state.items() if name not in arrays | {"calls"}})
        made.calls = int(state["calls"])
        if "past" in state:
            made._past = [block.clone() for block in state["past"]]
        if "model_rows" in state:
            made._model.rows = state["model_rows"].clone()
            made._model.values = state["model_values"].clone()
        if "patrol" in state:
            made._patrol = state["patrol"].clone()
        return made

    def _dense(self, products: SymmetricOperator) -> Eigenpairs:
        before = products.count
        matrix = dense_hessian(products)
        values, columns = torch.linalg.eigh(matrix)
        values, rows = values.flip(0), columns.T.flip(0)
        top, vectors = values[: self.k], self._signed(rows[: self.k].contiguous())
        residuals = torch.linalg.vector_norm(vectors @ matrix - top[:, None] * vectors, dim=1)
        next_value = float(values[self.k]) if products.size > self.k else -torch.inf
        gap = float(top[-1]) - next_value
        return Eigenpairs(
            top.clone(), vectors, residuals, next_value, gap, products.count - before, False
        )

    def _solve(self, products: SymmetricOperator) -> _Solution:
        """Davidson's method until k pairs and the guard have converged, cold check included."""
        size, wanted = products.size, min(self.k + 1, products.size)
        space = Space(products, self.k)
        self._model.begin()
        cold = not self._past or (self.cold_every > 0 and self.calls % self.cold_every == 0)
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + self.calls)
        tolerance = max(self.tolerance, FLOOR * torch.finfo(products.point.dtype).eps)
        patrol = self._patrol
        together = bool(self._past) and mixing(self._past, self.k)
        if self._past:
            # where they turn into one another, one more than the guard closes their span
            rows = predict_span(self._past) if together else predict(self._apart())
            space.extend(*rows)
            patrol = self._scout(space, draw)
        unchecked, most = cold, self.maximum
        while len(space.basis) < size and products.count - space.before < most:
            worst = space.worst(wanted, tolerance, self.guard_tolerance, int(together))
            if worst is None and len(space.basis) < self._followed(size):
                worst = len(space.basis) - 1
            if worst is None:
                if not unchecked:
                    break
                unchecked = False
                most += self.cold_products
                space.krylov(_random(space, draw), self.cold_products)
                continue
            if space.full():
                space.restart()
            if not any(space.extend(v) for v in self._directions(space, worst, draw)):
                break
        self._check_converged(space, tolerance)
        return _Solution(space, cold and (not unchecked or len(space.basis) == size), patrol)

    def _followed(self, size: int) -> int:
        """Rows of the history: the pairs, the guard and one more."""
        return min(self.k + 2, size)

    def _apart(self) -> list[Tensor]:
        return [block[: self.k + 1] for block in self._past]

    def _directions(self, space: Space, worst: int, draw: torch.Generator) -> Iterator[Tensor]:
        """Where to look for what pair ``worst`` lacks, best first."""
        if len(space.basis):
            if self._model.rows is not None and len(space.basis) <= PATIENCE:
                yield self._model.propose(space.basis, space.images, space.small, worst)
            yield space.residual(worst)
        yield _random(space, draw)

    def _scout(self, space: Space, draw: torch.Generator) -> Tensor | None:
        """A product besides the tracked directions, by turns of three; the next patrol vector.

        What the model ranks next; all further rows of the model at once, for their values are
        old; and a power iteration on what the model does not know, from a random start now and
        then.
        """
        rows, values, patrol = self._model.rows, self._model.values, self._patrol
        if rows is None or values is None:
            return patrol
        turn, round_ = self.calls % 3, self.calls // 3
        # A row is tracked if the basis holds it, whatever its place: its value may be the largest.
        known = torch.linalg.vector_norm(rows @ space.basis.T, dim=1).to("cpu") > 0.7
        order = torch.argsort(values, descending=True)
        others = rows[order[~known[order]].to(rows.device)]
        if turn == 0 and len(others):
            space.extend(others[0])
        elif turn == 1 and len(others):
            # As far as the rows are eigenvectors still, one product tells all their values.
            signs = torch.randint(0, 2, (len(others),), generator=draw).to(rows) * 2 - 1
            if space.extend(signs @ others):
                now = (others @ space.images[-1]) * signs * len(others) ** 0.5
                best = int(now.argmax())
                if len(space.basis) > self.k and float(now[best]) > float(space.values[self.k]):
                    space.extend(others[best])
        else:
            if patrol is None or round_ % PATROL == 0:
                patrol = _random(space, draw)
            patrol = patrol - (rows @ patrol) @ rows
            return space.images[-1].clone() if space.extend(patrol) else None
        return patrol

    def _result(self, solution: _Solution, used: int) -> tuple[Eigenpairs, Tensor]:
        space = solution.space
        values, vectors, residuals = space.ritz(self._followed(space.products.size))
        dtype = space.products.point.dtype
        vectors = self._signed(vectors)
        more = len(values) > self.k
        next_value = float(values[self.k]) if more else -torch.inf
        found = Eigenpairs(
            values[: self.k].to(space.products.point),
            vectors[: self.k].clone(),
            residuals[: self.k].to(dtype),
            next_value,
            float(values[self.k - 1]) - next_value,
            used,
            solution.cold,
            float(residuals[self.k]) if more else 0.0,
        )
        return found, vectors

    def _signed(self, vectors: Tensor) -> Tensor:
        """Signs as at the last step; at the first, the largest entry is positive."""
        peaks = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))[:, 0]
        signs = torch.where(peaks < 0, -1.0, 1.0).to(vectors)
        if self._past:
            overlaps = vectors @ self._past[0].T
            best = overlaps.gather(1, overlaps.abs().argmax(1, keepdim=True))[:, 0]
            known = best.abs() > 0.5
            signs = torch.where(known, torch.where(best < 0, -1.0, 1.0).to(vectors), signs)
        return vectors * signs[:, None]

    def _check_converged(self, space: Space, tolerance: float) -> None:
        worst = space.worst(self.k, tolerance, tolerance)
        if worst is None:
            return
        values, _, residuals = space.ritz(self.k)
        raise UnconvergedEigenpair(
            worst, float(values[worst]), float(residuals[worst]), tolerance * space.scale,
            space.products.count - space.before,
        )  # fmt: skip

    def _check_simple(self, found: Eigenpairs) -> None:
        if self.repeated == "keep":
            return
        eps = torch.finfo(found.values.dtype).eps
        error = float(found.residuals[-1]) + 16 * eps * float(found.values.abs().max())
        if found.gap <= 2 * error:
            raise RepeatedTopEigenvalue(float(found.values[-1]), found.gap, error)


def _random(space: Space, draw: torch.Generator) -> Tensor:
    drawn = torch.randn(space.products.size, generator=draw, dtype=torch.float64)
    return drawn.to(space.basis)
