"""How figure 4 of damian23 is drawn: zoomed in on one cycle above, the whole run below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from eostheory.experiments.damian23.predicted_findings import first_cycle, two_step
from eostheory.experiments.plots import COLOURS, EDGE, label, panels
from eostheory.experiments.results import Results

if TYPE_CHECKING:
    from eostheory.experiments.damian23.predicted_dynamics import DynamicsSettings

Array = npt.NDArray[np.float64]
DESCENT: dict[str, Any] = {"color": COLOURS[0], "linewidth": 1.6, "label": "gradient descent"}
PREDICTED: dict[str, Any] = {
    "color": COLOURS[1], "linewidth": 1.2, "linestyle": (0, (3, 1.5)),
    "label": "predicted dynamics",
}  # fmt: skip
CONSTRAINED: dict[str, Any] = {
    "color": COLOURS[2],
    "linewidth": 1.2,
    "label": "constrained trajectory",
}
FLOW: dict[str, Any] = {
    "color": COLOURS[6],
    "linewidth": 1.0,
    "linestyle": ":",
    "label": "gradient flow",
}
FIXED: dict[str, Any] = {
    "color": COLOURS[3], "linewidth": 1.0, "label": r"predicted fixed point ($|x| = \delta$)",
}  # fmt: skip


def draw(settings: DynamicsSettings, results: Results) -> Figure:
    """The six panels."""
    found = results.get("deviation")
    if found is None or len(found.rows) < 2:  # the edge is not reached yet
        return _on_the_way(settings, results)
    flow = results.get("flow")
    step, begin, end = found["step"], *first_cycle(found["y"])
    figure, axes = panels(2, 3, width=3.9, height=2.8)
    for column in range(3):
        above, below = axes[column], axes[3 + column]
        for one in (above, below):
            _curves(one, column, settings, found, flow)
        zoomed = slice(begin, end + 1)
        low, high = _range(_shown(found, column), zoomed)
        above.set_xlim(step[begin], step[end])
        above.set_ylim(low, high)
        below.set_xlim(step[0], max(float(step[-1]), 1.0))
        whole = slice(0, len(step))
        least, most = _range(_shown(found, column), whole)
        if flow is not None and column != 1 and len(flow.rows):
            other = flow["loss" if column == 0 else "distance"]
            least, most = min(least, float(other.min())), max(most, float(other.max()) * 1.03)
        if flow is not None and column == 1 and len(flow.rows):
            # The flow leaves the panel, as it leaves the edge.
            most = max(most, min(float(flow["sharpness"].max()), most + (most - least)))
        below.set_ylim(least, most)
        below.add_patch(
            Rectangle(
                (step[begin], low), step[end] - step[begin], high - low, fill=False,
                linestyle="--", linewidth=0.9, edgecolor="0.4", zorder=5,
            )
        )  # fmt: skip
        names = ("loss", "sharpness", r"distance from $\theta^\dagger$")
        label(above, "", names[column])
        label(below, "steps after the edge", names[column])
    handles = {h.get_label(): h for one in axes for h in one.get_legend_handles_labels()[0]}
    figure.legend(
        handles=list(handles.values()), loc="outside upper center", ncols=3, fontsize=8,
        frameon=False,
    )  # fmt: skip
    return figure


def _on_the_way(settings: DynamicsSettings, results: Results) -> Figure:
    """Loss and sharpness up to the edge."""
    figure, axes = panels(1, 2)
    for one, name in zip(axes, ("loss", "sharpness"), strict=True):
        if "approach" in results:
            one.plot(results["approach"]["step"], results["approach"][name], **DESCENT)
        label(one, "step", name)
    axes[1].axhline(2 / settings.eta, **EDGE)
    return figure


def _curves(axes: Axes, column: int, settings: DynamicsSettings, found: Any, flow: Any) -> None:
    step, edge = found["step"], 2 / settings.eta
    if column == 0:
        axes.plot(step, found["loss"], **DESCENT)
        axes.plot(step, found["predicted loss"], **PREDICTED)
        axes.plot(step, found["constrained loss"], **CONSTRAINED)
        if flow is not None:
            axes.plot(flow["time"] / settings.eta, flow["loss"], **FLOW)
        rest = found["constrained loss"] + found["delta"] ** 2 / settings.eta
        axes.plot(step, rest, **FIXED)
    elif column == 1:
        axes.plot(step, found["mean sharpness"], **DESCENT)
        axes.plot(step, two_step(found["predicted sharpness"]), **PREDICTED)
        axes.plot(step, found["constrained sharpness"], **CONSTRAINED)
        if flow is not None:
            axes.plot(flow["time"] / settings.eta, flow["sharpness"], **FLOW)
        axes.axhline(edge, **EDGE)
    else:
        axes.plot(step, found["deviation"], **DESCENT)
        axes.plot(step, found["predicted deviation"], **PREDICTED)
        axes.plot(step, 0 * step, **CONSTRAINED)
        if flow is not None:
            axes.plot(flow["time"] / settings.eta, flow["distance"], **FLOW)
        axes.plot(step, found["delta"], **FIXED)


def _shown(found: Any, column: int) -> list[Array]:
    """The curves of a panel that decide its range."""
    if column == 0:
        return [found["loss"], found["predicted loss"], found["constrained loss"]]
    if column == 1:
        return [found["mean sharpness"], two_step(found["predicted sharpness"])]
    return [found["deviation"], found["predicted deviation"], 0 * found["step"]]


def _range(curves: list[Array], rows: slice) -> tuple[float, float]:
    values = np.concatenate([curve[rows] for curve in curves])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
