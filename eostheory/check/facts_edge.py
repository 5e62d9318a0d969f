"""Assumptions 1 to 5 of damian23, measured at points of the constrained trajectory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eostheory.check.hypotheses import FAILS, Decision, fails, from_check, held, undecided
from eostheory.curvature import Products, Tracker
from eostheory.numeric.events import NumericEvent

if TYPE_CHECKING:
    from eostheory.check.facts import Facts

MOST = 4
"""Points that are looked at; two of a large loss."""

ROUNDS = 4
"""Power steps on the third derivative; its norm is approached from below."""

LANCZOS = 12
"""Products for the smallest eigenvalue of a Hessian too large to be written out."""


@dataclass(frozen=True, eq=False)
class Place:
    """Derivatives at a point of the constrained trajectory.

    Args:
        third: largest ``|D^3 L[v, v, .]|`` met, which is at most ``rho_3``.
        across: largest ``|D^3 L[v, w, .]|`` met over unit v, w orthogonal to u.
        fourth: largest difference quotient of the third derivative met, at most ``rho_4``.
        bend: ``|D^2 L[s, s]|`` for s along ``grad S^perp``, over the Hessian's norm.
        low: the smallest eigenvalue, or an upper bound of it, over the Hessian's norm.
    """

    w: Tensor = field(repr=False)
    sharpness: float
    second: float
    exact: bool
    gradient: float
    slope: float
    alpha: float
    third: float
    across: float
    fourth: float
    bend: float
    low: float


class EdgeFacts:
    """Measurements at the first points of the constrained trajectory of the real run."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.missing = ""

    @cached_property
    def eta(self) -> float:
        """Learning rate of the real run."""
        return float(self.facts.ctx.run.eta)

    @cached_property
    def points(self) -> tuple[Tensor, ...]:
        """Points with sharpness 2/eta and ``grad L . u = 0``, the first next to the edge."""
        run = self.facts.ctx.run
        try:
            held_there = [at.point for at in run.constrained if at.reached]
        except NumericEvent as event:
            self.missing = str(event)
            return ()
        if not held_there:
            self.missing = run.missing or "gradient descent did not meet the edge of stability"
            return ()
        most = 2 if run.large else MOST
        every = max(1, len(held_there) // most)
        return tuple(w.detach().clone() for w in held_there[::every][:most])

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Measurements at :attr:`points`."""
        return tuple(self._place(w) for w in self.points)

    @cached_property
    def epsilon(self) -> float:
        """``max_t eta sqrt(alpha_t)`` (definition 6)."""
        return self.eta * math.sqrt(max((p.alpha for p in self.places), default=0.0))

    @cached_property
    def third(self) -> float:
        """``rho_3``, from below."""
        return max((p.third for p in self.places), default=0.0)

    def _place(self, w: Tensor) -> Place:
        objective = self.facts.ctx.run.objective
        size = len(w)
        with Products(objective, w) as products:
            pairs = Tracker(min(2, size), repeated="keep")(products)
            u = pairs.vectors[0]
            values = [float(x) for x in pairs.values]
            slope = products.third(u, u)
            across = slope - torch.dot(slope, u) * u
            alpha = -float(torch.dot(products.gradient, slope))
            length = float(torch.linalg.vector_norm(across))
            along = across / length if length > 0 else torch.zeros_like(u)
            low = _smallest(products, self.facts)
            norm = max(abs(values[0]), abs(low))
            third, direction = self._norm(products, u, None)
            orthogonal, _ = self._norm(products, u, u) if size > 1 else (0.0, u)
            bend = abs(float(torch.dot(along, products(along)))) / norm if length > 0 else 0.0
            gradient = float(torch.linalg.vector_norm(products.gradient))
        fourth = 0.0
        for d in (u, along, direction):
            if float(torch.linalg.vector_norm(d)) > 0:
                fourth = max(fourth, self._fourth(w, u, d))
        second = values[1] if len(values) > 1 else -math.inf
        return Place(
            w, values[0], second, size <= 200, gradient, length, alpha, max(third, orthogonal),
            orthogonal, fourth, bend, low / norm,
        )  # fmt: skip

    def _norm(self, products: Products, u: Tensor, off: Tensor | None) -> tuple[float, Tensor]:
        """Largest ``|D^3 L[v, w, .]|`` met and a unit v; v, w orthogonal to ``off`` if given."""
        draw = self.facts.generator("third derivative")
        random = torch.randn(len(u), generator=draw, dtype=torch.float64).to(u)
        best, where = 0.0, u
        for start in (u, random):
            v = start if off is None else start - torch.dot(start, off) * off
            if not float(torch.linalg.vector_norm(v)) > 1e-8:
                continue
            v = w = v / torch.linalg.vector_norm(v)
            for _ in range(ROUNDS):
                image = products.third(v, w)
                size = float(torch.linalg.vector_norm(image))
                if size > best:
                    best, where = size, v
                # Alternating maximization of a trilinear form: z, then w, then v.
                after = products.third(image / size, w) if size > 0 else image
                if off is not None:
                    after = after - torch.dot(after, off) * off
                length = float(torch.linalg.vector_norm(after))
                if length == 0:
                    break
                v, w = after / length, v
        return best, where

    def _fourth(self, w: Tensor, u: Tensor, d: Tensor) -> float:
        """``|D^3 L(w + h d)[u, u, .] - D^3 L(w)[u, u, .]|/h``, with h for third derivatives."""
        objective = self.facts.ctx.run.objective
        h = 1e-4 * max(1.0, float(torch.linalg.vector_norm(w)) / math.sqrt(len(w)))
        with Products(objective, w + h * d) as after, Products(objective, w - h * d) as before:
            difference = after.third(u, u) - before.third(u, u)
        return float(torch.linalg.vector_norm(difference)) / (2 * h)

    # Decisions

    def _none(self) -> Decision | None:
        ground = self.facts.ground("differentiable", "gradient", "hessian", "third-derivative")
        if ground is not None:
            return ground
        if (missing := self.facts.not_run("progressive-sharpening")) is not None:
            return missing
        if self.places:
            return None
        if (simple := from_check(self.facts, "simple-top-eigenvalue")).verdict == FAILS:
            return simple
        return undecided(f"{self.missing}; give a learning_rate= and start= that meet the edge")

    def _where(self, place: Place) -> str:
        number = next(k for k, p in enumerate(self.places) if p is place)
        return f"point {number} of the constrained trajectory"

    def _seen(self) -> str:
        count = len(self.places)
        return f"on {count} point{'s' if count > 1 else ''} of the constrained trajectory"

    def eigengap(self) -> Decision:
        """Assumption 2: ``lambda_2 < c/eta`` with c < 2."""
        if (none := self._none()) is not None:
            return none
        worst = max(self.places, key=lambda p: p.second)
        c = worst.second * self.eta
        # Where the dense Hessian is not used, the second pair is known to a hundredth.
        if c >= 2 * (1 - 1e-9):
            return fails(
                f"lambda_2 = {c:.6g}/eta, not below 2/eta",
                self.facts.recipe(worst.w, self._where(worst)),
            )
        if not worst.exact and c > 1.98:
            return undecided(f"lambda_2 = {c:.4g}/eta is too near 2/eta for a loss of this size")
        return held(f"lambda_2 <= {c:.4g}/eta {self._seen()}")

    def fourth_derivative(self) -> Decision:
        """Assumption 3: ``rho_4 = O(eta rho_3^2)``, near the trajectory (footnote 5)."""
        if (none := self._none()) is not None:
            return none
        if self.third == 0:
            return fails(
                "the third derivative vanishes: rho_3 = 0",
                self.facts.recipe(self.places[0].w, self._where(self.places[0])),
            )
        fourth = max(p.fourth for p in self.places)
        return self._constant(fourth / (self.eta * self.third**2), "rho_4/(eta rho_3^2)", "")

    def alignment(self) -> Decision:
        """Assumption 4: both ratios are of order 1."""
        if (none := self._none()) is not None:
            return none
        for p in self.places:
            product = p.gradient * p.slope
            if p.slope <= 1e-12 * max(p.third, 1e-300) or p.alpha <= 0:
                what = f"alpha = {p.alpha:.3g}, |grad S^perp| = {p.slope:.3g}"
                return fails(what, self.facts.recipe(p.w, self._where(p)))
            for name, value in (
                ("alpha/(|grad L| |grad S^perp|)", p.alpha / product),
                ("|grad S^perp|/rho_3", p.slope / self.third),
            ):
                if not _order_one(value, self.epsilon):
                    return undecided(
                        f"{name} = {value:.3g} at {self._where(p)}, nearer to epsilon = "
                        f"{self.epsilon:.3g} than to 1; a family of losses with epsilon -> 0 tells"
                    )
        low = min(p.alpha / (p.gradient * p.slope) for p in self.places)
        ratio = min(p.slope for p in self.places) / self.third
        return held(f"the ratios are at least {low:.3g} and {ratio:.3g} {self._seen()}")

    def off_top(self) -> Decision:
        """Assumption 5: three ratios are ``O(epsilon)``."""
        if (none := self._none()) is not None:
            return none
        epsilon = self.epsilon
        if not epsilon > 0:
            return fails("epsilon is not positive", self.facts.recipe(self.places[0].w, "the edge"))
        ratios = {
            "|D^3 L(v, w)|/|D^3 L| off u": max(p.across for p in self.places) / self.third,
            "|D^2 L| along grad S^perp": max(p.bend for p in self.places),
            "|lambda_min|/|D^2 L|": max(max(0.0, -p.low) for p in self.places),
        }
        name, worst = max(ratios.items(), key=lambda item: item[1])
        return self._constant(worst / epsilon, f"({name})/epsilon", "")

    def projected_gradient(self) -> Decision:
        """``|grad L| <= K |P grad L|``, which lemma 14 takes for granted."""
        if (none := self._none()) is not None:
            return none
        objective = self.facts.ctx.run.objective
        worst = math.inf
        for p in self.places:
            with Products(objective, p.w) as products:
                u = Tracker(1, repeated="keep")(products).vectors[0]
                s = products.third(u, u)
                g = products.gradient
            s = s - torch.dot(s, u) * u
            length = torch.linalg.vector_norm(s)
            rest = g - torch.dot(g, u) * u
            if float(length) > 0:
                rest = rest - torch.dot(rest, s) / length**2 * s
            part = float(torch.linalg.vector_norm(rest)) / p.gradient if p.gradient else 0.0
            if part < 1e-8:
                return fails(
                    "the gradient has no part off u and grad S: a stationary point of the "
                    "constrained problem",
                    self.facts.recipe(p.w, self._where(p)),
                )
            worst = min(worst, part)
        return held(f"K = {1 / worst:.3g} {self._seen()}")

    def _constant(self, constant: float, name: str, note: str) -> Decision:
        if constant <= 1:
            return held(f"{name} <= {constant:.3g} {self._seen()}, from below{note}")
        return undecided(
            f"{name} = {constant:.3g}: whether this is the O(1) of the paper, a family of losses "
            f"with epsilon -> 0 tells, not one loss{note}"
        )


def _order_one(value: float, epsilon: float) -> bool:
    """Whether ``value`` is nearer to order ``epsilon^0`` than to ``epsilon^1``."""
    return value >= math.sqrt(min(epsilon, 1.0))


def _smallest(products: Products, facts: Facts) -> float:
    """Smallest eigenvalue of a Hessian of up to 200 rows, else a Ritz value above it."""
    size = products.size
    if size <= 200:
        matrix = products.block(torch.eye(size, dtype=products.point.dtype))
        return float(torch.linalg.eigvalsh((matrix + matrix.T) / 2)[0])
    draw = facts.generator("smallest eigenvalue")
    v = torch.randn(size, generator=draw, dtype=torch.float64).to(products.point)
    basis = [v / torch.linalg.vector_norm(v)]
    images = []
    for _ in range(LANCZOS):
        images.append(products(basis[-1]))
        rows = torch.stack(basis)
        rest = images[-1] - rows.T @ (rows @ images[-1])
        rest = rest - rows.T @ (rows @ rest)
        length = torch.linalg.vector_norm(rest)
        if float(length) < 1e-10:
            break
        basis.append(rest / length)
    rows = torch.stack(basis[: len(images)])
    small = rows @ torch.stack(images).T
    return float(torch.linalg.eigvalsh((small + small.T) / 2)[0])
