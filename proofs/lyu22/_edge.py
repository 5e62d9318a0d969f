"""Real steps near a manifold of minimizers at the edge of stability, measured at small scales.

A state is prepared at a sequence of base learning rates, one or more steps of scalar RMSprop (flat
case) or of gradient descent with weight decay (spherical case) are taken with autograd gradients,
and the hidden variables are read off through the gradient-flow projection.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import Measured, measured

from . import _notation as n
from ._valley import Array, Valley, renormalized, valley

if TYPE_CHECKING:
    from eostheory.agree import Sample

SCALES = tuple(2.0**-k for k in range(9, 14))
"""Base learning rates of one limit."""

ROUNDINGS = 8
"""Operations behind a top eigenvalue, as its error shows against longer arithmetic."""

SPECTRAL = 2000
"""Operations behind an eigensolver's derivative at these sizes, as ``_near`` counts them."""

Values = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What is drawn: a loss, and the sizes that stay fixed while eta tends to zero.

    Args:
        fade: h is proportional to this power of eta, so that powers of h in an order show.
        aligned: whether the state is O(|h| eta)-misaligned; otherwise x has no preferred axis.
        bounded: whether u stays bounded as eta tends to zero.
    """

    sphere: bool
    dim: int
    rank: int
    seed: int
    h: float = 1.0
    u: float = 1.0
    decay: float = 2.0
    fade: float = 0.0
    aligned: bool = True
    bounded: bool = True

    @property
    def valley(self) -> Valley:
        """The drawn loss."""
        return valley(self.sphere, self.dim, self.rank, self.seed)


@dataclass(frozen=True)
class Point:
    """The spectral picture at a minimizer: the drawn loss's Hessian and what hangs on it."""

    phi: Array
    hessian: Array
    lam: float
    v1: Array
    null: Array
    middle: Array
    gap: float


DRAWS: dict[str, st.SearchStrategy[Any]] = {
    "dimension": st.sampled_from([4, 5]),
    "loss": st.integers(0, 10**6),
    "h": st.sampled_from([0.6, 0.8, 1.0]),
    "u": st.sampled_from([-1.0, -0.5, 0.5, 1.0]),
    "C_b": st.sampled_from([1.0, 1.5, 2.0]),
    "fade": st.sampled_from([0.0, 0.5]),
}


def draw_edge(
    sample: Sample,
    sphere: bool,
    ask: Collection[str] = ("bounded", "aligned"),
    aligned: bool = True,
    last: int = 2,
    fades: bool = True,
    also_aligned: bool = False,
    bend: bool = False,
) -> None:
    """Observe two steps (from t = 0, 2, ... ``last`` - 2) of a drawn state."""
    dim, seed, h, u, decay, fade = (sample.draw(v, k) for k, v in DRAWS.items())
    setting = Setting(
        sphere,
        dim,
        2,
        seed,
        h,
        u,
        decay,
        fade if aligned and fades else 0.0,
        aligned and ("aligned" not in ask or sample.holds("aligned")),
        "bounded" not in ask or sample.holds("bounded"),
    )
    for case in (setting, replace(setting, aligned=True))[: 1 + also_aligned]:
        for t, window in enumerate(edge(case, last)):
            for values in window:
                table: dict[Any, Any] = {
                    n.SYMBOLS[k]: v for k, v in values.items() if k in n.SYMBOLS
                }
                if bend:
                    table[n.B] = projection_bend(setting.valley)
                name = f"from t = {2 * t}" + (", aligned" if case.aligned else "")
                sample.observe(table, scale=float(values["eta"]), series=name)


def look(loss: Valley, phi: Array, toward: Array | None = None) -> Point:
    """Hessian, top eigenpair (turned ``toward`` a vector) and projections at a minimizer."""
    hessian = loss.hessian(phi)
    values, vectors = np.linalg.eigh(hessian)
    rank = loss.rows.shape[0]
    null = vectors[:, :-rank] @ vectors[:, :-rank].T
    top = vectors[:, -1]
    if toward is not None and top @ toward < 0:
        top = -top
    middle = vectors[:, -rank:-1] @ vectors[:, -rank:-1].T
    gap = float(min(values[-1] - values[-2], values[-rank]) / values[-1]) if rank > 1 else 0.5
    return Point(phi, hessian, float(values[-1]), top, null, middle, gap)


