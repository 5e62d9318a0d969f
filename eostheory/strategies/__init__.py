"""Hypothesis strategies of points and directions that shrink to few digits."""

from eostheory.strategies.vectors import (
    Drawn,
    basis,
    direction,
    directions,
    drawn_directions,
    drawn_points,
    points,
    rebuild,
    unit,
)

__all__ = [
    "Drawn",
    "basis",
    "direction",
    "directions",
    "drawn_directions",
    "drawn_points",
    "points",
    "rebuild",
    "unit",
]
