"""Eq. (4) integrated over one period: the simulations of ``corollary_1``."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import Measured, Sample, derivatives
from eostheory.formula import scalar
from eostheory.numeric.losses import Draw

from ._common import delta
from ._flow import X0, Flow, Table, Xt, Yt

C_x = scalar("C_x", "C", positive=True)
C_y = scalar("C_y", "C'", positive=True)
rates = {
    "Y with alpha": scalar("dY_dalpha", r"\partial_\alpha \max_t |Y(t)|"),
    "Y with beta": scalar("dY_dbeta", r"\partial_\beta \max_t |Y(t)|"),
    "X with alpha": scalar("dX_dalpha", r"\partial_\alpha \max_t X(t)"),
    "X with beta": scalar("dX_dbeta", r"\partial_\beta \max_t X(t)"),
}


def orbit(sample: Sample, flow: Flow, ell_: float, rest: Table) -> None:
    """Eq. (4) over one period from (delta exp(-ell), 0)."""
    first = flow.delta * float(np.exp(-ell_))
    times = np.linspace(0.0, 1.0, 17)
    if ell_ > 1e-3:
        # one period, and the places where |Y| is largest
        turns = flow.turns(first)
        times = np.sort(np.concatenate([turns[-1] * times, turns[:-1]]))
    start = (first, 0.0 if sample.holds("start") else 4 * float(np.sqrt(flow.a * (1 + ell_))))
    about: Table = {**flow.table, delta: Measured(flow.delta, 4 * 2.0**-52 * flow.delta), X0: first}
    for x, y in flow.states(start, times):
        sample.observe({**about, **rest, Xt: x, Yt: y})


def spread(sample: Sample, low: float, high: float) -> float:
    """log(delta/X(0)), generic."""
    return float(Draw(sample.draw(st.integers(0, 2**20), "ell")).uniform(low, high, 1)[0])


def corollary(sample: Sample) -> None:
    """Starts below delta/e; or, where that is withheld, as close to delta as it takes."""
    constant = 2.0
    ell_ = spread(sample, 1.0, 6.0)
    if not sample.holds("far"):
        constant = sample.draw(st.sampled_from([2.0, 30.0, 1000.0]), "C")
        ell_ = spread(sample, 0.01, 0.5) / constant**2
    flow = Flow.drawn(sample)
    rest: Table = {C_x: constant, C_y: Measured(2.0**0.5, 2.0**-52)}
    # delta on either side of 1, so that no unit of length is special
    places = [(1.0, ell_), (400.0, min(ell_, 1.3))]
    if sample.holds("far"):
        # where the best constant for Y shows
        places.append((1.0, 600.0))
    for scale, distance in places:
        orbit(sample, Flow(flow.a, flow.b / scale), distance, rest)


def bounds(sample: Sample) -> None:
    """Starts close to delta, far below it, and so far that the best constant shows."""
    flow = Flow.drawn(sample)
    for ell_ in (spread(sample, 0.02, 0.5), spread(sample, 0.5, 6.0), 600.0):
        orbit(sample, flow, ell_, {C_y: Measured(2.0**0.5, 2.0**-52)})
    note_periods(sample)


def lower(sample: Sample) -> None:
    """Starts close to delta and far below it."""
    flow = Flow.drawn(sample)
    for ell_ in (spread(sample, 0.02, 0.5), spread(sample, 0.5, 6.0)):
        orbit(sample, flow, ell_, {})


@lru_cache(maxsize=1)
def periods() -> list[tuple[float, float]]:
    """X(0)/delta, and the period over its limit 2 pi/sqrt(2 alpha)."""
    flow = Flow(1.0, 1.0)
    short = 2 * np.pi / np.sqrt(2 * flow.a)
    shares = (0.9, 0.5, 0.1, 0.01)
    return [(s, flow.period((s * flow.delta, 0.0)) / short) for s in shares]


def note_periods(sample: Sample) -> None:
    """The period of an orbit: its limit at the equilibrium and its growth."""
    sample.note(
        "period over 2 pi/sqrt(2 alpha), from X(0)/delta = "
        + ", ".join(f"{share:g}: {ratio:.4f}" for share, ratio in periods())
        + "; near the equilibrium it is 1 + g/12"
    )


def fluctuations(sample: Sample) -> None:
    """The extremes of an orbit, and how they move when alpha or beta does."""
    drawn, ell_ = Flow.drawn(sample), spread(sample, 0.1, 4.0)
    flow = Flow(drawn.a, 30 * drawn.b)
    weak = Flow(drawn.a / 64, 30 * drawn.b)  # tells alpha from its root
    for orbit_of, distance in ((flow, ell_), (flow, 0.05 * ell_), (weak, ell_)):
        orbit(sample, orbit_of, distance, {C_x: 2.0, C_y: Measured(2.0**0.5, 2.0**-52)})
    first = flow.delta * float(np.exp(-ell_))

    def peak(a: float, b: float, which: int) -> Measured:
        """max X (0) or max |Y| (1)."""
        found = Flow(a, b).extreme(first, which)
        # the integrator's tolerance is 1e-12, and the orbit takes less than ten units of time
        return Measured(found, 1e-10 * found)

    for name, symbol in rates.items():
        which = int(name.startswith("Y"))
        along = (1.0, 0.0) if name.endswith("alpha") else (0.0, 1.0)

        def moved(s: float, d: tuple[float, float] = along, w: int = which) -> Measured:
            return peak(flow.a * (1 + s * d[0]), flow.b * (1 + s * d[1]), w)

        base = flow.a if along[0] else flow.b
        sample.observe({symbol: derivatives.derivative(moved, 2.0**-5) / base})