def bend(third: Array, a: Array, b: Array) -> Array:
    """A third derivative contracted with two vectors."""
    return np.asarray(third @ a @ b)


@cache
def projection_bend(loss: Valley) -> Measured:
    """Second derivative (out, D, D) of the flow's limit map at the base, by differences of flows.

    Central differences at three distances, extrapolated; what extrapolation changed is the error.
    """
    eye = np.eye(loss.dim)
    pairs = [(i, j) for i in range(loss.dim) for j in range(i + 1)]
    probes = [eye[i] + s * eye[j] for i, j in pairs for s in (1.0, -1.0)]
    reaches = (8e-3, 4e-3, 2e-3)
    # All flows are integrated together: the time goes into calls, not into their length.
    points = np.array([t * reach * p for reach in reaches for p in probes for t in (1.0, -1.0)])
    ends = loss.project(points, 1e-12, unit=False).reshape(len(reaches), -1, loss.dim)
    found = []
    for reach, end in zip(reaches, ends, strict=True):
        second = (end[0::2] + end[1::2]) / reach**2
        found.append((second[0::2] - second[1::2]) / 4)
    once = [(4 * b - a) / 3 for a, b in pairwise(found)]
    best = (16 * once[1] - once[0]) / 15
    slack = float(np.abs(best - once[1]).max())
    table = np.zeros((loss.dim,) * 3)
    for (i, j), value in zip(pairs, best, strict=True):
        table[:, i, j] = table[:, j, i] = value
    return Measured(table, np.full_like(table, slack))


def quadratic_term(loss: Valley, at: Point, third: Array, x: Array) -> Array:
    """The two-step quadratic term of the paper at ``x``, from autograd derivatives."""
    reflect = np.eye(loss.dim) - 2 / at.lam * at.hessian
    turned = reflect @ x
    term = (reflect @ bend(third, x, x) + bend(third, turned, turned)) / at.lam
    if loss.sphere:
        size = np.sum((at.hessian @ x) ** 2) + np.sum((at.hessian @ turned) ** 2)
        term = term + 2 / at.lam**2 * size * (loss.base + at.phi)
    return np.asarray(term)


@cache
def start(setting: Setting) -> tuple[Array, ...]:
    """Prepared parameters (offsets), one per scale, and their gradient-flow projections."""
    loss = setting.valley
    origin = look(loss, np.zeros(loss.dim))
    rng = np.random.default_rng([setting.seed, 7])
    side = rng.normal(size=loss.dim)
    offsets = []
    for eta in SCALES:
        h = setting.h * eta**setting.fade
        stray = h * eta if setting.aligned else 1.0
        offset = eta * h * (origin.v1 + stray * (origin.middle @ side))
        offset = offset + eta ** (2 if setting.aligned else 1.25) * (origin.null @ side)
        offsets.append(renormalized(offset) if loss.sphere else offset)
    theta = np.array(offsets)
    return theta, loss.project(theta)


def _rmsprop(
    loss: Valley, theta: Array, moment: float, eta: float, decay: float, steps: int
) -> Any:
    """Scalar RMSprop in the paper's form: offsets, moments and gradients along ``steps`` steps."""
    beta = 1 - decay * eta**2
    thetas, moments, slopes = [theta], [moment], []
    for _ in range(steps):
        slopes.append(loss.gradient(thetas[-1]))
        bar = float(slopes[-1] @ slopes[-1]) / eta**2
        thetas.append(thetas[-1] - slopes[-1] / np.sqrt(moments[-1]))
        moments.append(beta * moments[-1] + (1 - beta) * bar)
    slopes.append(loss.gradient(thetas[-1]))
    return thetas, moments, slopes


def _weight_decay(loss: Valley, theta: Array, moment: float, eta: float, steps: int) -> Any:
    """Gradient descent with weight decay; the moment is read off the norm of the weights."""
    shrink = -np.expm1(-0.25 * np.log1p(2 * eta**2))  # the product of learning rate and decay
    norm2 = 1.7
    rate = (1 - shrink) * norm2 / np.sqrt(moment)
    weights = np.sqrt(norm2) * (loss.base + theta)
    thetas, moments, slopes = [theta], [moment], [loss.gradient(theta)]
    for _ in range(steps):
        weights = (1 - shrink) * weights - rate * loss.gradient(weights - loss.base)
        length = float(np.linalg.norm(weights))
        thetas.append(renormalized(weights / length))
        moments.append(((1 - shrink) * length**2 / rate) ** 2)
        slopes.append(loss.gradient(thetas[-1]))
    return thetas, moments, slopes


