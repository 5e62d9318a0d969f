"""Curvature of a loss at a point and along a trajectory, with residuals and counted products."""

from eostheory.curvature.products import Products

__all__ = ["Products"]
