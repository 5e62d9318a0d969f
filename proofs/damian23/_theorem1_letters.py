"""Letters of the proof of the two-step lemma (appendix I.3): times t, t + 1 and t + 2."""

from __future__ import annotations

from dataclasses import replace

from eostheory.formula import scalar, vector

from . import _predicted as p
from ._common import D

rho_3 = scalar("rho_3", r"\rho_3", positive=True)
rho_4 = scalar("rho_4", r"\rho_4", positive=True)
epsilon = scalar("epsilon", r"\epsilon", positive=True)
width = scalar("delta_sup", r"\delta", positive=True)
size = scalar("norm_v", r"\|v_t\|", positive=True)
slope = scalar("norm_grad_L", r"\|\nabla L_t\|", positive=True)
delta_t = scalar("delta_t", r"\delta_t", positive=True)
E_t = scalar("E_t", positive=True)
E_next = scalar("E_next", "E_{t+1}", positive=True)
v = vector("v_t", D, "v_t")
w = vector("w", D)
"""v^perp is |v_t| w."""
v_next = vector("v_next", D, "v_{t+1}")
v_perp = vector("v_perp", D, r"v_t^\perp")
perp = vector("grad_S_perp", D, r"\nabla S_t^\perp")
projected = vector("P_grad_L", D, r"P_{\nabla S_t^\perp}^\perp\nabla L_t")
mixed = vector("mixed", D, r"\nabla^3L_t(u_t,v_t^\perp)")
transverse = vector("transverse", D, r"\nabla^3L_t(v_t^\perp,v_t^\perp)")
u_next = vector("u_next", D, "u_{t+1}")
leak = vector("leak", D, r"P_{u_{t+1}}^\perp u_t")
x_next, x_last = scalar("x_next", "x_{t+1}"), scalar("x_last", "x_{t+2}")
y_next = scalar("y_next", "y_{t+1}")
g, g_next = scalar("g_t", r"\nabla S_t\cdot u_t"), scalar("g_next", r"\nabla S_{t+1}\cdot u_{t+1}")
eps_next = scalar("epsilon_next", r"\epsilon_{t+1}", positive=True)
last_perp = vector("v_last_perp", D, r"v_{t+2}^\perp")
last_bar = vector("v_last_bar", D, r"\bar v_{t+2}^\perp")


def time(name: str, index: str, mark: str) -> p.Time:
    """Letters of a time, with the printed mark of the trajectory."""
    letters = p.Time.named(name, index)
    return replace(
        letters,
        v=vector(f"v{name}", D, f"{mark} v_{{{index}}}"),
        x=scalar(f"x{name}", f"{mark} x_{{{index}}}"),
        y=scalar(f"y{name}", f"{mark} y_{{{index}}}"),
    )


now, then, last = time("_t", "t", ""), time("_t1", "t+1", ""), time("_t2", "t+2", "")
then_bar, last_bar_time = time("_bar1", "t+1", r"\bar"), time("_bar2", "t+2", r"\bar")
