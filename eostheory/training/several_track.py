"""Gradient descent with all eigenvalues near the edge tracked, alone and beside its prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eostheory.curvature import Products
from eostheory.numeric.autodiff import value
from eostheory.numeric.dynamics import checked
from eostheory.numeric.events import NumericEvent
from eostheory.training.checkpoint import digest
from eostheory.training.record import Recorder, Records
from eostheory.training.several import Loss, SeveralDynamics
from eostheory.training.several_top import Top, TopPairs, aligned


@dataclass(frozen=True)
class Unstable:
    """Gradient descent with the eigenvalues near the edge, perhaps beside its prediction.

    Attributes:
        records: the columns that :func:`track_unstable` or :func:`compare_several` names.
        w: (D,), the point at the end.
        step: number of steps that were taken.
        event: what ended the run before its time, or None; rows before it are in ``records``.
        eta: learning rate.
    """

    records: Records
    w: Tensor = field(repr=False)
    step: int
    event: NumericEvent | None
    eta: float

    @property
    def crossings(self) -> dict[int, int]:
        """The recorded step at which the i-th eigenvalue first is ``2/eta`` or more, by i."""
        found: dict[int, int] = {}
        count = sum(name.startswith("sharpness_") for name in self.records.columns)
        for i in range(1, count + 1):
            above = np.nonzero(self.records[f"sharpness_{i}"] >= 2 / self.eta)[0]
            if len(above):
                found[i] = int(self.records["step"][above[0]])
        return found


def track_unstable(
    loss: Loss,
    start: Tensor,
    eta: float,
    steps: int,
    *,
    band: float = 0.05,
    most: int = 4,
    every: int = 1,
    folder: Path | str | None = None,
    resume: bool = False,
) -> Unstable:
    """Gradient descent, and how many eigenvalues of the Hessian are at the edge.

    Args:
        loss: a function of a flat (D,) tensor, or an ``Objective``.
        start: (D,) float64 or float32.
        eta: learning rate.
        steps: of gradient descent; rows are written before steps 0, every, 2 every, ...
        band: an eigenvalue is near the edge from ``(1 - band) 2/eta`` on.
        most: the largest number of eigenvalues to follow.
        folder: where to record, with checkpoints; None for memory.
        resume: go on from the checkpoint in ``folder``, bit for bit.

    Returns:
        An :class:`Unstable`, whose records have the columns ``step``, ``loss``, ``near``
        (eigenvalues near the edge), ``above`` (at or above ``2/eta``), ``turn`` (degrees by which
        the span of the directions has turned since the last row: its largest principal angle),
        ``sharpness_1`` ... ``sharpness_most`` and ``x_1`` ... ``x_most``: the gradient along the
        directions over the curvature there, which is the displacement from the reference point to
        first order.  The basis is continuous: directions keep their number and sign while their
        span moves, so that x_i belongs to the i-th of them, sharpness_i to the i-th eigenvalue.
        What is not near the edge is NaN; where no eigenvalue is, the largest stands for them.

    More eigenvalues near the edge than ``most``, divergence, and eigenpairs that do not converge
    end the run: see its ``event``.

    Raises:
        TypeError: a start that is no tensor of float64 or float32.
        ValueError: a number that means nothing (a step size of zero, ...).
    """
    _check(start, eta, steps, band, most, every)
    names = [f"{letter}_{i + 1}" for letter in ("sharpness", "x") for i in range(most)]
    columns = ["step", "loss", "near", "above", "turn", *names]
    about = {"eta": eta, "band": band, "most": most, "every": every, "start": digest(start)}
    pairs, earlier, begin, w = TopPairs(), None, 0, start.detach().clone()
    with Recorder(columns, folder, configuration=about, resume=resume) as recorder:
        if recorder.restored is not None:
            begin, w = recorder.restored["step"], recorder.restored["w"].to(start.device)
            earlier, pairs = recorder.restored["basis"].to(start.device), TopPairs()
            pairs.restore(recorder.restored["tracker"])
        event, step = None, begin
        try:
            for step in range(begin, steps):
                with Products(loss, w, step=step) as products:
                    if step % every == 0:
                        top = pairs.near_edge(products, eta, band, most)
                        basis = _continued(top, earlier)
                        turn = {"turn": _turn(earlier, basis)}
                        row = _row(products, top, basis, eta, band)
                        recorder.append({"step": step, **row, **turn})
                        earlier = basis
                    w = checked(w - eta * products.gradient, step)
                if earlier is not None:
                    recorder.checkpoint_if_due(step + 1, _state(step + 1, w, earlier, pairs))
            step = max(begin, steps)
        except NumericEvent as met:
            event = met
        end = None if event is not None or earlier is None else _state(step, w, earlier, pairs)()
        recorder.finish(event, end)
        return Unstable(recorder.records(), w, step, event, eta)


def _check(start: Tensor, eta: float, steps: int, band: float, most: int, every: int) -> None:
    """The input of a run, before anything is recorded."""
    if not isinstance(start, Tensor):
        raise TypeError(f"start is of type {type(start).__name__}; pass a flat tensor (D,)")
    if start.dim() != 1 or not len(start):
        raise ValueError(f"start has shape {tuple(start.shape)}; pass all parameters as one (D,)")
    if not 0 < eta < float("inf"):
        raise ValueError(f"eta = {eta}: a learning rate is positive and finite")
    if not 0 <= band < float("inf"):
        raise ValueError(f"band = {band}: the share of 2/eta that counts as near it, zero or more")
    for name, count, least in (("steps", steps, 0), ("most", most, 1), ("every", every, 1)):
        if count != int(count) or count < least:
            raise ValueError(f"{name} = {count}; give a whole number of at least {least}")


def _state(step: int, w: Tensor, basis: Tensor, pairs: TopPairs) -> Callable[[], dict[str, Any]]:
    return lambda: {"step": step, "w": w, "basis": basis, "tracker": pairs.state()}


def _continued(top: Top, earlier: Tensor | None) -> Tensor:
    if earlier is None:
        return top.vectors
    if len(earlier) > len(top.vectors):
        # directions have left: those of the old basis that are closest to the new span remain
        share = torch.linalg.vector_norm(earlier @ top.vectors.T, dim=1)
        kept = torch.sort(torch.topk(share, len(top.vectors)).indices).values
        earlier = earlier[kept]
    return aligned(top.vectors, earlier)


def _turn(earlier: Tensor | None, basis: Tensor) -> float:
    if earlier is None:
        return 0.0
    few, many = sorted((earlier, basis), key=len)
    cosine = torch.linalg.svdvals(few @ many.T).min().clamp(max=1.0)
    return float(torch.rad2deg(torch.arccos(cosine)))


def _row(products: Products, top: Top, basis: Tensor, eta: float, band: float) -> dict[str, float]:
    turn = basis @ top.vectors.T
    x = torch.linalg.solve((turn * top.values) @ turn.T, basis @ products.gradient)
    row = {
        "loss": float(products.value),
        "near": float((top.values >= (1 - band) * 2 / eta).sum()),
        "above": float((top.values >= 2 / eta).sum()),
    }
    row |= {f"sharpness_{i + 1}": float(s) for i, s in enumerate(top.values)}
    return row | {f"x_{i + 1}": float(s) for i, s in enumerate(x)}


def compare_several(
    loss: Loss,
    start: Tensor,
    eta: float,
    steps: int,
    k: int | None = None,
    *,
    every: int | None = 5,
    band: float = 0.1,
    most: int = 4,
    linear: bool = False,
    record_every: int = 1,
    folder: Path | str | None = None,
) -> Unstable:
    """Gradient descent and the predicted dynamics of several directions from the same start.

    Args:
        loss, start, eta, k, every, band, most, linear: see :class:`SeveralDynamics`.
        steps: of both; rows are written before steps 0, record_every, 2 record_every, ...
        folder: where to record; None for memory.

    Returns:
        An :class:`Unstable`, whose records have the columns ``step``, ``loss`` and
        ``predicted_loss``, ``k`` (directions of the prediction),
        ``above`` (eigenvalues of gradient descent at or above 2/eta), ``deviation`` (distance of
        the two iterates) and ``size`` (of gradient descent's displacement along the directions);
        and for i = 1 ... most ``sharpness_i`` (eigenvalues of the Hessian at gradient descent's
        iterate), ``predicted_sharpness_i`` (of the predicted block), ``x_i`` and ``predicted_x_i``
        (coordinates from the reference point in force).  What there is not is NaN.

    What :class:`SeveralDynamics` or gradient descent meets ends the run: see its ``event``.

    Raises:
        TypeError: a start that is no tensor of float64 or float32.
        ValueError: a number that means nothing, or k above ``most``.
    """
    _check(start, eta, steps, band, most, record_every)
    if k is not None and k > most:
        raise ValueError(f"k = {k} directions of at most {most}; raise most=")
    letters = ("sharpness", "predicted_sharpness", "x", "predicted_x")
    names = [f"{letter}_{i + 1}" for letter in letters for i in range(most)]
    first = ["step", "loss", "predicted_loss", "k", "above", "deviation", "size"]
    about = {"eta": eta, "k": k, "every": every, "band": band, "most": most,
             "start": digest(start)}  # fmt: skip
    with Recorder([*first, *names], folder, configuration=about) as recorder:
        w, step, event = start.detach().clone(), 0, None
        pairs = TopPairs()
        try:
            dynamics = SeveralDynamics(
                loss, start, eta, k, every=every, band=band, most=most, linear=linear
            )
            for step in range(steps):
                with Products(loss, w, step=step) as products:
                    if step % record_every == 0:
                        top = pairs(products, min(most, products.size))
                        recorder.append({"step": step, **_beside(products, top, dynamics)})
                    w = checked(w - eta * products.gradient, step)
                dynamics.step()
            step = steps
        except NumericEvent as met:
            event = met
        recorder.finish(event)
        return Unstable(recorder.records(), w, step, event, eta)


def _beside(products: Products, top: Top, dynamics: SeveralDynamics) -> dict[str, float]:
    predicted = dynamics.point
    x, _ = dynamics.reference.coordinates(products.point)
    row = {
        "loss": float(products.value),
        "predicted_loss": float(value(dynamics.loss, predicted)),
        "k": float(len(x)),
        "above": float((top.values >= 2 / dynamics.eta).sum()),
        "deviation": float((products.point - predicted).norm()),
        "size": float(x.norm()),
    }
    for letter, found in (
        ("sharpness", top.values),
        ("predicted_sharpness", dynamics.eigenvalues()),
        ("x", x),
        ("predicted_x", dynamics.x),
    ):
        row |= {f"{letter}_{i + 1}": float(v) for i, v in enumerate(found)}
    return row
