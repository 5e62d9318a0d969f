"""What li22 asks for: a network with a linear output layer, squared error, labels +-1, and how
its residual and Gram matrix move in the first steps of gradient descent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from eostheory.check.hypotheses import Decision, fails, held, undecided

if TYPE_CHECKING:
    from eostheory.check.facts import Facts

STEPS = 12
"""Steps of gradient descent after which the Gram matrix of a general network is looked at."""

EXAMPLES = 500
"""Examples up to which it is looked at, each at the cost of a gradient."""

ENTRIES = 4_000_000
"""Entries of a Jacobian (examples times parameters) up to which it is formed."""

GIVE = "give a module with its data: check_loss(module, (inputs, targets), criterion=...)"


@dataclass(frozen=True, eq=False)
class Moment:
    """Step t of gradient descent on a network.

    Args:
        w: (D,) parameters.
        residual: D(t), (n,).
        outputs: F(t), (n,).
        gram: M(t) = (2/n) J J', (n, n).
        values, vectors: its eigenpairs, ascending.
        head: ``|A(t)|^2``, of the output layer.
    """

    step: int
    w: Tensor = field(repr=False)
    residual: Tensor = field(repr=False)
    outputs: Tensor = field(repr=False)
    gram: Tensor = field(repr=False)
    values: Tensor = field(repr=False)
    vectors: Tensor = field(repr=False)
    head: float


class NetworkFacts:
    """Measurements on a network; each says first whether there is one."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        subject = facts.ctx.subject
        self.module: nn.Module | None = getattr(subject, "module", None)
        self.inputs = getattr(subject, "inputs", None)
        self.targets = getattr(subject, "targets", None)

    @cached_property
    def eta(self) -> float:
        """Learning rate: as given, else of the real run; NaN where there was none."""
        given = self.facts.ctx.subject.learning_rate
        if given is not None:
            return float(given)
        if self.facts.not_run("progressive-sharpening") is not None:
            return math.nan
        return float(self.facts.ctx.run.eta)

    @cached_property
    def labels(self) -> Tensor | None:
        """(n,) targets, if they are one number per example."""
        if not isinstance(self.targets, Tensor) or not self.targets.numel():
            return None
        flat = self.targets.detach().to(torch.float64)
        return flat.reshape(-1) if flat.numel() == flat.shape[0] else None

    @cached_property
    def setting(self) -> Decision:
        """Section 2: ``f(theta, x)`` is one number, the loss is the mean squared error."""
        if (ground := self.facts.ground("differentiable", "gradient")) is not None:
            return ground
        subject = self.facts.ctx.subject
        if subject.objective.predictors is None:
            sign = self.facts.nonnegative
            if sign.verdict != "held":
                return fails(f"no squared error: {sign.message}", sign.point)
            return undecided(f"the loss was given as a {subject.kind}, not as a network: {GIVE}")
        with torch.no_grad():
            outputs = subject.objective.predictions(subject.start)
        if outputs.numel() != outputs.shape[0]:
            shape = tuple(outputs.shape[1:])
            return fails(f"the network has outputs of shape {shape} per example, not one number")
        if self.targets is None:
            return undecided("the targets are not known here (batches that are read anew)")
        if self.labels is None or len(self.labels) != outputs.shape[0]:
            return fails("the targets are not one number per example")
        loss = float(subject.loss(subject.start).detach())
        squared = float(((outputs.reshape(-1) - self.labels) ** 2).mean())
        if not math.isfinite(loss + squared):
            return undecided(f"the loss at the start is {loss}: give start= where it is finite")
        if abs(loss - squared) > 1e-9 * max(abs(loss), abs(squared), 1e-300):
            return fails(
                f"the loss at the start is {loss:.6g}, the mean squared error {squared:.6g}",
                self.facts.start,
            )
        return held(f"one output, mean squared error on {len(self.labels)} examples")

    def output_layer(self) -> Decision:
        """``f = A' h(W, x)``: twice the weights of the output layer, twice the outputs."""
        setting = self.setting
        if setting.verdict != "held":
            return setting
        subject = self.facts.ctx.subject
        layout = subject.objective.layout
        if layout is None or layout.output is None:
            return fails("the module has no output layer with a weight matrix")
        w = subject.start.detach().clone()
        w[layout.slice(layout.output)] *= 2
        with torch.no_grad():
            once, twice = (subject.objective.predictions(x) for x in (subject.start, w))
        off = float((twice - 2 * once).abs().max())
        if off > 1e-9 * float(twice.abs().max() + once.abs().max()):
            return fails(
                f"twice the weights {layout.output} are not twice the outputs (off by {off:.3g}): "
                "a bias, or a nonlinearity after them",
                self.facts.start,
            )
        return held(f"the outputs are linear in {layout.output}")

    def signs(self) -> Decision:
        """Binary labels."""
        setting = self.setting
        if setting.verdict != "held" or self.labels is None:
            return setting
        wrong = (self.labels.abs() != 1).nonzero()
        if len(wrong):
            k = int(wrong[0])
            return fails(f"label {k} is {float(self.labels[k]):.4g}, not +1 or -1")
        return held(f"{len(self.labels)} labels are +1 or -1")

    def silent_start(self) -> Decision:
        """``F(0) = 0``."""
        setting = self.setting
        if setting.verdict != "held":
            return setting
        first = self.moments[0]
        size = float(first.outputs.abs().max())
        if size > 1e-12 * float(first.residual.abs().max()):
            return fails(f"the largest output at the start is {size:.3g}", self.facts.start)
        return held("F = 0 at the start")

    # The run

    @cached_property
    def moments(self) -> tuple[Moment, ...]:
        """The first steps of gradient descent with the learning rate of the run."""
        subject = self.facts.ctx.subject
        examples = len(self.labels) if self.labels is not None else 0
        count = STEPS if examples <= EXAMPLES // 8 else 2
        if not math.isfinite(self.eta):
            raise ValueError("give a learning_rate=, or run check progressive-sharpening")
        if examples * subject.size > ENTRIES or examples > EXAMPLES:
            raise ValueError(f"the Jacobian of {examples} outputs is too large to be formed here")
        found, w = [], subject.start.detach().clone()
        for step in range(count + 1):
            found.append(self._moment(step, w))
            _, gradient = subject.objective.value_and_gradient(w)
            w = w - self.eta * gradient
        return tuple(found)

    def _moment(self, step: int, w: Tensor) -> Moment:
        outputs, jacobian = self._jacobian(w)
        assert self.labels is not None
        gram = 2 / len(outputs) * jacobian @ jacobian.T
        values, vectors = torch.linalg.eigh((gram + gram.T) / 2)
        layout = self.facts.ctx.subject.objective.layout
        head = w[:0]
        if layout is not None and layout.output is not None:
            head = w[layout.slice(layout.output)]
        return Moment(
            step, w, outputs - self.labels, outputs, gram, values, vectors,
            float(torch.dot(head, head)),
        )  # fmt: skip

    def _jacobian(self, w: Tensor) -> tuple[Tensor, Tensor]:
        leaf = w.detach().clone().requires_grad_(True)
        outputs = self.facts.ctx.subject.objective.predictions(leaf).reshape(-1)
        rows = [torch.autograd.grad(f, leaf, retain_graph=True)[0] for f in outputs]
        return outputs.detach(), torch.stack(rows)

    def _run(self) -> tuple[Decision | None, tuple[Moment, ...]]:
        setting = self.setting
        return (setting, ()) if setting.verdict != "held" else (None, self.moments)

    def _bad(self, message: str, moment: Moment) -> Decision:
        what = f"step {moment.step} of gradient descent"
        return fails(f"{message} at {what}", self.facts.recipe(moment.w, what))

    def _seen(self) -> str:
        return f"in the first {len(self.moments) - 1} steps with eta = {self.eta:.4g}"

    def same_direction(self) -> Decision:
        """Assumption 3.1."""
        none, moments = self._run()
        if none is not None:
            return none
        for a, b in pairwise(moments):
            up, out = float(b.values[-1] - a.values[-1]), b.head - a.head
            if up * out < 0:
                return self._bad(
                    f"the sharpness changes by {up:.3g}, |A|^2 by {out:.3g},", a
                )  # fmt: skip
        return held(f"{self._seen()}")

    def first_order(self) -> Decision:
        """Assumption 3.2, literally: ``D(t+1) - D(t) = -eta M D`` and the same of ``|A|^2``."""
        none, moments = self._run()
        if none is not None:
            return none
        a, b = moments[0], moments[1]
        want = -self.eta * a.gram @ a.residual
        off = float(torch.linalg.vector_norm(b.residual - a.residual - want))
        size = float(torch.linalg.vector_norm(want))
        growth = -4 * self.eta / len(a.residual) * float(torch.dot(a.residual, a.outputs))
        off_head = abs(b.head - a.head - growth)
        rounding = 1e-11 * (float(torch.linalg.vector_norm(a.residual)) + a.head + size)
        if off > rounding or off_head > rounding:
            part = f"{off / size:.2g} of the change of D" if size > 0 else f"{off:.2g}"
            return self._bad(
                f"the first-order update is off by {part} and by {off_head:.2g} in |A|^2", a
            )
        return held(f"exact up to rounding {self._seen()}")

    def flow(self) -> Decision:
        """Assumption 3.3, literally: below 2/eta the residual follows gradient flow."""
        none, moments = self._run()
        if none is not None:
            return none
        if float(moments[0].values[-1]) >= 2 / self.eta:
            return undecided("the start is not in Phase I: its sharpness is not below 2/eta")
        objective = self.facts.ctx.subject.objective

        def along(pieces: int) -> Tensor:
            w, h = moments[0].w, self.eta / pieces
            for _ in range(pieces):
                k: list[Tensor] = []
                for part in (0.0, 0.5, 0.5, 1.0):
                    at = w - h * part * k[-1] if k else w
                    k.append(objective.value_and_gradient(at)[1])
                w = w - h / 6 * (k[0] + 2 * k[1] + 2 * k[2] + k[3])
            with torch.no_grad():
                return objective.predictions(w).reshape(-1)

        coarse, fine = along(8), along(16)
        error = float(torch.linalg.vector_norm(fine - coarse)) + 1e-12
        off = float(torch.linalg.vector_norm(fine - moments[1].outputs))
        size = float(torch.linalg.vector_norm(moments[1].outputs - moments[0].outputs))
        if off > 4 * error:
            return self._bad(
                f"one step differs from gradient flow by {off / max(size, 1e-300):.2g} of itself",
                moments[0],
            )
        return held("the first step is that of gradient flow up to the integration's error")

    def bounded(self) -> Decision:
        """Assumption 3.4: ``eta Lambda`` stays bounded."""
        none, moments = self._run()
        if none is not None:
            return none
        return held(f"eta Lambda <= {self.eta * max(float(m.values[-1]) for m in moments):.4g} "
                    f"{self._seen()}")  # fmt: skip

    def fixed_eigenvectors(self) -> Decision:
        """Assumption 3.5 (i): M(t) and M(0) have the same eigenvectors, i.e. commute."""
        none, moments = self._run()
        if none is not None:
            return none
        a = moments[0]
        size = float(torch.linalg.matrix_norm(a.gram))
        for b in moments[1:]:
            off = float(torch.linalg.matrix_norm(a.gram @ b.gram - b.gram @ a.gram))
            scale = size * float(torch.linalg.matrix_norm(b.gram))
            if off > 1e-11 * scale:
                return self._bad(f"|[M(0), M(t)]| = {off / scale:.2g} |M(0)| |M(t)|", b)
        return held(f"M(t) commutes with M(0) {self._seen()}")

    def slow_eigenvectors(self) -> Decision:
        """Assumption 3.5 (ii), condition (20): ``F . dv_i/dt < lambda_i D . v_i``."""
        none, moments = self._run()
        if none is not None:
            return none
        for a, b in pairwise(moments):
            signs = torch.sign((a.vectors * b.vectors).sum(0))
            rate = (b.vectors * signs - a.vectors) / self.eta
            # The sign of v_i is free: the paper takes the one with D . v_i > 0 at the start.
            turn = torch.sign(a.vectors.T @ a.residual)
            left = turn * (rate.T @ a.outputs)
            right = turn * a.values * (a.vectors.T @ a.residual)
            for i in range(len(right)):
                if float(left[i]) > float(right[i]) + 1e-9 * abs(float(right[i])):
                    return self._bad(
                        f"F . dv/dt = {float(left[i]):.3g} for eigenvalue {float(a.values[i]):.3g}"
                        f" is above {float(right[i]):.3g}", a,
                    )  # fmt: skip
        return held(self._seen())

    def top_turns_slowly(self) -> Decision:
        """Assumption 3.5 (iii): ``<v_1(t), v_1(t+1)> >= 1 - eps_2``."""
        none, moments = self._run()
        if none is not None:
            return none
        cosines = [
            abs(float(torch.dot(a.vectors[:, -1], b.vectors[:, -1]))) for a, b in pairwise(moments)
        ]
        worst = min(range(len(cosines)), key=cosines.__getitem__)
        if cosines[worst] < 0.5:
            return self._bad(f"v_1 turns: <v_1(t), v_1(t+1)> = {cosines[worst]:.3g}",
                             moments[worst])  # fmt: skip
        return held(f"eps_2 = {max(0.0, 1 - cosines[worst]):.2g} {self._seen()}")

    def residual_on_top(self) -> Decision:
        """Assumption 3.6, with sqrt(2 eps_2) for eps_2 as corrected: D has a part along v_1."""
        none, moments = self._run()
        if none is not None:
            return none
        first = next((m for m in moments if float(m.values[-1]) > 2 / self.eta), None)
        if first is None:
            return undecided(f"Phase II (Lambda > 2/eta) was not met {self._seen()}: give a larger "
                             "learning_rate= or a start nearer to it")  # fmt: skip
        part = abs(float(torch.dot(first.residual, first.vectors[:, -1])))
        share = part / max(float(torch.linalg.vector_norm(first.residual)), 1e-300)
        turning = self.top_turns_slowly()
        if turning.verdict != "held":
            return turning
        cosine = min(abs(float(torch.dot(a.vectors[:, -1], b.vectors[:, -1])))
                     for a, b in pairwise(moments))  # fmt: skip
        needed = math.sqrt(2 * max(0.0, 1 - cosine))
        if share <= needed:
            return self._bad(f"|D . v_1| = {share:.3g} |D|, not above sqrt(2 eps_2) = "
                             f"{needed:.3g},", first)  # fmt: skip
        return held(f"|D . v_1| = {share:.3g} |D| > sqrt(2 eps_2) = {needed:.3g}")

    def others_below(self) -> Decision:
        """Assumption 3.7: every eigenvalue but the top one is below 1/eta."""
        none, moments = self._run()
        if none is not None:
            return none
        for m in moments:
            if len(m.values) > 1 and float(m.values[-2]) >= 1 / self.eta:
                return self._bad(
                    f"the second eigenvalue of M is {float(m.values[-2]) * self.eta:.4g}/eta", m
                )
        return held(self._seen())

    def full_rank(self) -> Decision:
        """``lambda_min(M(t)) > lambda_r > 0`` (lemma 3.5)."""
        none, moments = self._run()
        if none is not None:
            return none
        for m in moments:
            if float(m.values[0]) <= 1e-12 * float(m.values[-1]):
                return self._bad("the Gram matrix is singular", m)
        return held(f"lambda_min(M) >= {min(float(m.values[0]) for m in moments):.3g} "
                    f"{self._seen()}")  # fmt: skip

    def residual_signs(self) -> Decision:
        """``D(0) . v_i(0) > 0`` (lemma E.7), for v_i up to sign: not zero."""
        none, moments = self._run()
        if none is not None:
            return none
        parts = moments[0].vectors.T @ moments[0].residual
        least = float(parts.abs().min())
        if least <= 1e-12 * float(torch.linalg.vector_norm(moments[0].residual)):
            return self._bad("D . v_i = 0 for some i", moments[0])
        return held(f"|D . v_i| >= {least:.3g} at the start, with the sign of v_i chosen")
