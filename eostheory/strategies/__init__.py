"""Hypothesis strategies: losses by family, points, directions, step sizes and data sets.

What they draw is small, has few digits, shrinks to the plainest case, and prints as the expression
that makes it again (``from eostheory import strategies``)::

    @given(strategies.scale_invariant_losses(), strategies.step_sizes())
    def test_something(loss, eta):
        ...
"""

from eostheory.strategies.families import (
    loss_with_manifold,
    quadratic_loss,
    scale_invariant_loss,
    self_stabilizing_loss,
    spherical_loss_with_manifold,
    two_layer_linear_loss,
)
from eostheory.strategies.loss import DrawnLoss
from eostheory.strategies.losses import (
    data_sets,
    losses,
    losses_with_manifold,
    quadratic_losses,
    scale_invariant_losses,
    self_stabilizing_losses,
    step_sizes,
    two_layer_linear_losses,
)
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
    "DrawnLoss",
    "basis",
    "data_sets",
    "direction",
    "directions",
    "drawn_directions",
    "drawn_points",
    "loss_with_manifold",
    "losses",
    "losses_with_manifold",
    "points",
    "quadratic_loss",
    "quadratic_losses",
    "rebuild",
    "scale_invariant_loss",
    "scale_invariant_losses",
    "self_stabilizing_loss",
    "self_stabilizing_losses",
    "spherical_loss_with_manifold",
    "step_sizes",
    "two_layer_linear_loss",
    "two_layer_linear_losses",
    "unit",
]
