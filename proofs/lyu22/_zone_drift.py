"""Two real steps of an aligned state, with what the flow's projection leaves uncertain."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from eostheory.agree import measured

from . import _notation as n
from ._edge import DRAWS, Setting, edge

if TYPE_CHECKING:
    from eostheory.agree import Sample

PROJECTED = ("x2", "xhat2", "phi0", "phi2")
READ_OFF = ("h2", "hhat2")


def draw_drift(sample: Sample, ask: Collection[str], fading: bool = False) -> None:
    """Observe two steps; the projection is known to 1e-8 of the displacement's square.

    ``fading`` always lets h shrink with eta, so that powers of h in an order show.
    """
    dim, seed, h, u, decay, fade = (sample.draw(v, k) for k, v in DRAWS.items())
    fade = 0.5 if fading else fade
    aligned, bounded = (k not in ask or sample.holds(k) for k in ("aligned", "bounded"))
    setting = Setting(False, dim, 2, seed, h, u, decay, fade if aligned else 0.0, aligned, bounded)
    for values in edge(setting)[0]:
        table = {n.SYMBOLS[k]: v for k, v in values.items() if k in n.SYMBOLS}
        size = float(values["size"])
        slack = 1e-8 * size**2 + 1e-15 * size
        for names, share in ((PROJECTED, 1.0), (READ_OFF, 1 / float(values["eta"]))):
            for name in names:
                table[n.SYMBOLS[name]] = measured(values[name], 1, slack * share * 2.0**53)
        sample.observe(table, scale=float(values["eta"]))
