"""Curvature of a loss at a point and along a trajectory, with residuals and counted products."""

from eostheory.curvature.dense import dense_hessian
from eostheory.curvature.products import Products
from eostheory.curvature.tracker import Eigenpairs, Tracker

__all__ = ["Eigenpairs", "Products", "Tracker", "dense_hessian"]
