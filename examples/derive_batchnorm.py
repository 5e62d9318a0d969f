"""A batch-normalized linear model: its Hessian on the minimizers, for all sizes and for data."""

import sympy

from eostheory import derive

everywhere = derive.batchnorm()
print(everywhere)
assert all(h.status in ("given", "holds") for h in everywhere.hypotheses)

data = derive.batchnorm([[3, 1, 0], [1, -1, 2], [0, 0, 1]], [1, 2, 5])
print()
print(data)
# sharpness grows with the part of the weight that the data do not see
(c,) = data.coordinates
assert sympy.diff(data.sharpness_on_manifold, c).subs(c, 0) == 0
assert data.sharpness_on_manifold.subs(c, 0) == data.least_sharpness

steeper = data.coefficients + 2 * data.null_space
other = derive.batchnorm([[3, 1, 0], [1, -1, 2], [0, 0, 1]], [1, 2, 5], at=list(steeper))
print("\nsharpness at another minimizer:", other.sharpness, ">", data.least_sharpness)
assert other.sharpness > data.least_sharpness
