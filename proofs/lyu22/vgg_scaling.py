r"""Which networks are scale-invariant, and the spherical sharpness of a scale-invariant loss (Q).

Setting:  batch normalization maps a unit's outputs z over the batch to (z - mean)/deviation; in
          training mode, without a constant in the denominator.
Claims:   the paper's VGG-11 and second ResNet-20 do not change when all their parameters are
          multiplied by c > 0, the standard ResNet-20 not when some are; the spherical sharpness
          from the Hessian at any multiple of the point.
Source:   Lyu, Li, Arora, arXiv:2206.07085, appendices Q.1 and Q.3.

The derivation is one step of an induction over the layers, for layers of any width.  Pre-activation
streams are homogeneous of degree one rather than invariant; shortcuts with trainable affine
parameters keep them so.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from eostheory.agree import measured
from eostheory.claims import Claim
from eostheory.formula import Equation, Expr, dot, matrix, norm, norm2, scalar, sqrt, vector

from ._notation import D
from ._run import draw_loss
from ._vgg_scaling import c, observe_scaling, out, out_c

if TYPE_CHECKING:
    from torch import Tensor

    from eostheory.agree import Sample
    from eostheory.symbolic import Model

n = scalar("n", "n", positive=True)
one = vector("one", "n", "1")
w = vector("w", D, "w")
lam_w = scalar("lam_w", r"\lambda_1(\nabla^2\mathcal{L}(w))")
lam_theta = scalar("lam_theta", r"\lambda_1(\nabla^2\mathcal{L}(w/\|w\|_2))")

INVARIANT = Equation(out_c, out)
NORMALIZED = {"normalized": "each linear layer is followed by a batch normalization (or, in a "
              "residual stream, normalized before its next use)"}  # fmt: skip


def batch_norm(z: Expr, on: bool) -> Expr:
    """The outputs of one unit over the batch, normalized."""
    if not on:
        return z
    centred = z - (dot(one, z) / n) * one
    return centred * (sqrt(n) / norm(centred))


def derive_layer(m: Model) -> None:
    """A linear layer on features that are invariant already, and the final affine map."""
    on = "normalized" not in m.withheld
    features = matrix("features", "n", "k", "A")
    weight, size = vector("weight", "k", "w"), scalar("gamma", r"\gamma", positive=True)
    m.step("inputs do not depend on the weights; by induction the features A of a layer do not")
    m.step("A (c w) = c A w, and a batch normalization divides by a deviation that grows by c")
    m.define(out, size * batch_norm(features @ weight, on))
    m.define(out_c, size * batch_norm(features @ (c * weight), on))
    m.generic = False
    m.example({n: 2, one: (1, 1), features: ((1,), (-1,)), weight: (3,), c: 2, size: 1})


def derive_stream(m: Model, shortcut: bool) -> None:
    """A pre-activation block on a stream that is homogeneous of degree one."""
    on = "normalized" not in m.withheld
    stream, features = vector("stream", "n", "s"), matrix("features", "n", "k", "A")
    weight = vector("weight", "k", "w")
    scale, shift, branch = scalar("scale"), scalar("shift"), vector("branch", "n")
    standard = vector("standard", "n", r"\bar s")
    if shortcut and on:
        twice = Equation(batch_norm(c * (c * branch), on), batch_norm(branch, on))
        if m.decide(twice).outcome != "holds":
            raise ArithmeticError("the shortcut's batch normalization is not invariant")
        m.step("the shortcut's convolution scales by c twice, its normalization not at all")
    m.step("the first convolution is linear: the stream s is homogeneous of degree one in w")
    m.step("a block's features A come out of batch normalizations: they are invariant")

    def after(by: Expr | int) -> Expr:
        across: Expr = by * stream
        if shortcut:
            m.step("the shortcut's affine parameters scale by c, as all others do")
            across = by * scale * standard + by * shift * one
        total = across + features @ (by * weight)
        return batch_norm(total, on)

    m.step("the sum is homogeneous of degree one again; the last batch normalization removes c")
    m.define(out, after(1))
    m.define(out_c, after(c))
    m.generic = False
    m.example({
        n: 4, one: (1,) * 4, stream: (1, 0, 0, -1), standard: (1, -1, 1, -1),
        features: ((1,), (-1,), (0,), (0,)),
        weight: (3,), c: 2, scale: 2, shift: 5,
    })  # fmt: skip


def derive_sharpness(m: Model) -> None:
    """Hessians along a ray share their eigenvectors."""
    m.uses("lyu22/lemma-D.1")
    m.step("Hess L(c w) = Hess L(w)/c^2, with c = 1/|w|: the order of the eigenvalues is kept")
    hessian = matrix("hessian", D, D, r"\nabla^2\mathcal{L}(w)", symmetric=True)
    top = vector("top", D, "v_1")
    m.relation(hessian @ top, lam_w * top, by="top")
    m.relation(norm2(top), 1, by="top")
    factor = norm2(w) if "scale invariance" not in m.withheld else 1
    m.define(lam_theta, dot(top, factor * (hessian @ top)))


def simulate_sharpness(sample: Sample) -> None:
    """Hessians of drawn losses by autograd, and their eigenvalues."""
    import torch

    from eostheory.numeric.autodiff import hessian

    drawn = draw_loss(sample, False)
    tilt = 0.0 if sample.holds("scale invariance") else 1.0

    def loss(at: Tensor) -> Tensor:
        whole: Tensor = drawn.loss(at) + tilt * (at * at).sum()
        return whole

    size = 2.0 ** sample.draw(st.integers(-2, 3), "log2 |w|")
    point = drawn.loss.point(drawn.seed + 3, size)
    unit = point / point.norm()
    found = [hessian(loss, at) for at in (point, unit)]
    tops = [float(torch.linalg.eigvalsh((h + h.T) / 2)[-1]) for h in found]
    sizes = [float(h.norm()) + 1 / size**2 for h in found]
    sample.observe(
        {
            w: point,
            lam_w: measured(tops[0], 10**4 * drawn.dim, sizes[0]),
            lam_theta: measured(tops[1], 10**4 * drawn.dim, sizes[1]),
        }
    )


READING = "Batch normalization without a small constant in the denominator, for every c > 0."
CLAIMS = [
    Claim(
        "lyu22/appQ1.vgg",
        INVARIANT,
        NORMALIZED,
        derive=derive_layer,
        simulate=partial(observe_scaling, layout="vgg"),
        reading=READING,
    ),
    Claim(
        "lyu22/appQ1.resnet-part",
        INVARIANT,
        NORMALIZED,
        derive=partial(derive_stream, shortcut=False),
        simulate=partial(observe_scaling, layout="resnet"),
        reading=READING + " The part w is the convolutions of the stream, z all other parameters.",
    ),
    Claim(
        "lyu22/appQ1.resnet-si",
        INVARIANT,
        NORMALIZED,
        derive=partial(derive_stream, shortcut=True),
        simulate=partial(observe_scaling, layout="invariant_resnet"),
        reading=READING,
    ),
    Claim(
        "lyu22/appQ3.formula",
        Equation(lam_theta, norm2(w) * lam_w),
        {"scale invariance": "the loss is scale-invariant"},
        derive=derive_sharpness,
        simulate=simulate_sharpness,
    ),
]
