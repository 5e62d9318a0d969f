r"""A generic differentiable network f(theta, x): letters of section 2 and a program for it.

J is the Jacobian of the n outputs in the p parameters.  Of the network a derivation uses its jet:
F(theta + s delta) = F + s J delta + (s^2/2) c, where c holds the second derivatives of the outputs
along delta.  The program is a network with one hidden layer of tanh units and autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st
from torch import Tensor

from eostheory.agree.derivatives import top_eigenpair
from eostheory.formula import as_expr, matrix, norm2, scalar, substitute, vector
from eostheory.numeric import autodiff
from eostheory.numeric.losses import Draw
from eostheory.numeric.rounding import RunningError

from ._linear_net import eta, n
from ._linear_runs import Table, known

if TYPE_CHECKING:
    from eostheory.agree import Sample
    from eostheory.formula import Expr
    from eostheory.symbolic import Model

theta = vector("theta", "p", r"\theta(t)")
theta_next = vector("theta_next", "p", r"\theta(t+1)")
theta_dot = vector("theta_dot", "p", r"\frac{d\theta(t)}{dt}")
grad_L = vector("grad_L", "p", r"\frac{\partial\mathcal L}{\partial\theta}")
delta = vector("delta", "p", r"\delta")
e_i = vector("e_i", "n", r"\mathbf e_i")
ones = vector("ones", "n", r"\mathbf 1")
g_i = vector("g_i", "p", r"\frac{\partial f(\mathbf x_i,\theta)}{\partial\theta}^\top")
f_i, y_i, ell_i = (
    scalar("f_i", r"f(\theta,\mathbf x_i)"),
    scalar("y_i"),
    scalar("ell_i", r"\ell(f_i,y_i)"),
)
Y = vector("Y", "n", r"\mathbf Y")
F = vector("F", "n", r"\mathbf F(t)")
D = vector("D", "n", r"\mathbf D(t)")
D_dot = vector("D_dot", "n", r"\frac{d\mathbf D(t)}{dt}")
losses = vector("losses", "n", r"\boldsymbol\ell")
loss = scalar("loss", r"\mathcal L")
J = matrix("J", "n", "p", r"\frac{\partial\mathbf F}{\partial\theta}")
J_D = matrix("J_D", "n", "p", r"\frac{\partial\mathbf D}{\partial\theta}")
M = matrix("M", "n", "n", r"\mathbf M", symmetric=True)
G = matrix("G", "p", "p", r"\mathbf G", symmetric=True)
hess = matrix("hess", "p", "p", r"\nabla_\theta^2\mathcal L", symmetric=True)
bends = vector("bends", "n", r"(\delta^\top\nabla_\theta^2f(\mathbf x_i)\delta)_i")
loss_bends = vector("loss_bends", "n", r"(\delta^\top\nabla_\theta^2\ell(f(\mathbf x_i))\delta)_i")
slopes = vector("slopes", "n", r"(\partial\ell/\partial z)_i")
curvatures = matrix(
    "curvatures", "n", "n", r"\operatorname{diag}(\partial^2\ell/\partial z^2)", symmetric=True
)
u = vector("u", "p", r"\mathbf u")
lam = scalar("lambda", r"\lambda", nonzero=True)
v = vector("v", "n", r"\mathbf v")
any_v = vector("a", "n", r"\mathbf a")
Lambda = scalar("Lambda", r"\Lambda")


def tangent(m: Model) -> None:
    """Outputs to first order around theta = 0: all that first derivatives at a point depend on."""
    start = vector("F_start", "n")
    m.define(F, start + J @ theta)
    m.define(D, F - Y)
    m.define(loss, norm2(D) / n)
    m.define(grad_L, m.gradient(loss, theta))


def second_along(m: Model, value: Callable[[Expr], Expr]) -> Expr:
    """Second derivative at s = 0 of a function of s."""
    s = scalar("s")
    twice = m.differentiate(m.differentiate(value(s), s, as_expr(1)), s, as_expr(1))
    return substitute(twice, {s: as_expr(0)})


class Program:
    """f(theta, x) = a^T tanh(W x) on drawn inputs, and what autograd says about it.

    Args:
        squared: squared error; else the logistic loss, of which no derivative is constant.
    """

    def __init__(self, sample: Sample, squared: bool = True) -> None:
        self.count, inputs = (
            sample.draw(st.integers(2, 5), "n"),
            sample.draw(st.integers(1, 3), "d"),
        )
        self.hidden = sample.draw(st.integers(1, 3), "hidden")
        draw = Draw(sample.draw(st.integers(0, 2**20), "seed"))
        self.X, self.labels = draw.normal(inputs, self.count), torch.sign(draw.normal(self.count))
        self.theta = draw.normal(self.hidden * (inputs + 1))
        self.delta, self.any_vector = draw.normal(len(self.theta)), draw.normal(self.count)
        self.rate = float(draw.uniform(0.01, 0.5, 1))
        self.squared = squared

    def outputs(self, at: Tensor) -> Tensor:
        """The outputs on all samples."""
        layer = at[self.hidden :].reshape(self.hidden, -1)
        return at[: self.hidden] @ torch.tanh(layer @ self.X)

    def losses(self, z: Tensor) -> Tensor:
        """The loss of every sample."""
        if self.squared:
            return (z - self.labels) * (z - self.labels)
        return torch.log1p(torch.exp(-self.labels * z))

    def loss_derivatives(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """First derivatives of the samples' losses in the outputs, and all the second ones."""
        leaf = z.detach().clone().requires_grad_(True)
        (first,) = torch.autograd.grad(self.losses(leaf).sum(), leaf, create_graph=True)
        second = [torch.autograd.grad(x, leaf, retain_graph=True)[0] for x in first]
        return first.detach(), torch.stack(second)

    def loss(self, at: Tensor) -> Tensor:
        """The training loss."""
        return self.losses(self.outputs(at)).sum() / self.count

    def jacobian(self) -> Tensor:
        """Derivatives of the outputs, (n, p)."""
        return rows(self.outputs, self.theta)

    def along(self, direction: Tensor, what: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """First and second derivative of a vector of functions at theta along a direction."""
        s = torch.zeros((), dtype=torch.float64, requires_grad=True)
        first, second = [], []
        for value in what(self.theta + s * direction):
            (slope,) = torch.autograd.grad(value, s, create_graph=True)
            first.append(slope.detach())
            second.append(torch.autograd.grad(slope, s, retain_graph=True)[0])
        return torch.stack(first), torch.stack(second)


def rows(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The Jacobian of a vector of functions, one reverse sweep each."""
    leaf = at.detach().clone().requires_grad_(True)
    return torch.stack(
        [torch.autograd.grad(value, leaf, retain_graph=True)[0] for value in function(leaf)]
    )


def first_order(sample: Sample) -> None:
    """The network at a point."""
    sample.observe(at_a_point(sample))


def at_a_point(sample: Sample) -> Table:
    """Outputs, loss, Jacobian, the velocity of the flow, M and G."""
    with RunningError() as run:
        net = Program(sample)
        out, jacobian = net.outputs(net.theta), net.jacobian()
        slope = autodiff.gradient(net.loss, net.theta)
        moved = net.along(-slope, lambda at: net.outputs(at) - net.labels)[0]
        total = torch.zeros(len(slope), len(slope), dtype=torch.float64)
        for row in jacobian:
            total = total + torch.outer(row, row)
        at = sample.draw(st.integers(0, net.count - 1), "i")
        found = {
            theta: net.theta,
            theta_dot: -slope,
            theta_next: net.theta - net.rate * slope,
            grad_L: slope,
            g_i: autodiff.gradient(lambda w: net.outputs(w)[at], net.theta),
            f_i: out[at],
            ell_i: net.losses(out)[at],
            F: out,
            D: out - net.labels,
            D_dot: moved,
            losses: net.losses(out),
            loss: net.loss(net.theta),
            J: jacobian,
            J_D: rows(lambda w: net.outputs(w) - net.labels, net.theta),
            M: 2 * (jacobian @ jacobian.T) / net.count,
            G: 2 * total / net.count,
        }
        measured: Table = {symbol: known(run, value) for symbol, value in found.items()}
    measured |= {n: net.count, eta: net.rate, Y: net.labels, y_i: float(net.labels[at])}
    measured |= {e_i: torch.eye(net.count, dtype=torch.float64)[at], any_v: net.any_vector}
    return measured | {ones: torch.ones(net.count, dtype=torch.float64)}


def spectra(sample: Sample) -> None:
    """The same with the top eigenpair of M."""
    measured = at_a_point(sample)
    top = top_eigenpair(measured[M])
    sample.observe({**measured, Lambda: top.value, v: top.vector})


def eigenvector_of_G(sample: Sample) -> None:
    """The same with the top eigenpair of G, or with any vector in its place."""
    measured = at_a_point(sample)
    top = top_eigenpair(measured[G])
    direction = top.vector if sample.holds("eigenvector") else measured[theta]
    sample.observe({**measured, u: direction, lam: top.value})


def second_order(sample: Sample) -> None:
    """The Hessian of the loss, and second derivatives of every sample along a direction."""
    with RunningError() as run:
        net = Program(sample, squared=False)
        out = net.outputs(net.theta)
        first, second = net.loss_derivatives(out)
        found = {
            delta: net.delta,
            loss: net.loss(net.theta),
            hess: autodiff.hessian(net.loss, net.theta),
            J: net.jacobian(),
            bends: net.along(net.delta, net.outputs)[1],
            loss_bends: net.along(net.delta, lambda at: net.losses(net.outputs(at)))[1],
            slopes: first,
            curvatures: second,
        }
        measured: Table = {symbol: known(run, value) for symbol, value in found.items()}
    measured |= {n: net.count, ones: torch.ones(net.count, dtype=torch.float64)}
    sample.observe(measured)
