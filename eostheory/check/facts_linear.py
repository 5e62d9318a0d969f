"""Two-layer linear networks (li22, section 4): recognised, and followed in closed form.

A network ``f(x) = s A' W x`` with any factor s is that of the paper, ``A' W x/sqrt(m)``, with
weights divided by ``kappa = (s sqrt(m))^(-1/2)`` and a learning rate divided by ``kappa^2``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eostheory.check.facts_network import GIVE
from eostheory.check.hypotheses import Decision, fails, held, undecided

if TYPE_CHECKING:
    from eostheory.check.facts import Facts

RAYS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Multiples of a point at which the loss is looked at: fourth differences need five."""

PROVEN = 112.0
"""The constant in ``m >= 112 c_1 n^2/lambda_r^2`` (lemma C.3)."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A two-layer linear network and its data, in the paper's scale.

    Args:
        x: (d, n) inputs as columns.  y: (n,).  head: (m,).  weights: (m, d).
        eta: learning rate in the paper's scale.
        values: the r nonzero eigenvalues of X'X, descending.  vectors: (n, r).
    """

    x: Tensor = field(repr=False)
    y: Tensor = field(repr=False)
    head: Tensor = field(repr=False)
    weights: Tensor = field(repr=False)
    eta: float
    values: Tensor = field(repr=False)
    vectors: Tensor = field(repr=False)

    @property
    def d(self) -> int:
        """Inputs."""
        return self.x.shape[0]

    @property
    def n(self) -> int:
        """Examples."""
        return self.x.shape[1]

    @property
    def m(self) -> int:
        """Hidden units."""
        return len(self.head)

    @property
    def z(self) -> Tensor:
        """(r,) parts of the labels, ``|Y . v_i|``: the sign of v_i is free."""
        return (self.vectors.T @ self.y).abs()

    @property
    def kappa(self) -> float:
        """``min_i z_i/sqrt(n)`` (assumption C.2)."""
        return float(self.z.min()) / math.sqrt(self.n)

    @property
    def c1(self) -> float:
        """``lambda_1/n``."""
        return float(self.values[0]) / self.n

    @property
    def chi(self) -> float:
        """Largest ratio of neighbouring eigenvalues (assumption C.1)."""
        return float((self.values[:-1] / self.values[1:]).max()) if len(self.values) > 1 else 1.0


@dataclass(frozen=True, eq=False)
class Course:
    """Gradient descent on such a network: sharpness, ``|Gamma|`` and ``D . v_1`` at every step."""

    sharpness: list[float]
    gamma: list[float]
    along: list[float]
    residual: list[float]


