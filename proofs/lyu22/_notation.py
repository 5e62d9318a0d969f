"""Symbols of the appendices on the edge of stability, as the paper prints them.

Names carry the step as a digit: 0 is the paper's t, 1 its t+1, 2 its t+2.
"""

from __future__ import annotations

from fractions import Fraction

from eostheory.formula import FormSymbol, Number, Symbol, form, matrix, scalar, vector

D = "D"
ZERO = Number(Fraction(0))


eta = scalar("eta", r"\eta", positive=True)
alpha = scalar("alpha", r"\alpha", positive=True)
r = scalar("r", "r", positive=True)
size = scalar("size", r"\lVert x_t\rVert_2", positive=True)
C_b = scalar("C_b", "C_b", positive=True)
lam = scalar("lam", r"\lambda_1^H(\phi)", positive=True)
mu = scalar("mu", r"\mu_t", positive=True)
gamma = scalar("gamma", r"\gamma_{\min}", positive=True)
beta = scalar("beta", r"\beta", positive=True)

rate0 = scalar("rate0", r"\tilde\eta_t", positive=True)
rate1 = scalar("rate1", r"\tilde\eta_{t+1}", positive=True)
h0 = scalar("h0", "h_t", positive=True)
h1 = scalar("h1", "h_{t+1}")
h2 = scalar("h2", "h_{t+2}")
hhat1 = scalar("hhat1", r"\hat h_{t+1}")
hhat2 = scalar("hhat2", r"\hat h_{t+2}")
u0 = scalar("u0", "u_t")
u1 = scalar("u1", "u_{t+1}")
u2 = scalar("u2", "u_{t+2}")
uhat0 = scalar("uhat0", r"\hat u_t")
uhat1 = scalar("uhat1", r"\hat u_{t+1}")
uhat2 = scalar("uhat2", r"\hat u_{t+2}")
gbar0 = scalar("gbar0", r"\bar g_t", nonnegative=True)
gbar1 = scalar("gbar1", r"\bar g_{t+1}", nonnegative=True)
moment0 = scalar("moment0", r"\tilde v_t", positive=True)
moment1 = scalar("moment1", r"\tilde v_{t+1}", positive=True)
loglam0 = scalar("loglam0", r"\log\lambda_1^H(\phi_t)")
loglam2 = scalar("loglam2", r"\log\lambda_1^H(\phi_{t+2})")

step0 = vector("step0", D, r"(\theta_t-\phi)")
step1 = vector("step1", D, r"(\theta_{t+1}-\phi)")
step2 = vector("step2", D, r"(\theta_{t+2}-\phi)")
x0 = vector("x0", D, "x_t")
x1 = vector("x1", D, "x_{t+1}")
x2 = vector("x2", D, "x_{t+2}")
xhat1 = vector("xhat1", D, r"\hat x_{t+1}")
xhat2 = vector("xhat2", D, r"\hat x_{t+2}")
phi0 = vector("phi0", D, r"\phi_t")
phi1 = vector("phi1", D, r"\phi_{t+1}")
phi2 = vector("phi2", D, r"\phi_{t+2}")
foot = vector("foot", D, r"\phi")
v1 = vector("v1", D, r"v_1^H(\phi)")
top2 = vector("top2", D, r"v_1^H(\phi_{t+2})")
psi_v1 = vector("psi_v1", D, r"\psi_\phi(v_1^H(\phi))")
psi_x = vector("psi_x", D, r"\psi_\phi(\theta_t-\phi)")
glog = vector("glog", D, r"\nabla_\Gamma\log\lambda_1^H(\phi)")
glog_full = vector("glog_full", D, r"\nabla\log\lambda_1^H(\phi)")
nzt0 = scalar("nzt0", r"\lVert P_{NZT}^H(\phi_t)x_t\rVert_2", nonnegative=True)
nzt1 = scalar("nzt1", r"\lVert P_{NZT}^H(\phi_{t+1})x_{t+1}\rVert_2", nonnegative=True)
nzt2 = scalar("nzt2", r"\lVert P_{NZT}^H(\phi_{t+2})x_{t+2}\rVert_2", nonnegative=True)
nzthat1 = scalar("nzthat1", r"\lVert P_{NZT}^H(\phi_t)\hat x_{t+1}\rVert_2", nonnegative=True)
nzthat2 = scalar("nzthat2", r"\lVert P_{NZT}^H(\phi_t)\hat x_{t+2}\rVert_2", nonnegative=True)
K = scalar("K", "K", positive=True)

H = matrix("H", D, D, r"H(\phi)", symmetric=True)
U = matrix("U", D, D, r"U_\phi", symmetric=True)
P0 = matrix("P0", D, D, r"P_0^H(\phi)", symmetric=True)
PN0 = matrix("PN0", D, D, r"P_{NZT}^H(\phi_t)", symmetric=True)
PN1 = matrix("PN1", D, D, r"P_{NZT}^H(\phi_{t+1})", symmetric=True)
PN2 = matrix("PN2", D, D, r"P_{NZT}^H(\phi_{t+2})", symmetric=True)
zeta = vector("zeta", D, r"\zeta")
place1 = vector("place1", D, r"\theta_{t+1}")
place2 = vector("place2", D, r"\theta_{t+2}")
Phi_phi = vector("Phi_phi", D, r"\Phi(\phi_t)")
eps0 = scalar("eps0", r"\epsilon_0", positive=True)
B = form("B", D, 2, r"\partial^2\Phi_{\phi}")
T = form("T", D, 2, r"\partial^3\mathcal{L}_\phi")

SYMBOLS: dict[str, Symbol | FormSymbol] = {
    value.name: value
    for value in list(globals().values())
    if isinstance(value, Symbol | FormSymbol)
}
"""Every symbol by its name, which is also its name in the simulations."""
