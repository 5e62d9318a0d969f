"""How often the loss can be differentiated: three times, with a Lipschitz third derivative?

That is assumption 3 of damian23; assumption 4.5 of lyu22 asks for a fourth continuous derivative.
Lines through the domain are searched for places where a derivative jumps.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from eostheory.check import batch
from eostheory.check.context import Context
from eostheory.check.differences import scale_of, shown
from eostheory.check.evaluation import bounds_of, box_of
from eostheory.check.finding import Outcome, Recipe, Status, Undecided, Violated
from eostheory.check.property import no_bug
from eostheory.check.registry import check
from eostheory.check.subject import Subject
from eostheory.check.zoom import Break, Line, Sample, search
from eostheory.numeric.events import BecameNaN

FEW = 16
"""Up to this many coordinates, lines reach through the whole domain."""

ENOUGH = "C3,1"
"""Three derivatives, the third of them Lipschitz."""

DIAGONALS = 8

LEAST = 6
"""Lines on a large loss; each is some 200 gradients."""


@check(
    "smooth",
    group="smoothness",
    summary="The loss is C3 with a Lipschitz third derivative.",
    needs=("gradient",),
    claims=(),
)
def smooth(context: Context) -> Outcome:
    """Along lines through drawn points; the diagonals of the domain, which no plane can evade
    that cuts off a corner, are always among them."""
    subject = context.subject

    def body(w: Tensor, u: Tensor) -> None:
        found = _along(subject, w, u)
        if found is not None:
            raise _violated(subject, w, u, found)

    lines = max(LEAST, context.profile.inputs(subject.size) * 2 // 5)
    inputs: dict[str, Any] = {"w": context.points(), "u": context.directions()}
    outcome = context.property(body, name="smooth", examples=lines, **inputs)
    if outcome.status is not Status.FAIL and context.pinned is None:
        outcome = _diagonals(context, body, outcome)
    if outcome.status is Status.PASS:
        message = outcome.message.replace("holds on", "no derivative jumps on lines through", 1)
        return dataclasses.replace(outcome, message=message, measured=ENOUGH, expected=ENOUGH)
    return outcome


def _diagonals(context: Context, body: Any, outcome: Outcome) -> Outcome:
    """The same property on the diagonals of a box; ``outcome`` where it holds there too."""
    from hypothesis import strategies as st

    from eostheory.check.inputs import written_out

    subject = context.subject
    box = box_of(subject)
    if box is None or not 2 <= subject.size <= FEW or subject.points is not None:
        return outcome
    center = torch.tensor([(a + b) / 2 for a, b in box], dtype=torch.float64).to(subject.start)
    half = torch.tensor([(b - a) / 2 for a, b in box], dtype=torch.float64).to(subject.start)
    generator = context.generator("smooth")
    count = min(DIAGONALS, 2 ** (subject.size - 1))
    for number in range(count):
        if count < DIAGONALS or subject.size == 4:
            bits = [number >> i & 1 for i in range(subject.size)]
        else:
            bits = torch.randint(0, 2, (subject.size,), generator=generator).tolist()
        corner = half * (2.0 * torch.tensor(bits, dtype=torch.float64).to(half) - 1.0)
        u = corner / torch.linalg.vector_norm(corner)
        try:
            body(w=center.clone(), u=u.clone())
        except Undecided:
            continue
        except Violated:
            pinned = {
                "w": st.just(written_out(center)),
                "u": st.just(
                    Recipe(
                        u,
                        f"strategies.unit({corner.tolist()})",
                        {"kind": "unit", "values": corner.tolist()},
                    )
                ),
            }
            again = context.property(body, name="smooth", examples=1, **pinned)
            if again.status is Status.FAIL:
                return again
    return outcome


def _along(subject: Subject, w: Tensor, u: Tensor) -> Break | None:
    low, high = _reach(subject, w, u)
    scale = max(scale_of(w + low * u), scale_of(w + high * u))

    def sample(t: float) -> Sample:
        point = w + t * u
        if point not in subject.domain:
            return math.nan, math.nan
        try:
            value, gradient = subject.objective.value_and_gradient(point)
        except BecameNaN:
            return math.nan, math.nan
        except Exception as error:  # beyond where a loss is defined it may do as it likes
            if not no_bug(error):
                raise
            return math.nan, math.nan
        return float(value), float(torch.dot(gradient, u))

    def many(times: Sequence[float]) -> list[Sample] | None:
        points = [w + t * u for t in times]
        inside = [x in subject.domain for x in points]
        chosen = [x for x, ok in zip(points, inside, strict=True) if ok]
        found = batch.along(subject.objective, torch.stack(chosen), u) if len(chosen) > 1 else None
        if found is None:
            return None
        rows = iter(found)
        return [next(rows) if ok else (math.nan, math.nan) for ok in inside]

    line = Line(sample, scale, many)
    small = subject.size <= 1000
    found = search(line, low, high, 48 if small else 20, 4 if small else 2, not small)
    if not line.known:
        raise Undecided("the line has the point alone in common with the domain")
    if found is None and not any(math.isfinite(v) for v, _ in line.known.values()):
        raise Undecided("the loss is not finite on a whole line")
    return found


def _reach(subject: Subject, w: Tensor, u: Tensor) -> tuple[float, float]:
    """Where the line w + t u leaves the domain; near w where coordinates are many."""
    size = float(torch.linalg.vector_norm(w))
    far = max(4.0, 4 * size) if subject.size <= FEW else max(1.0, size)
    low, high = -far, far
    bounds = bounds_of(subject)
    moves = u != 0
    if bounds is None or not bool(moves.any()):
        return low, high
    first, second = ((end.to(w)[moves] - w[moves]) / u[moves] for end in bounds)
    enter = float(torch.minimum(first, second).max())
    leave = float(torch.maximum(first, second).min())
    return max(low, min(enter, 0.0)), min(high, max(leave, 0.0))


_WHAT = {
    0: "the loss itself",
    1: "the slope",
    2: "the second derivative",
    3: "the third derivative",
}


def _violated(subject: Subject, w: Tensor, u: Tensor, found: Break) -> Violated:
    details: dict[str, Any] = {"t": found.at, "class": found.smoothness}
    place = f"w + {found.at:.6g} u"
    point = w + found.at * u
    if subject.size <= FEW:
        coordinates = ", ".join(f"{x:.5g}" if abs(x) > 1e-9 else "0" for x in point.tolist())
        place = f"({coordinates}) = {place}"
        details["point"] = f"({coordinates})"
    if found.derivative == 4:
        what = (
            f"the third derivative along u is not Lipschitz at {place}: its differences shrink "
            f"only like the power {found.order - 2:.2f} of the distance"
        )
    else:
        jump = found.right - found.left
        what = (
            f"{_WHAT[found.derivative]} along u jumps by {jump:.4g} at {place}: from "
            f"{shown(found.left)} to {shown(found.right)}"
        )
        details["jump"] = jump
    needs = (
        "; the theorems ask for a Lipschitz third derivative (damian23, assumption 3) or a fourth "
        "continuous one (lyu22, assumption 4.5): replace relu, abs, max, clamp or round by smooth "
        "functions (softplus, gelu, logsumexp), or keep kinks out of domain="
    )
    name = "no continuous function" if not found.derivative else f"of class {found.smoothness} only"
    return Violated(
        f"the loss is {name}: {what}{needs}",
        measured=found.smoothness,
        expected=ENOUGH,
        **details,
    )
