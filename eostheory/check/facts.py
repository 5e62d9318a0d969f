"""Small measured facts about one loss that hypotheses of theorems are decided from."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eostheory.check.finding import Outcome, Recipe, Status
from eostheory.check.hypotheses import (
    Decision,
    Hypothesis,
    fails,
    from_check,
    held,
    point_of,
    tried,
    undecided,
    unmended,
)
from eostheory.check.inputs import start_itself, written_out
from eostheory.check.property import no_bug

if TYPE_CHECKING:
    from eostheory.check.context import Context
    from eostheory.check.facts_edge import EdgeFacts
    from eostheory.check.facts_linear import LinearFacts
    from eostheory.check.facts_network import NetworkFacts
    from eostheory.check.facts_sphere import SphereFacts

FEW = 16
"""Up to this many coordinates a point is written out."""


class Facts:
    """What is known about one loss: outcomes of the checks, and measurements made on demand.

    Every decision and every measurement is made once.

    Args:
        ctx: the loss, its domain and its real runs.
        outcomes: of the checks, by name; what was not run is absent.
    """

    def __init__(self, ctx: Context, outcomes: Mapping[str, Outcome]) -> None:
        self.ctx = ctx
        self.outcomes = outcomes
        self._decisions: dict[str, Decision] = {}

    def decision(self, hypothesis: Hypothesis) -> Decision:
        """Whether ``hypothesis`` holds; unknown where what decides it cannot be measured."""
        known = self._decisions.get(hypothesis.name)
        if known is None:
            try:
                known = hypothesis.decide(self)
            # A strange loss may raise anything; that is reported by the checks, not by this one.
            except Exception as error:
                if not no_bug(error):
                    raise
                what = str(error).splitlines()[0] if str(error) else type(error).__name__
                known = undecided(f"it could not be measured: {what}")
            self._decisions[hypothesis.name] = known
        return known

    # One object per family of measurements, so that none is made for a theorem out of reach.

    @cached_property
    def edge(self) -> EdgeFacts:
        """What is measured at points of the constrained trajectory."""
        from eostheory.check.facts_edge import EdgeFacts

        return EdgeFacts(self)

    @cached_property
    def sphere(self) -> SphereFacts:
        """What is measured at minimizers and on the unit sphere."""
        from eostheory.check.facts_sphere import SphereFacts

        return SphereFacts(self)

    @cached_property
    def network(self) -> NetworkFacts:
        """What is measured on the network and its data."""
        from eostheory.check.facts_network import NetworkFacts

        return NetworkFacts(self)

    @cached_property
    def linear(self) -> LinearFacts:
        """What is measured on a two-layer linear network."""
        from eostheory.check.facts_linear import LinearFacts

        return LinearFacts(self)

    def ground(self, *checks: str) -> Decision | None:
        """What to mend before a measurement means anything; None if nothing."""
        always = ("evaluates", "pure", "deterministic", "double-precision")
        return unmended(self.outcomes, (*always, *checks))

    def generator(self, name: str) -> torch.Generator:
        """Random numbers of one use, the same for every seed of the checks: so are verdicts."""
        return torch.Generator().manual_seed(zlib.crc32(name.encode()))

    def not_run(self, *checks: str) -> Decision | None:
        """What to run, where none of these checks was: measurements are not made for them then."""
        if any(name in self.outcomes for name in checks):
            return None
        return undecided(f"run check {checks[0]}")

    def recipe(self, w: Tensor, what: str) -> Recipe:
        """A point (D,) for a report: its coordinates if they are few, else what it is."""
        if len(w) <= FEW:
            return written_out(w)
        return Recipe(w.detach().clone(), f"<{what}>", {"kind": "described", "what": what})

    @property
    def start(self) -> Recipe:
        """The start of the real runs."""
        return start_itself(self.ctx.subject)

    def passed(self, *checks: str) -> bool:
        """Whether all of these checks passed."""
        found = [self.outcomes.get(name) for name in checks]
        return all(o is not None and o.status is Status.PASS for o in found)

    @cached_property
    def exact_class(self) -> str:
        """Why the loss is analytic, if that is derived from its expression; else empty."""
        expression = self.ctx.subject.expression
        if expression is None:
            return ""
        formula, variables = expression
        if formula.is_polynomial(*variables):
            return "a polynomial"
        import sympy

        entire = (sympy.exp, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, sympy.tanh)
        for node in sympy.preorder_traversal(formula):
            power = isinstance(node, sympy.Pow) and node.exp.is_Integer and node.exp.is_positive
            plain = isinstance(node, (sympy.Add, sympy.Mul, *entire)) or not node.args
            if not (power or plain):
                return ""
        return "composed of entire functions"

    def smooth(self, order: int) -> Decision:
        """Whether the loss is C^order on its domain, from the class that was measured."""
        if self.exact_class:
            return held(f"exact: the expression is {self.exact_class}")
        outcome = self.outcomes.get("smooth")
        if outcome is None or outcome.status is not Status.FAIL:
            found = from_check(self, "smooth")
            if order >= 4 and found.verdict == "held" and outcome is not None:
                note = "points tell C^3 with a Lipschitz third derivative, which is what proofs use"
                return held(f"smooth {tried(outcome)} ({note})")
            return found
        seen = re.search(r"C\^?([0-9])", str(outcome.measured or ""))
        if seen and int(seen[1]) >= order:
            return held(f"smooth found C{seen[1]}, which is enough here")
        return fails(f"smooth failed: {outcome.message}", point_of(outcome))

    def lipschitz(self) -> Decision:
        """Whether the third derivative is Lipschitz where it was looked at."""
        if self.exact_class:
            return held(f"exact: the expression is {self.exact_class}")
        return from_check(self, "smooth")

    @cached_property
    def compact(self) -> bool:
        """Whether the domain is bounded, with the boundary it has."""
        domain = self.ctx.subject.domain
        box = math.isfinite(domain.low) and math.isfinite(domain.high)
        return box or (domain.center is not None and math.isfinite(domain.radius))

    def bounded_sharpness(self) -> Decision:
        """Whether ``S <= ell`` everywhere (damian23, lemma 1)."""
        smooth = self.smooth(2)
        if smooth.verdict != "held":
            return smooth
        expression = self.ctx.subject.expression
        if expression is not None:
            import sympy

            formula, variables = expression
            if formula.is_polynomial(*variables) and (
                sympy.Poly(formula, *variables).total_degree() <= 2
            ):
                return held("exact: a polynomial of degree 2 has one Hessian")
        domain = self.ctx.subject.domain
        if self.compact and domain.declared:
            return held("a continuous Hessian is bounded on the declared domain, which is bounded")
        return undecided(
            "whether the sharpness is bounded everywhere no number of points tells: declare a "
            "bounded domain=, on which it is"
        )

    def weight_decay_times_rate(self, limit: float, strict: bool = True) -> Decision:
        """Whether ``eta lambda`` is below ``limit``; a choice where it was not given."""
        subject = self.ctx.subject
        sign = "<" if strict else "<="
        if subject.learning_rate is None or subject.weight_decay is None:
            return held(f"for learning rates and weight decays with eta lambda {sign} {limit:g}")
        product = subject.learning_rate * subject.weight_decay
        if product < limit or (not strict and product == limit):
            return held(f"eta lambda = {product:.4g} {sign} {limit:g}")
        return fails(f"eta lambda = {product:.4g}, which is not {sign} {limit:g}")

    def weight_decay_used(self) -> Decision:
        """Whether there is weight decay; a choice where it was not given."""
        given = self.ctx.subject.weight_decay
        if given is None:
            return held("for runs with weight decay")
        if given > 0:
            return held(f"weight decay {given:g}")
        return fails(f"weight decay is {given:g}: without it the norm of w only grows")

    @cached_property
    def nonnegative(self) -> Decision:
        """A squared error is nowhere negative: a sample of points may refute that."""
        points = self.samples(16)
        values = [float(self.ctx.loss(p.tensor).detach()) for p in points]
        rounding = 1e3 * torch.finfo(torch.float64).eps * max(1.0, *map(abs, values))
        for point, value in zip(points, values, strict=True):
            if value < -rounding:
                return fails(
                    f"the loss is {value:.4g} here, and a squared error is never negative",
                    point,
                )
        return held("no negative value was met")

    def samples(self, count: int) -> list[Recipe]:
        """Points (D,) of the domain that print in few characters, the start first.

        Fewer where the domain is thin, and the start alone where the user draws the points.
        """
        from eostheory.strategies import direction

        subject = self.ctx.subject
        found = [self.start]
        if subject.points is not None:
            return found
        draw = self.generator("samples")
        size = subject.size
        longest = radius = max(1.0, float(torch.linalg.vector_norm(subject.start)))
        for seed in range(20 * count):
            if len(found) >= count:
                break
            if size <= FEW:
                step = torch.randn(size, generator=draw, dtype=torch.float64)
                recipe = written_out(torch.round(subject.start + step, decimals=1) + 0.0)
            else:
                radius = float(f"{radius:.2g}")
                code = f"start + {radius:g} * strategies.direction({size}, seed={seed})"
                data = {
                    "kind": "around", "size": size, "radius": radius, "seed": seed, "start": True,
                }  # fmt: skip
                recipe = Recipe(subject.start + radius * direction(size, seed), code, data)
            if recipe.tensor in subject.domain and bool(recipe.tensor.any()):
                found.append(recipe)
            elif size > FEW and radius > longest / 100:
                radius /= 2  # of many coordinates some step out of the domain
        return found