@cache
def edge(setting: Setting, last: int = 2) -> tuple[tuple[Values, ...], ...]:
    """Everything measured around two steps, per origin t = 0, 2, ..., last - 2 and per scale."""
    loss = setting.valley
    theta, phi = start(setting)
    runs, points = [], []
    for eta, offset, foot in zip(SCALES, theta, phi, strict=True):
        at = look(loss, foot, offset - foot)
        u = setting.u if setting.bounded else 0.05 * setting.u * eta**-0.7
        moment = (1 + eta * u) * (at.lam / 2) ** 2
        if loss.sphere:
            runs.append(_weight_decay(loss, offset, moment, eta, last))
        else:
            runs.append(_rmsprop(loss, offset, moment, eta, setting.decay, last))
        points.append(at)
    later = np.array([run[0][1:] for run in runs])
    feet = loss.project(later.reshape(-1, loss.dim)).reshape(later.shape)
    sights = [[at, *(look(loss, f, at.v1) for f in feet[i])] for i, at in enumerate(points)]
    return tuple(
        tuple(
            _read(setting, eta, [part[t : t + 3] for part in run], at[t : t + 3])
            for eta, run, at in zip(SCALES, runs, sights, strict=True)
        )
        for t in range(0, last, 2)
    )


def _spectral(value: Array, at: Point, size: float) -> Measured:
    """A value that went through the eigensolver; ``size`` is that of its argument."""
    return measured(value, SPECTRAL, 20.0 / at.gap * size)


def _read(setting: Setting, eta: float, run: Any, at: list[Point]) -> Values:
    """The named quantities of one run."""
    loss = setting.valley
    thetas, moments, slopes = run
    here = at[0]
    mu = 2 / here.lam
    x = [theta - point.phi for theta, point in zip(thetas, at, strict=True)]
    hat = [theta - here.phi for theta in thetas]
    third = loss.third(here.phi)
    # Through the eigensolver, not through the third derivative that the derivation contracts.
    drift = here.null @ loss.log_sharpness_gradient(here.phi)
    if loss.sphere:
        foot = loss.base + here.phi
        drift = drift - (drift @ foot) * foot
    values: Values = {
        "eta": eta,
        "K": 100.0,
        "C_b": 2.0 if loss.sphere else setting.decay,
        "lam": here.lam,
        "mu": mu,
        "H": here.hessian,
        "U": np.eye(loss.dim) - mu * here.hessian,
        "P0": here.null,
        "v1": here.v1,
        "top2": at[-1].v1,
        "gamma": 0.98 * here.gap,
        "glog": _spectral(drift, here, 1.0),
        "psi_v1": _spectral(quadratic_term(loss, here, third, here.v1), here, 1.0),
        "psi_x": _spectral(quadratic_term(loss, here, third, x[0]), here, float(x[0] @ x[0])),
        "foot": loss.base + here.phi,
        "T": third,
        "Phi_phi": here.phi,
    }
    for t, point in enumerate(at):
        values |= {
            f"theta{t}": thetas[t],
            f"phi{t}": point.phi,
            f"x{t}": x[t],
            f"xhat{t}": hat[t],
            f"nzt{t}": float(np.linalg.norm(point.middle @ x[t])),
            f"nzthat{t}": float(np.linalg.norm(here.middle @ hat[t])),
            f"h{t}": float(point.v1 @ x[t]) / eta,
            f"hhat{t}": float(here.v1 @ hat[t]) / eta,
            f"u{t}": measured((2 / point.lam) ** 2 * moments[t] - 1, ROUNDINGS, 1.0) / eta,
            f"uhat{t}": measured(mu**2 * moments[t] - 1, ROUNDINGS, 1.0) / eta,
            f"rate{t}": 1 / np.sqrt(moments[t]),
            f"gbar{t}": float(np.linalg.norm(slopes[t])) / eta,
            f"loglam{t}": measured(np.log(point.lam), ROUNDINGS, 1.0),
        }
    values["size"] = float(np.linalg.norm(x[0]))
    values["r"] = values["size"] / eta
    known = abs(setting.u) if setting.bounded else 1.0
    values["alpha"] = max(abs(values["h0"]), values["r"], known, 1.0)
    return values
