"""Quadrature and exact tails: symbols and simulations of ``pac_bayes``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from eostheory.agree import Measured
from eostheory.formula import matrix, scalar, vector

if TYPE_CHECKING:
    from eostheory.agree import Sample

n = scalar("n", positive=True)
D = scalar("D", positive=True)
delta = scalar("delta", r"\delta", positive=True)
confidence = scalar("ln_n_delta", r"\ln(n/\delta)", nonnegative=True)
log_n = scalar("ln_n", r"\ln n", nonnegative=True)
sigma = scalar("sigma", r"\sigma", positive=True)
sigma_P = scalar("sigma_P", r"\sigma_P", positive=True)
sigma_Q = scalar("sigma_Q", r"\sigma_Q", positive=True)
mean_P = vector("mu_P", "dim", r"\mu_P")
mean_Q = vector("mu_Q", "dim", r"\mu_Q")
theta = vector("theta", "dim", r"\theta")
eps = vector("eps", "dim", r"\varepsilon")
H = matrix("H", "dim", "dim", r"\nabla^2\mathcal{L}_S(\theta)", symmetric=True)
divergence = scalar("KL", r"D_{KL}(Q\|P)")
l_max = scalar("l_max", r"\ell_{\max}", positive=True)
gap = scalar("gap", r"\mathbb{E}_Q(\mathcal{L}-\mathcal{L}_S)")
gap_printed = scalar("gap_printed", r"\mathbb{E}_Q(\mathcal{L}_S-\mathcal{L})")
gap_theta = scalar("gap_theta", r"\mathcal{L}(\theta)-\mathcal{L}_S(\theta)")
unseen = scalar("unseen", r"\mathbb{E}_\varepsilon\mathcal{L}(\theta+\varepsilon)")
noisy = scalar("noisy", r"\mathbb{E}_\varepsilon\mathcal{L}_S(\theta+\varepsilon)")
inside = scalar("inside", r"\mathbb{E}[\mathcal{L}_S(\theta+\varepsilon)1_{\|\varepsilon\|\le h}]")
loss_theta = scalar("loss_theta", r"\mathcal{L}_S(\theta)")
lam_1 = scalar("lambda_1", r"\lambda_1(\nabla^2\mathcal{L}_S(\theta))", nonnegative=True)
rho_3 = scalar("rho_3", r"\rho_3(\mathcal{L}_S)", positive=True)
hh = scalar("h", r"h(\sigma)", positive=True)
t = scalar("t", positive=True)
tail = scalar("tail", r"\mathbb{P}[\|\varepsilon\|_2^2-\sigma^2\ge a]", positive=True)
threshold = scalar("threshold", "a")


def quadrature(
    center_q: np.ndarray, center_p: np.ndarray, wide_q: float, wide_p: float
) -> Measured:
    """E_Q ln(q/p), one coordinate at a time, by Gauss-Hermite nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    weights = weights / weights.sum()
    total, size = 0.0, 0.0
    for a, b in zip(center_q, center_p, strict=True):
        x = a + wide_q * nodes
        log_q = -(((x - a) / wide_q) ** 2) / 2 - math.log(wide_q)
        log_p = -(((x - b) / wide_p) ** 2) / 2 - math.log(wide_p)
        total += float(weights @ (log_q - log_p))
        size += float(weights @ (abs(log_q) + abs(log_p)))
    return Measured(total, 1e-13 * (1 + size))


def gaussians(sample: Sample) -> None:
    """The divergence of two drawn Gaussians."""
    numbers = np.random.default_rng(sample.draw(st.integers(0, 2**20), "seed"))
    dim = sample.draw(st.integers(1, 6), "D")
    wide = [sample.draw(st.integers(1, 16), label) / 4 for label in ("4 sigma_Q", "4 sigma_P")]
    a, b = numbers.normal(size=dim), numbers.normal(size=dim)
    found = quadrature(a, b, *wide)
    sample.observe({D: dim, mean_Q: a, mean_P: b, sigma_Q: wide[0], sigma_P: wide[1],
                    divergence: found})  # fmt: skip


def chosen(sample: Sample) -> None:
    """The divergence of the two Gaussians of the proof."""
    numbers = np.random.default_rng(sample.draw(st.integers(0, 2**20), "seed"))
    dim = sample.draw(st.integers(1, 6), "D")
    size = sample.draw(st.integers(1, 16), "32 sigma") / 32
    center = numbers.normal(size=dim)
    center /= np.linalg.norm(center)
    if not sample.holds("unit"):
        center *= 1.5
    wide = size / math.sqrt(dim)
    found = quadrature(center, np.zeros(dim), wide, wide)
    slack = Measured(float(found.value), float(found.error) + 1e-13 * abs(float(found.value)))
    sample.observe({D: dim, sigma: size, theta: Measured(center, 1e-15), divergence: slack})


def chi_square(sample: Sample) -> None:
    """Exact tails of the chi-square distribution."""
    from scipy.stats import chi2

    dim = sample.draw(st.integers(1, 64), "D")
    size = sample.draw(st.integers(1, 64), "64 sigma") / 64
    for time in (2.0**-20, 0.25, sample.draw(st.integers(1, 40), "8 t") / 8, 20.0):
        above = dim + 2 * math.sqrt(dim * time) + 2 * time
        chance = float(chi2.sf(above, dim))
        edge = size**2 * (above / dim - 1)
        sample.observe({D: dim, sigma: size, t: time, tail: Measured(chance, 1e-12 * chance),
                        threshold: Measured(edge, 1e-14 * (1 + edge))})  # fmt: skip
