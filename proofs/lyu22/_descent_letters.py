"""Letters of section 4.1 and appendix G: losses, potentials, rates near a local minimizer."""

from __future__ import annotations

from eostheory.formula import Inequality, norm2, scalar, vector

from ._gwsi import D

theta = vector("theta", D, r"\theta_t")
theta_next = vector("theta_next", D, r"\theta_{t+1}")
g = vector("g", D, r"\nabla\mathcal{L}(\theta_t)")
rate = scalar("rate", r"\tilde\eta_t", positive=True)
rate_next = scalar("rate_next", r"\tilde\eta_{t+1}", positive=True)
rate_start = scalar("rate_start", r"\tilde\eta_{t_0}", positive=True)
lam_max = scalar("lambda_max", r"\lambda_{\max}", positive=True)
curve = scalar("curve", r"\langle g,Hg\rangle/\|g\|_2^2")
loss = scalar("loss", r"\mathcal{L}(\theta_t)")
loss_next = scalar("loss_next", r"\mathcal{L}(\theta_{t+1})")
loss_unprojected = scalar(
    "loss_unprojected", r"\mathcal{L}(\theta_t-\tilde\eta_t\nabla\mathcal{L}(\theta_t))"
)
loss_star = scalar("loss_star", r"\mathcal{L}(\theta^*)")
loss_zero = scalar("loss_zero", r"\mathcal{L}(\theta_0)")
loss_t0 = scalar("loss_t0", r"\mathcal{L}(\theta_{t_0})")
Psi = scalar("Psi", r"\Psi(\theta_t)", nonnegative=True)
Psi_next = scalar("Psi_next", r"\Psi(\theta_{t+1})", nonnegative=True)
Psi_t0 = scalar("Psi_t0", r"\Psi(\theta_{t_0})", nonnegative=True)
Psi_zero = scalar("Psi_zero", r"\Psi(\theta_0)", nonnegative=True)
path = scalar(
    "path", r"\sum_\tau\tilde\eta_\tau\|\nabla\mathcal{L}(\theta_\tau)\|_2", nonnegative=True
)
moved = scalar("moved", r"\|\theta_t-\theta_{t_0}\|_2", nonnegative=True)
mu = scalar("mu", r"\mu", positive=True)
delta = scalar("delta", r"\delta", positive=True)
rho_2 = scalar("rho_2", r"\rho_2", positive=True)
eta = scalar("eta", r"\eta", positive=True)
alpha = scalar("alpha", r"\alpha", nonnegative=True)
sharpness_theta = scalar("sharpness_theta", r"\lambda_1^H(\theta_t)")
sharpness_alpha = scalar("sharpness_alpha", r"\lambda_1^H(\Pi(\theta_t-\alpha g))")
C_1, C_2, K = (scalar(x, positive=True) for x in ("C_1", "C_2", "K"))
gbar = scalar("gbar", r"\bar g_t", nonnegative=True)
steps = scalar("steps", r"\#\{t\}", nonnegative=True)
low = scalar("low", "c", positive=True)
"""The window of the proof begins at (2 - c)/lambda_max."""
pi = scalar("pi", r"\pi", positive=True)

descent = Inequality(loss_next, "<=", loss - rate * (1 - rate * lam_max / 2) * norm2(g))
"""The descent lemma."""
