"""What the theorems on scale-invariant losses ask for, measured at minimizers and on the sphere."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from eostheory.check.finding import Recipe
from eostheory.check.hypotheses import FAILS, HELD, Decision, fails, from_check, held, undecided

if TYPE_CHECKING:
    from eostheory.check.facts import Facts
    from eostheory.check.structure import Top

SECOND = ("differentiable", "gradient", "hessian")
"""Checks without which eigenvalues of the Hessian mean nothing."""

MOST = 8
"""Minimizers that are looked at."""

FITTED = 12
"""Dimension up to which a loss is compared with all linear regressions behind a batch norm."""


class Quotient(NamedTuple):
    """``L(w) = level - <w, c>/sqrt(w' sigma w)``, fitted."""

    level: float
    sigma: Tensor
    c: Tensor


class SphereFacts:
    """Measurements at minimizers, and at random points of the unit sphere."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @cached_property
    def tops(self) -> tuple[Top, ...]:
        """The top of the spectrum at the minimizers that were found."""
        structure = self.facts.ctx.structure
        return tuple(structure.top(w) for w in structure.minimizers()[:MOST])

    @cached_property
    def directions(self) -> tuple[Recipe, ...]:
        """Points w of the domain whose direction w/|w| is in it, too."""
        domain = self.facts.ctx.subject.domain
        found = [r for r in self.facts.samples(3 * MOST) if bool(r.tensor.any())]
        return tuple(r for r in found if _unit(r.tensor) in domain)[:MOST]

    def scale_invariance(self) -> Decision:
        """``L(c w) = L(w)``; where that fails, a point w and what c = 2 does there."""
        found = from_check(self.facts, "scale-invariant", without=FAILS)
        if found.verdict != FAILS or found.point is not None:
            return found
        worst, where = 0.0, None
        for recipe in self.facts.samples(8):
            w = recipe.tensor
            change = abs(float(self.facts.ctx.loss(2 * w)) - float(self.facts.ctx.loss(w)))
            if change > worst:
                worst, where = change, recipe
        if where is None:
            return found
        return fails(f"L(2 w) differs from L(w) by {worst:.3g}", where)

    def manifold(self) -> Decision:
        """Minimizers form a manifold of constant rank; says where that is a single point."""
        found = from_check(self.facts, "minimizer-manifold")
        if found.verdict != HELD:
            return found
        structure = self.facts.ctx.structure
        least = 1 if structure.scale_invariant else 0
        if structure.dimension == least:
            return held(f"{found.message}; Gamma is a point, on which the flow stands still")
        return found

    def minimizer(self) -> Decision:
        """A local minimizer is there."""
        if (ground := self.facts.ground(*SECOND)) is not None:
            return ground
        if (missing := self.facts.not_run("minimizer-manifold", "local-pl")) is not None:
            return missing
        count = len(self.facts.ctx.structure.minimizers())
        if count:
            return held(f"{count} local minimizers were found")
        return undecided("no local minimizer was found: declare manifold=, or start= near one")

    def simple_at_minimizers(self) -> Decision:
        """The top eigenvalue is simple on Gamma (lyu22, assumptions 4.6 and B.12)."""
        if (none := self.minimizer()).verdict != HELD:
            return none
        for top in self.tops:
            if not top.simple:
                return fails(
                    f"lambda_1 = {top.value:.6g} and lambda_2 = {top.next_value:.6g} are equal "
                    "up to rounding at a minimizer",
                    self.facts.recipe(top.point, "a minimizer"),
                )
        least = min(top.gap for top in self.tops)
        return held(f"at {len(self.tops)} minimizers lambda_1 - lambda_2 >= {least:.3g}")

    def positive_at_minimizers(self) -> Decision:
        """The top eigenvalue is positive at minimizers: there the Hessian does not vanish."""
        if (none := self.minimizer()).verdict != HELD:
            return none
        for top in self.tops:
            if not top.value > top.error:
                return fails(
                    f"lambda_1 = {top.value:.3g} at a minimizer",
                    self.facts.recipe(top.point, "a minimizer"),
                )
        return held(
            f"lambda_1 >= {min(t.value for t in self.tops):.3g} at {len(self.tops)} of them"
        )

    def sharper_elsewhere(self) -> Decision:
        """``rho_2 > lambda_1(theta*)`` (lyu22, theorem 4.4)."""
        invariant = self.scale_invariance()
        if invariant.verdict != HELD:
            return invariant
        if (none := self.minimizer()).verdict != HELD:
            return none
        least = min(self.tops, key=lambda t: t.value)
        for recipe in self.directions:
            top = self.facts.ctx.structure.top(_unit(recipe.tensor))
            if top.size - top.error > least.value + least.error:
                return held(
                    f"|Hess L| = {top.size:.4g} on the sphere, lambda_1 = {least.value:.4g}"
                )
        return undecided(
            f"no point of the sphere was found at which |Hess L| exceeds lambda_1 = "
            f"{least.value:.4g}; more points would tell"
        )

    def sharpness_below(self) -> Decision:
        """``S_f`` has a positive lower bound (what lemma 9 of damian23 lacks)."""
        invariant = self.scale_invariance()
        if invariant.verdict != HELD:
            return invariant
        if (ground := self.facts.ground(*SECOND)) is not None:
            return ground
        if not self.directions:
            return undecided("the domain holds no point of the unit sphere that was drawn")
        domain = self.facts.ctx.subject.domain
        tops = [self.facts.ctx.structure.top(_unit(r.tensor)) for r in self.directions]
        number = min(range(len(tops)), key=lambda k: tops[k].value)
        least, where = tops[number], self.directions[number]
        whole = domain.low <= -1 and domain.high >= 1 and domain.contains is None
        if whole and (domain.center is None or not domain.declared):
            return fails(
                "a continuous scale-invariant loss has a maximum on the sphere, and S_f = 0 there; "
                f"the least of {len(tops)} random directions has S_f = {least.value:.3g}; declare "
                "a domain= without maxima",
                where,
            )
        if least.value <= least.error:
            return fails(f"S_f = {least.value:.3g} at w/|w|", where)
        return held(f"S_f >= {least.value:.3g} on {len(tops)} points of the sphere")

    # Linear regression behind a batch norm (lyu22, section 5)

    def linear_batch_norm(self) -> Decision:
        """``L(w) = 2 sigma_y^2 (1 - <w, Cov(x, y)>/(sigma_y |w|_Sigma))`` with targets of a linear
        model."""
        if (ground := self.facts.ground()) is not None:
            return ground
        invariant = self.scale_invariance()
        if invariant.verdict != HELD:
            return invariant
        loss = self.facts.ctx.loss
        pairs = [
            (r, float(loss(r.tensor)), float(loss(-r.tensor)))
            for r in self.directions
            if self._both(r.tensor)
        ]
        pairs = [pair for pair in pairs if math.isfinite(pair[1] + pair[2])]
        if not pairs:
            return undecided("the domain holds no pair w, -w that was drawn")
        scale = max(max(abs(a), abs(b)) for _, a, b in pairs)
        sums = [a + b for _, a, b in pairs]
        worst = max(range(len(sums)), key=lambda k: abs(sums[k] - sums[0]))
        if abs(sums[worst] - sums[0]) > 1e-9 * scale:
            return fails(
                f"L(w) + L(-w) is {sums[worst]:.4g} here and {sums[0]:.4g} elsewhere, not constant",
                pairs[worst][0],
            )
        size = self.facts.ctx.subject.size
        if size > FITTED:
            return undecided(
                f"L(w) + L(-w) is constant, as it must be; whether L is a linear regression behind "
                f"a batch norm is fitted up to {FITTED} parameters, not for {size}"
            )
        found = self.fitted
        if isinstance(found, Decision):
            return found
        least = float(found.c @ torch.linalg.lstsq(found.sigma, found.c[:, None]).solution[:, 0])
        if least < 0 or abs(least**0.5 - found.level) > 1e-6 * found.level:
            return fails(
                "targets not of a linear model, or gamma and beta not theirs: the infimum of the "
                f"loss is {found.level - max(least, 0.0) ** 0.5:.3g}, not 0"
            )
        return held(f"a fit of Sigma and Cov(x, y) reproduces the loss on {2 * size + 8} points")

    def _both(self, w: Tensor) -> bool:
        domain = self.facts.ctx.subject.domain
        # An undeclared domain is only where we look; a scale-invariant loss has values at -w, too.
        return not domain.declared or (w in domain and -w in domain)

    @cached_property
    def fitted(self) -> Quotient | Decision:
        """The only quotient that may be the loss, or why it is none."""
        size, loss = self.facts.ctx.subject.size, self.facts.ctx.loss
        draw = self.facts.generator("batch norm")
        number = size * (size + 1) + 8

        def odd(w: Tensor) -> float:
            return (float(loss(-w)) - float(loss(w))) / 2

        def squares(w: Tensor) -> Tensor:
            full = torch.outer(w, w)
            full = full + full.T - torch.diag(torch.diagonal(full))
            return full[tuple(torch.triu_indices(size, size))]

        rows = []
        for _ in range(number):
            w = torch.randn(size, generator=draw, dtype=torch.float64)
            w = w / torch.linalg.vector_norm(w)
            if self._both(w):
                s = squares(w)
                rows.append(torch.cat([odd(w) ** 2 * s, -s]))
        if len(rows) < number - 8:
            return undecided("the domain is too small for a fit of Sigma and Cov(x, y)")
        equations = torch.stack(rows)
        if not bool(torch.isfinite(equations).all()):
            return undecided("the loss is not finite at some of the points of the fit")
        _, values, vectors = torch.linalg.svd(equations)
        if float(values[-1]) > 1e-9 * float(values[0]):
            return fails("no Sigma and Cov(x, y) fit the loss")
        if len(values) > 1 and float(values[-2]) <= 1e-9 * float(values[0]):
            return undecided("more than one pair Sigma, Cov(x, y) fits")
        half = size * (size + 1) // 2
        sigma, product = (_symmetric(vectors[-1][k : k + half], size) for k in (0, half))
        sign = 1.0 if float(torch.trace(sigma)) > 0 else -1.0
        sigma, product = sign * sigma, sign * product
        eigenvalues, eigenvectors = torch.linalg.eigh(product)
        low = float(torch.linalg.eigvalsh(sigma)[0])
        if low < -1e-7 or float(eigenvalues[:-1].abs().max() if size > 1 else 0.0) > 1e-6:
            return fails("the Sigma that fits is no covariance")
        c = eigenvectors[:, -1] * eigenvalues[-1].clamp(min=0).sqrt()
        w = self.directions[0].tensor
        level = (float(loss(w)) + float(loss(-w))) / 2
        c = c if odd(w) * float(torch.dot(c, w)) >= 0 else -c
        for _ in range(2 * size + 8):
            w = torch.randn(size, generator=draw, dtype=torch.float64)
            if not self._both(w):
                continue
            below = float((w @ sigma @ w).clamp(min=1e-300)) ** 0.5
            want = level - float(torch.dot(w, c)) / below
            if abs(float(loss(w)) - want) > 1e-6 * abs(level):
                return fails(
                    "the best fit is off here",
                    self.facts.recipe(w, "a random point"),
                )
        return Quotient(level, sigma, c)


def _unit(w: Tensor) -> Tensor:
    found: Tensor = w / torch.linalg.vector_norm(w)
    return found


def _symmetric(entries: Tensor, size: int) -> Tensor:
    full = torch.zeros(size, size, dtype=entries.dtype)
    full[tuple(torch.triu_indices(size, size))] = entries
    return full + full.T - torch.diag(torch.diagonal(full))
