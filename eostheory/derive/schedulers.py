"""From the rule of an adaptive learning rate to its theory at the edge of stability (lyu22).

``scheduler`` finds the second-moment estimate, the base learning rate and the decay rate of a
rule, checks Definition B.5 (quasi-RMSprop), and derives the RMS-drift transition, what its flow
conserves, and the sharpness-reduction flow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import sympy

from eostheory.derive.errors import DerivationError
from eostheory.derive.judge import Judge, Scope, conditions, read
from eostheory.derive.quasi import BETA, GBAR, Bound, bound_moment, bound_rate, in_terms_of_beta
from eostheory.derive.result import Derived, Hypothesis, renamed
from eostheory.symbolic.vectorfield import VectorField, first_integral, frequency_squared

V = sympy.Symbol("_v", positive=True)
"""The moment estimate."""
ETA = sympy.Symbol("_eta", positive=True)
"""The base learning rate."""
H = sympy.Symbol("_h", positive=True)
"""The size of the oscillation, in units of the base learning rate."""
U = sympy.Symbol("_u", real=True)
"""The distance from the edge: v = (1 + eta u) lambda^2/4."""
K2 = sympy.Symbol("_kappa", nonnegative=True)
"""The squared norm of the gradient of log lambda_1 along the minimizers."""
C_B = sympy.Symbol("_C_b", positive=True)
_LAMBDA = sympy.Symbol("_lambda_1", positive=True)
_LETTERS = (V, ETA, H, U, K2, C_B, BETA, GBAR)


def _public(taken: set[str], base: sympy.Expr | None) -> dict[sympy.Symbol, sympy.Symbol]:
    """Names for our letters that no hyperparameter has, unless it means the same."""
    table = {}
    for letter in _LETTERS:
        name = letter.name.removeprefix("_")
        if letter == ETA and isinstance(base, sympy.Symbol):
            table[letter] = base
            continue
        while name in taken:
            name += "_0"
        table[letter] = sympy.Symbol(name, **letter._assumptions_orig)
    return table


@dataclass(frozen=True)
class Scheduler(Derived):
    """What lyu22 proves for a rule, derived for this one.

    ``moment_next`` is the recursion of the moment estimate ``v = 1/rate^2`` in terms of
    ``gbar = |g|/base``; ``remainder`` its distance from RMSprop's; ``quasi_rmsprop`` whether
    Definition B.5 holds, with ``delta`` and ``polynomial``.  ``h_next`` and ``u_next`` are the
    RMS-drift transition over two steps up to O(eta^2) (Definition H.2), ``speeds`` its flow
    ``(dh, du)/dtau`` with ``tau = eta t``, ``energy`` what that conserves (Definition H.21), and
    ``flow_rate`` the factor of ``-grad_Gamma log lambda_1`` in the sharpness-reduction flow (8),
    in time ``eta^2 t``.  The symbol ``kappa`` is ``|grad_Gamma log lambda_1|^2``.
    """

    title: ClassVar[str] = "adaptive learning rate"
    shown: ClassVar[Mapping[str, str]] = {
        "moment": "v",
        "base": r"\eta",
        "decay": r"\beta",
        "moment_next": r"v_{t+1}",
        "remainder": r"v_{t+1} - \beta v - (1-\beta)\bar g^2",
        "rate_error": r"\tilde\eta - 1/\sqrt{v}",
        "quasi_rmsprop": r"\text{quasi-RMSprop}",
        "delta": r"\delta(v)",
        "polynomial": r"P(\bar g)",
        "c_b": "C_b",
        "h_next": r"h_{t+2}",
        "u_next": r"u_{t+2}",
        "speeds": r"\tfrac{d(h,u)}{d\tau}",
        "energy": "E(h, u)",
        "rest": r"(h, u)_*",
        "frequency_squared": r"\omega^2",
        "mean_square": r"\langle h^2\rangle",
        "flow_rate": r"\tfrac{d\zeta}{d\tau}/(-\nabla_\Gamma\log\lambda_1)",
    }

    kappa: sympy.Symbol
    moment: sympy.Expr
    base: sympy.Expr | None
    decay: sympy.Expr | None
    moment_next: sympy.Expr
    remainder: sympy.Expr | None
    rate_error: sympy.Expr
    quasi_rmsprop: str
    delta: sympy.Expr | None
    polynomial: sympy.Expr | None
    c_b: sympy.Expr | None
    h_next: sympy.Expr | None
    u_next: sympy.Expr | None
    speeds: sympy.ImmutableMatrix | None
    energy: sympy.Expr | None
    rest: tuple[sympy.Expr, ...] | None
    frequency_squared: sympy.Expr | None
    mean_square: sympy.Expr | None
    flow_rate: sympy.Expr | None
    hypotheses: tuple[Hypothesis, ...]

    def _why(self, name: str) -> str:
        return "; ".join(h.text for h in self.hypotheses if h.status == "fails") or "see hypotheses"


def scheduler(
    update: sympy.Expr,
    *,
    state: sympy.Symbol,
    gradient: sympy.Symbol,
    rate: sympy.Expr | None = None,
    moment: sympy.Expr | None = None,
    eta: sympy.Symbol | None = None,
    given: Sequence[sympy.Basic] = (),
) -> Scheduler:
    """Derive the theory of an adaptive effective learning rate.

    Args:
        update: the next state, in terms of the state, the gradient's norm and hyperparameters.
        state: any positive number that the rule remembers: the rate itself, a second moment,
            a squared norm of the weights.
        gradient: the symbol of ``|grad L|``, the gradient at the iterate that the rate multiplies.
        rate: the effective learning rate, in terms of the state (and perhaps the gradient's norm);
            the state itself if left out.
        moment: the moment estimate, in terms of the state; ``1/rate**2`` if left out.
        eta: the base learning rate, where it is one of the hyperparameters and cannot be found.
        given: conditions on the hyperparameters, for instance ``[lr*wd < 1]``.
    """
    given = conditions(given)
    for symbol, what in ((state, "state"), (gradient, "gradient")):
        if not isinstance(symbol, sympy.Symbol):
            raise DerivationError(f"the {what} must be a sympy symbol, not {symbol!r}")
    exprs = {
        "update": read(update, "the update"),
        "rate": read(state if rate is None else rate, "the rate"),
    }
    if moment is not None:
        exprs["moment"] = read(moment, "the moment")
    scope = Scope([*exprs.values(), state, gradient, *given])
    scope.inside[state] = sympy.Symbol(str(state.name), positive=True)
    scope.inside[gradient] = sympy.Symbol(str(gradient.name), nonnegative=True)
    scope.outside = {v: k for k, v in scope.inside.items()}
    work = _Derivation(
        {k: scope.enter(e) for k, e in exprs.items()},
        scope.enter(state),
        scope.enter(gradient),
        None if eta is None else scope.enter(eta),
        Judge([scope.enter(c) for c in given]),
    )
    result = work.run()
    taken = {str(s.name) for e in exprs.values() for s in e.free_symbols - {state, gradient}}
    # the state may keep the name v only where it is the moment estimate itself
    taken |= {str(state.name)} if result.moment.has(work.state) else set()
    table = _public(taken, result.base)
    result = replace(result, hypotheses=tuple(_readable(h, table) for h in result.hypotheses))
    found: Scheduler = renamed(renamed(result, table), scope.outside)
    return found


def _readable(hypothesis: Hypothesis, table: Mapping[sympy.Symbol, sympy.Symbol]) -> Hypothesis:
    """With the public names of our letters."""
    text = hypothesis.text
    for letter, name in table.items():
        text = re.sub(rf"(?<!\w){re.escape(letter.name)}(?!\w)", str(name), text)
    return Hypothesis(text, hypothesis.status)


class _Derivation:
    """One scheduler on its way to a result."""

    def __init__(
        self,
        exprs: dict[str, sympy.Expr],
        state: sympy.Symbol,
        gradient: sympy.Symbol,
        eta: sympy.Symbol | None,
        judge: Judge,
    ) -> None:
        self.update, self.rate = exprs["update"], exprs["rate"]
        self.moment = exprs.get("moment")
        self.state, self.g, self.eta, self.judge = state, gradient, eta, judge
        self.hypotheses: list[Hypothesis] = [
            *judge.inputs(),
            Hypothesis(f"the state {state} and the rate are positive", "given"),
        ]

    def fail(self, text: str) -> None:
        self.hypotheses.append(Hypothesis(text, "fails"))

    # ------------------------------------------------------------------- the moment
    def _moment(self) -> tuple[sympy.Expr, sympy.Expr, sympy.Expr]:
        """The moment in the state, the next one and the rate in terms of ``V``."""
        if self.moment is None and self.rate.has(self.g):
            raise DerivationError(
                "the rate depends on the current gradient: say which function of the state is the "
                "moment estimate (moment=...)"
            )
        moment = 1 / self.rate**2 if self.moment is None else self.moment
        moment = self.judge.tidy(moment)
        if not moment.has(self.state):
            raise DerivationError(f"the rate does not depend on the state {self.state}")
        inverse = self._invert(moment)
        after = moment.subs(self.state, self.update).subs(self.state, inverse)
        rate = self.rate.subs(self.state, inverse)
        return moment, self._tidy(after), self._tidy(rate)

    def _invert(self, moment: sympy.Expr) -> sympy.Expr:
        """The state in terms of the moment, which must be monotone in it."""
        slope = sympy.diff(moment, self.state)
        signs = (sympy.StrictGreaterThan, sympy.StrictLessThan)
        if all(self.judge.status(s(slope, 0, evaluate=False)) != "holds" for s in signs):
            raise DerivationError(
                f"the moment {moment} is not known to be monotone in the state; name another one "
                "(moment=...), or say that the hyperparameters are positive"
            )
        try:
            solutions = sympy.solve(moment - V, self.state)
        except NotImplementedError:
            solutions = []
        for solution in solutions:
            positive = self.judge.status(sympy.StrictGreaterThan(solution, 0, evaluate=False))
            back = self.judge.same(sympy.expand(moment.subs(self.state, solution)), V)
            if back and positive == "holds":
                return solution
        raise DerivationError(
            f"the state cannot be written in terms of the moment {moment}; name another moment "
            "(moment=...), or say that the hyperparameters are positive"
        )

    def _tidy(self, expr: sympy.Expr) -> sympy.Expr:
        expanded = sympy.expand(expr)
        best = expanded if expanded.count_ops() < expr.count_ops() else expr
        best = best if self.judge.same(best, expr) else expr
        return self.judge.tidy(best)

    # ------------------------------------------------------------------------ RMSprop
    def run(self) -> Scheduler:
        judge = self.judge
        moment, after, rate = self._moment()
        base, decay = self._constants(after)
        letter = decay if isinstance(decay, sympy.Symbol) else BETA
        values: dict[str, Any] = dict.fromkeys(
            ("remainder", "delta", "polynomial", "c_b", "h_next", "u_next", "speeds", "energy",
             "rest", "frequency_squared", "mean_square", "flow_rate")
        )  # fmt: skip
        error = self._tidy(rate - 1 / sympy.sqrt(V))
        verdict = "fails"
        if base is not None and decay is not None:
            after = self._tidy(after.subs(self.g, GBAR * base))
            remainder = self._tidy(after - decay * V - (1 - decay) * GBAR**2)
            error = self._tidy(error.subs(self.g, GBAR * base))
            verdict = self._quasi(values, remainder, error, decay)
            short = in_terms_of_beta(remainder, decay, judge)
            if short is not None:
                remainder = short.subs(BETA, letter)
                after = letter * V + (1 - letter) * GBAR**2 + remainder
            values["remainder"] = remainder
            values["c_b"] = self._c_b(base, decay)
            if verdict != "holds":
                self.hypotheses.append(
                    Hypothesis("what follows holds to leading order in eta", "unknown")
                )
            self._drift(values, values["c_b"])
        self.hypotheses += _THEOREM if values["flow_rate"] is not None else ()
        return Scheduler(
            kappa=K2,
            moment=moment,
            base=base,
            decay=decay,
            moment_next=after,
            rate_error=judge.tidy(error),
            quasi_rmsprop=verdict,
            hypotheses=tuple(self.hypotheses),
            **values,
        )

    def _constants(self, after: sympy.Expr) -> tuple[sympy.Expr | None, sympy.Expr | None]:
        """Base learning rate and decay rate, from the recursion at small gradients."""
        judge = self.judge
        at_rest = self._tidy(after.subs(self.g, 0))
        decay = self._tidy(at_rest / V)
        if decay.has(V):
            self.fail(f"without gradients the moment decays geometrically: v -> {at_rest}")
            return None, None
        if judge.same(decay, sympy.Integer(1)):
            self.fail("the moment decays (beta < 1); here beta = 1, and the rate never recovers")
            return None, None
        square = sympy.Symbol("_q", positive=True)
        slope = sympy.diff(after.subs(self.g, sympy.sqrt(square)), square)
        gain = sympy.limit(slope, square, 0, "+")
        if gain.has(sympy.oo, sympy.zoo, sympy.nan) or judge.zero(gain) or gain.has(V):
            self.fail(f"small gradients enter the moment squared, with a constant weight: {gain}")
            return None, None
        gain = self._tidy(gain)
        base = self.eta if self.eta is not None else self._tidy(sympy.sqrt((1 - decay) / gain))
        if self.eta is not None and not judge.same(self.eta**2 * gain, 1 - decay):
            self.fail(f"the base learning rate satisfies eta^2 = (1 - beta)/{gain}")
            return None, None
        if judge.status(sympy.StrictLessThan(gain, 0, evaluate=False)) == "holds":
            self.fail(f"gradients raise the moment; here they lower it, by {gain}")
            return None, None
        for text, condition in (
            (
                f"gradients raise the moment: {gain} > 0",
                sympy.StrictGreaterThan(gain, 0, evaluate=False),
            ),
            (f"0 < beta = {decay}", sympy.StrictGreaterThan(decay, 0, evaluate=False)),
            (f"beta = {decay} < 1", sympy.StrictLessThan(decay, 1, evaluate=False)),
        ):
            self.hypotheses.append(judge.hypothesis(text, condition))
        return base, decay

    def _quasi(
        self,
        values: dict[str, Any],
        remainder: sympy.Expr,
        error: sympy.Expr,
        decay: sympy.Expr,
    ) -> str:
        """Definition B.5, and what its constants are."""
        bounds: list[Bound | None] = []
        for expr, find in ((remainder, bound_moment), (error, bound_rate)):
            inner = in_terms_of_beta(expr, decay, self.judge)
            bounds.append(None if inner is None else find(inner, V))
        first, second = bounds
        for text, bound in (
            ("|v_{t+1} - (beta v + (1 - beta) gbar^2)| <= delta(v) (1 - beta)^2 P(gbar)", first),
            ("|rate - 1/sqrt(v)| <= delta(v) (1 - beta) (1 + gbar^2)", second),
        ):
            status = "holds" if bound is not None else "unknown"
            self.hypotheses.append(Hypothesis(f"Definition B.5, for beta >= 1/2: {text}", status))  # type: ignore[arg-type]
        if first is None or second is None:
            return "unknown"
        values["delta"] = first.delta + second.delta
        values["polynomial"] = first.polynomial
        return "holds"

    def _c_b(self, base: sympy.Expr, decay: sympy.Expr) -> sympy.Expr:
        """``C_b = lim (1 - beta)/eta^2``; a symbol where the two are independent."""
        ratio = in_terms_of_beta(self._tidy((1 - decay) / base**2), decay, self.judge)
        if ratio is not None and not ratio.free_symbols - {BETA}:
            value = sympy.limit(ratio, BETA, 1, "-")
            if value.is_positive and self.judge.zero(sympy.cancel(ratio).subs(BETA, 1) - value):
                text = f"beta = 1 - {value} eta^2 + O(eta^4)"
                self.hypotheses.append(Hypothesis(text, "holds"))
                return value
        self.hypotheses.append(Hypothesis("beta = 1 - C_b eta^2 + O(eta^4)", "given"))
        return C_B

    # -------------------------------------------------------------------------- drift
    def _drift(self, values: dict[str, Any], c_b: sympy.Expr) -> None:
        """Definition H.2 from one step of the recursion, differentiated at eta = 0.

        At the edge ``v = (1 + eta u)/mu^2`` with ``mu = 2/lambda_1``, and the gradient at
        distance ``eta h`` along the top eigenvector has the norm ``eta h lambda_1``.
        """
        judge, mu = self.judge, 2 / _LAMBDA
        near = (1 + ETA * U) / mu**2
        recursion = (1 - c_b * ETA**2) * V + c_b * ETA**2 * GBAR**2
        recursion = recursion.subs(GBAR, H * _LAMBDA).subs(V, near)
        distance = sympy.expand(mu**2 * recursion - 1)
        pull = judge.tidy(sympy.diff(distance, ETA, 2).subs(ETA, 0) / 2)
        # over two steps log lambda_1 falls by 2 eta^2 h^2 kappa, so that mu^2 grows
        growth = sympy.exp(4 * ETA**2 * H**2 * K2)
        bend = sympy.diff(growth, ETA, 2).subs(ETA, 0) / 2
        values["u_next"] = U + ETA * judge.tidy(sympy.expand(2 * pull + bend))
        factor = (1 - _LAMBDA / sympy.sqrt(near)) ** 2
        slope = judge.tidy(sympy.diff(factor, ETA).subs(ETA, 0))
        values["h_next"] = H * (judge.tidy(factor.subs(ETA, 0)) + ETA * slope)
        speeds = [sympy.diff(values[k], ETA).subs(ETA, 0) / 2 for k in ("h_next", "u_next")]
        speeds = [judge.tidy(sympy.expand(s)) for s in speeds]
        values["speeds"] = sympy.ImmutableMatrix(speeds)
        field = VectorField((H, U), tuple(speeds))
        conserved = first_integral(field)
        if conserved is not None:
            unit = sympy.diff(conserved.value, U, 2)
            values["energy"] = sympy.expand(conserved.value / unit)
        push = speeds[1]
        gain, loss = push.coeff(H, 2), -push.subs(H, 0)
        mean = judge.tidy(loss / gain)
        if not judge.zero(sympy.expand(push.subs(H, sympy.sqrt(mean)))):
            raise ArithmeticError("the mean square does not balance the push")
        values["mean_square"] = values["flow_rate"] = mean
        rest = (judge.tidy(sympy.sqrt(mean)), sympy.Integer(0))
        values["rest"] = rest
        values["frequency_squared"] = frequency_squared(field, rest)


_THEOREM = (
    Hypothesis(
        "L is C^4 near a manifold of minimizers with Hessian of full normal rank", "unknown"
    ),
    Hypothesis("the top eigenvalue is simple on the manifold", "unknown"),
    Hypothesis(
        "the start is near the manifold and at the edge (Theorems B.10 and B.13)", "unknown"
    ),
)
