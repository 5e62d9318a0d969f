"""Curvature of a loss at a point and along a trajectory, with residuals and counted products."""

from eostheory.curvature.dense import dense_hessian
from eostheory.curvature.gram import GaussNewtonProducts, Gram, gram_matrix
from eostheory.curvature.products import Products, SymmetricOperator
from eostheory.curvature.sharpness import (
    DerivativeCheck,
    second_derivative_error,
    sharpness_gradient,
    third_derivative_error,
)
from eostheory.curvature.spherical import (
    SphericalSharpness,
    TangentProducts,
    on_sphere,
    scale_defect,
    spherical_sharpness,
)
from eostheory.curvature.tracker import Eigenpairs, Tracker

__all__ = [
    "DerivativeCheck",
    "Eigenpairs",
    "GaussNewtonProducts",
    "Gram",
    "Products",
    "SphericalSharpness",
    "SymmetricOperator",
    "TangentProducts",
    "Tracker",
    "dense_hessian",
    "gram_matrix",
    "on_sphere",
    "scale_defect",
    "second_derivative_error",
    "sharpness_gradient",
    "spherical_sharpness",
    "third_derivative_error",
]