class LinearFacts:
    """Measurements on a two-layer linear network."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @cached_property
    def network(self) -> Linear | None:
        """The network in the paper's scale; None where :meth:`recognised` does not hold."""
        return self._found[1]

    def recognised(self) -> Decision:
        """The loss is that of a two-layer linear network."""
        return self._found[0]

    @cached_property
    def _found(self) -> tuple[Decision, Linear | None]:
        if (ground := self.facts.ground()) is not None:
            return ground, None
        net, subject = self.facts.network, self.facts.ctx.subject
        if subject.objective.predictors is None:
            return self._on_rays(), None
        setting = net.setting
        if setting.verdict != "held":
            return setting, None
        layout, x = subject.objective.layout, net.inputs
        assert layout is not None
        shapes = [tuple(shape) for shape in layout.shapes]
        two = len(shapes) == 2 and all(len(s) == 2 for s in shapes)
        if not two or shapes[1] != (1, shapes[0][0]):
            what = ", ".join(map(str, shapes))
            return fails(f"its parameters are {what}"), None
        if not isinstance(x, Tensor) or x.numel() != x.shape[0] * shapes[0][1]:
            return undecided(f"the inputs are not known as one tensor: {GIVE}"), None
        data = x.detach().to(torch.float64).reshape(x.shape[0], -1)
        w, a = self._weights(subject.start, shapes)
        draw = self.facts.generator("linear network")
        scale: float | None = None
        for _ in range(3):
            at = torch.randn(subject.size, generator=draw, dtype=torch.float64)
            hidden, out = self._weights(at, shapes)
            want = data @ hidden.T @ out
            with torch.no_grad():
                seen = subject.objective.predictions(at).reshape(-1)
            here = float(torch.dot(want, seen) / torch.dot(want, want))
            scale = here if scale is None else scale
            off = float((seen - scale * want).abs().max())
            if not scale > 0 or off > 1e-9 * float(seen.abs().max()):
                return fails(
                    "its outputs are not A' W x",
                    self.facts.recipe(at, "random weights"),
                ), None
        assert scale is not None
        assert net.labels is not None
        size = (scale * math.sqrt(len(a))) ** -0.5
        _, s, right = torch.linalg.svd(data.T, full_matrices=False)
        rank = int((s > 1e-10 * s[0]).sum())
        found = Linear(
            data.T, net.labels, a / size, w / size, net.eta / size**2, s[:rank] ** 2,
            right[:rank].T,
        )  # fmt: skip
        return held(f"m = {found.m}, d = {found.d}, n = {found.n}, r = {rank}"), found

    @staticmethod
    def _weights(at: Tensor, shapes: list[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        m, d = shapes[0]
        return at[: m * d].reshape(m, d).to(torch.float64), at[m * d :].to(torch.float64)

    def _on_rays(self) -> Decision:
        """On a ray through 0 such a loss is ``a - b s^2 + c s^4`` with c >= 0 and one a."""
        facts = self.facts
        sign = facts.nonnegative
        if sign.verdict != "held":
            return fails(sign.message, sign.point)
        domain = facts.ctx.subject.domain
        powers = torch.tensor([[1.0, s**2, s**4] for s in RAYS], dtype=torch.float64)
        levels = []
        for here in facts.samples(8):
            w = here.tensor
            if not bool(w.any()) or not all(s * w in domain for s in RAYS):
                continue
            values = torch.tensor(
                [float(facts.ctx.loss(s * w).detach()) for s in RAYS], dtype=torch.float64
            )
            if not bool(torch.isfinite(values).all()):
                continue
            fit = torch.linalg.lstsq(powers, values[:, None]).solution[:, 0]
            off = float((powers @ fit - values).abs().max())
            # The fit multiplies roundings of the loss by less than 100.
            rounding = 1e5 * torch.finfo(torch.float64).eps * float(values.abs().max())
            if off > rounding:
                return fails(
                    "on the ray through this point the loss is no "
                    f"a - b s^2 + c s^4 (off by {off:.3g})", here,
                )  # fmt: skip
            a, b, c = (float(x) for x in fit)
            # a = |Y|^2/n, b = -2 Y.F/n, c = |F|^2/n: Cauchy-Schwarz.
            if b**2 - 4 * a * c > 1e3 * rounding * float(values.abs().max()):
                return fails(
                    "on the ray through this point the loss is "
                    f"{a:.3g} + {b:.3g} s^2 + {c:.3g} s^4, no |s^2 F - Y|^2", here,
                )  # fmt: skip
            levels.append((a, rounding, here))
        for level, rounding, here in levels:
            if abs(level - levels[0][0]) > 100 * (rounding + levels[0][1]):
                return fails(
                    "the value at 0 that rays lead to is "
                    f"{level:.4g} here and {levels[0][0]:.4g} elsewhere", here,
                )  # fmt: skip
        return undecided(f"the loss was given as a {facts.ctx.subject.kind}: {GIVE}")

    # Data and start

    def _with(self, rate: bool = False) -> tuple[Decision | None, Linear]:
        found, network = self._found
        if network is None:
            return found, _NOWHERE
        if rate and not math.isfinite(network.eta):
            return undecided("give a learning_rate=, or run check progressive-sharpening"), network
        return None, network

    def gap(self) -> Decision:
        """``lambda_1 >= 2 lambda_2`` of X'X."""
        none, net = self._with()
        if none is not None:
            return none
        second = float(net.values[1]) if len(net.values) > 1 else 0.0
        ratio = second / float(net.values[0])
        if ratio > 0.5:
            return fails(f"lambda_2 = {ratio:.3g} lambda_1 of X'X, above a half")
        return held(f"lambda_2 = {ratio:.3g} lambda_1, chi = {net.chi:.3g}")

    def labels_spread(self) -> Decision:
        """Assumption C.2: every eigenvector of X'X carries a part of the labels."""
        none, net = self._with()
        if none is not None:
            return none
        if net.kappa <= 1e-12:
            return fails(f"Y . v_{int(net.z.argmin()) + 1} = 0: kappa is not positive")
        return held(f"kappa = {net.kappa:.3g} = {net.kappa * len(net.values):.3g}/r, with the "
                    "signs of v_i chosen")  # fmt: skip

    def realizable(self) -> Decision:
        """``Y' = A' W X`` for some weights."""
        none, net = self._with()
        if none is not None:
            return none
        rest = net.y - net.vectors @ (net.vectors.T @ net.y)
        size = float(torch.linalg.vector_norm(rest) / torch.linalg.vector_norm(net.y))
        if size > 1e-9:
            return fails(f"{size:.3g} of the labels is off the row space of X: no weights fit them")
        return held("the labels are a linear function of the inputs")

    def symmetric_start(self) -> Decision:
        """``a_q = +-1``, ``W'W = (m/d) I``, ``F(0) = 0``, in the paper's scale."""
        none, net = self._with()
        if none is not None:
            return none
        gram = net.weights.T @ net.weights * net.d / net.m
        off = float((gram - torch.eye(net.d, dtype=gram.dtype)).abs().max())
        head = float((net.head.abs() - 1).abs().max())
        outputs = float((net.weights.T @ net.head).abs().max()) / math.sqrt(net.m)
        if max(off, head, outputs) > 1e-9:
            return fails(
                f"the start is not the symmetric one: |a_q| is off 1 by {head:.2g}, W'W off "
                f"(m/d) I by {off:.2g} of it, A'W/sqrt(m) off 0 by {outputs:.2g}",
                self.facts.start,
            )
        return held("the start is symmetric")

    def rate(self) -> Decision:
        """``eta < n d/((d+1) lambda_1)`` (5)."""
        none, net = self._with(rate=True)
        if none is not None:
            return none
        limit = net.n * net.d / ((net.d + 1) * float(net.values[0]))
        text = f"eta = {net.eta:.4g} (in the paper's scale), n d/((d+1) lambda_1) = {limit:.4g}"
        return held(text) if net.eta < limit else fails(text)

    def width(self, named: bool) -> Decision:
        """``m >= 112 c_1 n^2/lambda_r^2``; where the paper says Omega only, less is unknown."""
        none, net = self._with()
        if none is not None:
            return none
        factor = net.m * float(net.values[-1]) ** 2 / (net.c1 * net.n**2)
        text = f"m lambda_r^2/(c_1 n^2) = {factor:.3g}"
        if factor >= PROVEN:
            return held(f"{text} >= 112")
        return fails(f"{text} < 112") if named else undecided(f"{text}; the proof takes 112")

    def samples_c4(self) -> Decision:
        """``n > (70 lambda_r + 25 lambda_r^2)/(196 kappa^2 min(..))``, where min(..) <= 1/4."""
        none, net = self._with()
        if none is not None:
            return none
        low = float(net.values[-1])
        needed = 4 * (70 * low + 25 * low**2) / (196 * max(net.kappa, 1e-300) ** 2)
        text = f"n = {net.n}, and {needed:.4g} is needed for any a_1, a_2"
        return held(f"{text}; for a_1, a_2 near 1/2") if net.n > needed else fails(text)

    def samples_c6(self) -> Decision:
        """The first of the two conditions on n of lemma C.6; the second chooses epsilon."""
        none, net = self._with(rate=True)
        if none is not None:
            return none
        low, ec = float(net.values[-1]), net.eta * net.c1
        least = min(math.exp(-1 / net.chi) - math.exp(-2 / net.chi), ec * (1 - ec))
        if least <= 0:
            return fails(f"eta c_1 = {ec:.4g} is not below 1")
        needed = (70 * low + 25 * low**2) / (98 * max(net.kappa, 1e-300) ** 2 * least)
        text = f"n = {net.n}, and more than {needed:.4g} is needed"
        return held(text) if net.n > needed else fails(text)

    # The run

    @cached_property
    def course(self) -> Course:
        """Some hundred steps in the row space of X, in the paper's scale."""
        net = self.network
        assert net is not None
        n, m, eta = net.n, net.m, net.eta
        steps = 300 if net.m * net.d <= 20_000 else 60
        a, w = net.head.clone(), net.weights.clone()
        course = Course([], [], [], [])
        v = net.vectors
        xv, free = net.x @ v, torch.diag(net.values) / net.d * m
        for _ in range(steps):
            residual = net.x.T @ (w.T @ a) / math.sqrt(m) - net.y
            features = w @ xv
            inner = features.T @ features
            gram = 2 / (m * n) * (torch.dot(a, a) * torch.diag(net.values) + inner)
            gamma = 2 / (m * n) * (inner - free)
            course.sharpness.append(float(torch.linalg.eigvalsh(gram)[-1]))
            course.gamma.append(float(torch.linalg.matrix_norm(gamma, 2)))
            course.along.append(float(torch.dot(residual, v[:, 0])))
            course.residual.append(float(torch.linalg.vector_norm(residual)))
            if not course.residual[-1] < 1e9 * math.sqrt(n):
                break
            push = net.x @ residual * (2 / (n * math.sqrt(m)))
            a, w = a - eta * w @ push, w - eta * torch.outer(a, push)
        return course

    @property
    def c2(self) -> float:
        """``m max_t |Gamma(t)|`` (assumption C.3)."""
        net = self.network
        assert net is not None
        return net.m * max(self.course.gamma)

    def gamma_bounded(self) -> Decision:
        """Assumption C.3."""
        none, net = self._with(rate=True)
        if none is not None:
            return none
        if self.course.residual[-1] > 1e6 * math.sqrt(net.n):
            return fails(f"gradient descent diverges within {len(self.course.gamma)} steps",
                         self.facts.start)  # fmt: skip
        return held(f"c_2 = {self.c2:.3g} over {len(self.course.gamma)} steps")

    def sharpness_bounded(self) -> Decision:
        """Assumption C.5: ``Lambda <= 4 (1 - beta)/eta``."""
        none, net = self._with(rate=True)
        if none is not None:
            return none
        share = max(self.course.sharpness) * net.eta / 4
        if share >= 1:
            step = next(t for t, s in enumerate(self.course.sharpness) if s * net.eta >= 4)
            return fails(f"Lambda = {4 * share:.3g}/eta is met (above 4/eta from step {step} on)",
                         self.facts.start)  # fmt: skip
        return held(f"beta = {1 - share:.3g} over {len(self.course.sharpness)} steps")

    def top_component(self) -> Decision:
        """Assumption C.4: ``|D . v_1| > c_3 sqrt(n)/m`` when Phase II begins."""
        none, net = self._with(rate=True)
        if none is not None:
            return none
        first = next((t for t, s in enumerate(self.course.sharpness) if s * net.eta > 2), None)
        if first is None:
            return undecided(
                f"Phase II (Lambda > 2/eta) was not met in {len(self.course.sharpness)} steps: a "
                "larger learning_rate= would tell"
            )
        constant = abs(self.course.along[first]) * net.m / math.sqrt(net.n)
        if constant == 0:
            return fails(f"D . v_1 = 0 at step {first}", self.facts.start)
        return held(f"c_3 = {constant:.3g} at step {first}")

    def sizes(self) -> Decision:
        """``n > C_1 lambda_r eta``, ``m > max(C_2 d^2 n^2/lambda_r^2, C_3 eta)``: unnamed C."""
        none, net = self._with(rate=True)
        if none is not None:
            return none
        low = float(net.values[-1])
        return undecided(
            "the constants are not named in the paper; here n/(lambda_r eta) = "
            f"{net.n / (low * net.eta):.3g}, m lambda_r^2/(d n)^2 = "
            f"{net.m * low**2 / (net.d * net.n) ** 2:.3g}, m/eta = {net.m / net.eta:.3g}"
        )

    def width_c8(self) -> Decision:
        """``m >= eta c_2 (d+1)`` (lemma C.8)."""
        return self._wide(lambda net: net.eta * self.c2 * (net.d + 1), "eta c_2 (d+1)")

    def width_c9(self) -> Decision:
        """The two conditions of lemma C.9, for small c_5."""

        def least(net: Linear) -> float:
            share = 1 - max(self.course.sharpness) * net.eta / 4
            first = 3 * net.eta * self.c2 * (net.d + 1) / (2 * net.d)
            return max(first, net.eta * self.c2 / (2 * max(share, 1e-300)))

        return self._wide(least, "what lemma C.9 asks for with small c_5")

    def _wide(self, least: object, what: str) -> Decision:
        none, net = self._with(rate=True)
        if none is not None:
            return none
        assert callable(least)
        needed = float(least(net))
        text = f"m = {net.m}, {what} = {needed:.4g}"
        return held(text) if net.m > needed or net.m == needed else fails(text)


_NOWHERE = Linear(*(torch.zeros(0),) * 4, 0.0, torch.zeros(0), torch.zeros(0))
