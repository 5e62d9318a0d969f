r"""What the sharpening phase assumes of the data, and two definitions of appendix C.2.

Setting:  X^T X has eigenvalues lambda_1 >= ... >= lambda_r > 0, labels z_i = Y^T v_i.
Claims:   the gaps between eigenvalues (4.1, C.1), the labels' components (4.2, C.2), the surrogate
          sharpness (13) and the band of the decay factors (14).
Source:   Li, Wang, Li, "Analyzing Sharpness along GD Trajectory", sections 4.2 and C.2.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from eostheory.claims import Claim
from eostheory.formula import Equation, Inequality, Statement, as_expr, dot, scalar, sqrt

from . import _linear_net as net
from ._linear_net import Lambda_star, M, lam1, n, v1
from ._sharpening import lam_i
from ._sharpening_band import a_1, chi, kappa, p_i, z_i
from ._sharpening_runs import FAR, drawn

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.symbolic import Model

Parts = dict[str, Inequality]

lam_2 = scalar("lambda_2", r"\lambda_2", positive=True)
lam_next = scalar("lambda_next", r"\lambda_{i+1}", positive=True)
a_2 = scalar("a_2", positive=True)

# ------------------------------------------------------------------------------- statements
gaps: Parts = {
    "neighbours": Inequality(lam_i, "<=", chi * lam_next),
    "chi": Inequality(chi, ">", as_expr(1)),
    "top": Inequality(lam1, ">=", 2 * lam_2),
}
components: Parts = {"labels": Inequality(z_i / sqrt(n), ">=", kappa)}
band: Parts = {
    "positive": Inequality(a_1, ">", as_expr(0)),
    "from below": Inequality(a_1, "<=", p_i),
    "from above": Inequality(p_i, "<=", a_2),
    "below one": Inequality(a_2, "<", as_expr(1)),
}
surrogate: Statement = Equation(Lambda_star, dot(v1, M @ v1))


# ------------------------------------------------------------------------------ derivations
def derive_assumption(m: Model, parts: Parts) -> None:
    """An assumption is what it says."""
    for name, part in parts.items():
        m.assume(part, by=name)


def derive_surrogate(m: Model) -> None:
    """From the eigenvalue lambda_1 of X^T X and W X v_1."""
    net.gram(m, following=False)
    net.top_direction(m, following=False)


# ------------------------------------------------------------------------------------- runs
def of_the_data(s: Sample) -> None:
    """Data of two directions; kappa and chi are the best that they allow."""
    h = drawn(s, "fast")
    with h.run:
        factors, labels = h.factors(h.t), h.labels
        i = min(range(len(labels)), key=lambda k: float(labels[k]))
        size = torch.tensor(float(len(h.data.Y)), dtype=torch.float64)
        found = {
            lam_i: h.data.lam[0],
            lam_next: h.data.lam[1],
            lam_2: h.data.lam[1],
            chi: h.data.lam[0] / h.data.lam[1] * 1.01,
            z_i: labels[i],
            kappa: labels[i] / size.sqrt() * 0.99,
            p_i: factors[1],
            a_1: factors[1] * 0.99,
            a_2: factors[1] * 1.01,
            Lambda_star: h.data.V[:, 0] @ h.grams[h.t] @ h.data.V[:, 0],
        }
        s.observe({**h.letters(), **h.measured(found)})


def _assumption(name: str, parts: Parts, reading: str = "") -> Claim:
    return Claim(
        f"li22/{name}",
        parts,
        derive=partial(derive_assumption, parts=parts),
        simulate=of_the_data,
        waive=FAR,
        reading=reading,
    )


FIXED = "kappa = Omega(1/r) compares families of data; on one data set it is a number"
CLAIMS = [
    _assumption("assumption-4.1", gaps),
    _assumption("assumption-C.1", gaps),
    _assumption("assumption-4.2", components, FIXED),
    _assumption("assumption-C.2", components, FIXED),
    _assumption("eq-14", band),
    Claim("li22/eq-13", surrogate, derive=derive_surrogate, simulate=of_the_data),
]
