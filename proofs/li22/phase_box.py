r"""The phase portrait of the residual: the ball on the segment from 0 to -Y, and the box in it.

Setting:  B is the ball with south pole O = 0 and north pole N = -Y; H(t) the box with edges along
          the eigenvectors v_i (with -v_i^T Y >= 0) and diagonal ON.
Claims:   Observation E.1, the arrows of the figure, the box (definition, vertices, facets, H in B),
          D(t) in H(t) under fixed eigenvectors.
Source:   Li, Wang, Li, arXiv:2207.12678, appendix E.2.1 and the footnote of E.2.2.

Observation E.1 mixes the open and the closed ball: the angle NDO is at least 90 degrees, and D is
in the (closed) ball, exactly when D^T F <= 0, not < 0.  The poles and the vertices of the box are
on the sphere, so that the closed ball is what the section needs.  The arrow from D to O is -D, not
D, and the north pole is the initial point D(0), not "-D(t)".
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from eostheory.claims import Claim
from eostheory.formula import (
    Equation,
    Inequality,
    Statement,
    as_expr,
    dot,
    eye,
    matrix,
    norm2,
    scalar,
    vector,
)

from ._phase import D, F, Y, n, residual, zero
from ._phase_flow import (
    D_0,
    EIGEN_I,
    FIXED,
    FLOW,
    FRAME,
    SIGNS,
    START,
    T,
    U,
    V,
    component,
    rate,
    run,
    solution,
    v,
)

if TYPE_CHECKING:
    from eostheory.symbolic import Model

# --------------------------------------------------------------------------------------- letters
centre = vector("C", "n", r"\mathbf C")
radius2 = scalar("radius2", "r^2", nonnegative=True)
E = vector("E", "n", r"\mathbf E")
DN = vector("arrow_DN", "n", r"\overrightarrow{DN}")
DO = vector("arrow_DO", "n", r"\overrightarrow{DO}")
ND = vector("arrow_ND", "n", r"\overrightarrow{ND}")
pole = vector("N", "n", "N")
origin = vector("O", "n", "O")
subset = matrix("subset", "n", "n", symmetric=True)
vertex = vector("vertex", "n")
share = scalar("s_i", "s_i", nonnegative=True)
south, north, facets = (scalar(x) for x in ("facets_O", "facets_N", "facets"))

# ------------------------------------------------------------------------------------ statements
power: dict[str, Statement] = {
    "power of a point": Equation(norm2(D - centre) - radius2, dot(D, F)),
    "angle": Equation(dot(DN, DO), dot(D, F)),
}
observation: dict[str, Statement] = {
    **power,
    "in the ball": Inequality(dot(D, F), "<", zero),
    "negative": Inequality(norm2(E - centre), "<=", radius2),
}
observation_corrected = {**observation, "in the ball": Inequality(dot(D, F), "<=", zero)}
arrows = {
    "DO": Equation(DO, D),
    "ND": Equation(ND, F),
    "N": Equation(pole, -Y),
    "initial point": Equation(pole, -D_0),
}
arrows_corrected = {**arrows, "DO": Equation(DO, -D), "initial point": Equation(pole, D_0)}
box: dict[str, Statement] = {
    "south": Inequality(dot(D, v), ">=", zero),
    "north": Inequality(dot(D, v), "<=", -dot(Y, v)),
}
in_the_box: dict[str, Statement] = {**box, "decreases": Inequality(rate, "<=", zero)}
box_in_ball: dict[str, Statement] = {
    "vertices": Equation(norm2(vertex - centre), radius2),
    "box": Inequality(norm2(D - centre), "<=", radius2),
}
facet_counts: dict[str, Statement] = {
    "on O": Equation(dot(origin, v), zero),
    "on N": Equation(dot(pole, v), -dot(Y, v)),
    "two facets": Inequality(dot(origin, v), "<", dot(pole, v)),
    "each": Equation(south, north),
    "total": Equation(facets, south + north),
    "number": Equation(facets, 2 * n),
}


# ----------------------------------------------------------------------------------- derivations
def ball(m: Model) -> None:
    """The ball with poles 0 and -Y."""
    m.define(centre, -(Y / 2))
    m.define(radius2, norm2(Y) / 4)


def derive_observation(m: Model) -> None:
    """D in the closed ball; E with E^T (E + Y) < 0."""
    residual(m)
    ball(m)
    m.define(DN, -Y - D)
    m.define(DO, -D)
    m.step("the angle NDO is at least 90 degrees exactly when <DN, DO> <= 0")
    m.assume(Inequality(norm2(D - centre), "<=", radius2), by="D in B")
    m.assume(Inequality(dot(E, E + Y), "<", zero), by="E")
    m.example({D: (-1, -1), Y: (1, 1), E: (Fraction(-1, 2), 0)})


def derive_arrows(m: Model) -> None:
    """Arrows from one point to another."""
    residual(m)
    m.define(origin, as_expr(0) * Y)
    m.define(pole, -Y)
    m.define(DO, origin - D)
    m.define(ND, D - pole)
    m.define(D_0, vector("D_start", "n") if "F(0)=0" in m.withheld else -Y)


def derive_box(m: Model) -> None:
    """A point of the box: along v_i the share s_i of the edge from O to -Y.v_i."""
    m.relation(dot(D, v), share * -dot(Y, v), by="edge")
    m.assume(Inequality(share, "<=", as_expr(1)), by="edge")
    m.assume(Inequality(dot(Y, v), "<=", zero), by="signs")


def derive_in_the_box(m: Model) -> None:
    """The residual under fixed eigenvectors: D.v_i = -exp(-I) Y.v_i."""
    component(m)
    solution(m)
    m.assume(Inequality(dot(Y, v), "<=", zero), by="signs")
    m.uses("li22/lemma-E.1.p2")


def derive_box_in_ball(m: Model) -> None:
    """Vertices choose a subset of the eigenvectors, points of the box a share of each edge."""
    m.relation(V.T @ V, eye("n"), by="frame")
    m.relation(V @ V.T, eye("n"), by="frame")
    ball(m)
    m.relation(subset @ subset, subset, by="subset")
    m.define(vertex, -(V @ subset @ V.T @ Y))
    m.step("shares s_i = T_i^2 in [0, 1], 1 - s_i = U_i^2")
    m.relation(U @ U, eye("n") - T @ T, by="shares")
    m.define(D, -(V @ T @ T @ V.T @ Y))
    m.lemma("sum of s_i (1 - s_i) (Y.v_i)^2", Inequality(norm2(U @ T @ V.T @ Y), ">=", zero))
    part = Fraction(3, 5)
    rest = Fraction(4, 5)
    m.example({V: ((1, 0), (0, 1)), subset: ((1, 0), (0, 0)), Y: (-1, -1), T: ((part, 0), (0, 1)),
               U: ((rest, 0), (0, 0))})  # fmt: skip


def derive_facets(m: Model) -> None:
    """Facets {D.v_i = 0} and {D.v_i = -Y.v_i}, one of each kind for each of n eigenvectors."""
    m.define(origin, as_expr(0) * Y)
    m.define(pole, -Y)
    m.assume(Inequality(dot(Y, v), "<", zero), by="pointing")
    m.define(south, n)
    m.define(north, n)
    m.define(facets, 2 * n)


# ---------------------------------------------------------------------------------------- claims
SUBSET = {"subset": "the coordinates of a vertex are 0 or -Y.v_i"}
OWN = {"south:left D -> v_i": "true: |v_i|^2 >= 0", "south:left v_i -> D": "true: |D|^2 >= 0"}
SHARES = {"shares": "those of a point of the box lie between the two"}

CLAIMS = [
    Claim(
        "li22/obs-E.1",
        observation,
        hypotheses={"D in B": "D is in the ball", "E": "E^T (E + Y) < 0"},
        derive=derive_observation,
        corrected=observation_corrected,
        reading="B is closed (it holds its poles and the vertices of the box).  D stands for the "
        "direction 'only if', E for 'if'.",
    ),
    Claim(
        "li22/formula-E.2.arrows",
        arrows,
        hypotheses=START,
        derive=derive_arrows,
        corrected=arrows_corrected,
        reading="'the initial point -D(t)' is read as -D(0); the initial point is D(0) = -Y.",
    ),
    Claim(
        "li22/def-E.2.box",
        box,
        hypotheses=SIGNS | {"edge": "the coordinate along v_i is a share of the edge"},
        derive=derive_box,
        waive=OWN,
    ),
    Claim(
        "li22/formula-E.2.box-sphere",
        box_in_ball,
        hypotheses=FRAME | SUBSET | SHARES,
        derive=derive_box_in_ball,
        waive={
            "vertices:left vertex dropped": "true: the vertex O is one of them",
            "box:left D dropped": "true: O is in the ball",
        },
    ),
    Claim(
        "li22/claim-E.2.facets",
        facet_counts,
        hypotheses={"pointing": "-v_i^T Y > 0, as assumed in E.2.2"},
        derive=derive_facets,
        waive={
            "on O:left v_i -> O": "true: O = 0",
            "two facets:right dot(N, v_i) x1/2": "true: any positive number is above 0",
            "two facets:left v_i -> O": "true: O = 0",
            "two facets:right N -> v_i": "true: |v_i| > 0",
            "two facets:right v_i -> N": "true: |N| > 0",
        },
    ),
    Claim(
        "li22/claim-E.2.mono",
        in_the_box,
        hypotheses=EIGEN_I | FLOW | FIXED | START | SIGNS,
        derive=derive_in_the_box,
        simulate=run("signs", "F(0)=0"),
        waive=OWN,
    ),
]
