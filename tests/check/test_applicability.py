"""Which theorems apply to a loss: the table, the precedence of verdicts, and real losses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import sympy
import torch
from torch import Tensor, nn

from eostheory.check.applicability import (
    APPLIES,
    Applicability,
    applicability,
    excluded,
    hypotheses,
    judge,
    printed,
    summary,
    theorems,
)
from eostheory.check.catalogue import all_checks
from eostheory.check.engine import Examination
from eostheory.check.facts import Facts
from eostheory.check.finding import (
    Counterexample,
    Outcome,
    Recipe,
    failed,
    not_applicable,
    passed,
    unknown,
)
from eostheory.check.hypotheses import (
    COMPUTED,
    FAILS,
    HELD,
    UNKNOWN,
    Decision,
    Hypothesis,
    Theorem,
    either,
    fails,
    from_check,
    held,
    needs_of,
    undecided,
)
from eostheory.suite import load_library

KINDS = ("theorem", "lemma", "corollary", "proposition")
PAPERS = ("damian23", "lyu22", "li22")
BY_ID = {t.id: t for t in theorems()}
W = Recipe(torch.ones(2, dtype=torch.float64), "torch.ones(2)", {})


def listed() -> dict[str, str]:
    """Kinds by id of the papers' theorems."""
    entries = load_library().entries.values()
    return {e.id: e.kind for e in entries if e.paper in PAPERS and e.kind in KINDS}


def is_choice(hypothesis: Hypothesis) -> bool:
    return hypothesis.how.startswith("choice")


class Synthetic(Facts):
    """Facts of no loss: outcomes only."""

    def __init__(self, outcomes: Mapping[str, Outcome]) -> None:
        super().__init__(Examination(lambda w: w @ w, size=2).context, outcomes)


# The table


def test_every_theorem_is_in_the_table_or_excluded_with_a_reason() -> None:
    known = set(BY_ID) | set(excluded())
    assert set(listed()) == known
    assert not set(BY_ID) & set(excluded())
    for reason in excluded().values():
        assert reason.startswith(("needs no loss", "needs no property", "holds for every loss"))


def test_no_theorem_is_listed_twice() -> None:
    assert len(BY_ID) == len(theorems())


def test_a_name_of_a_hypothesis_means_one_condition() -> None:
    for theorem in theorems():
        assert theorem.title
        assert theorem.hypotheses
        for hypothesis in theorem.hypotheses:
            assert hypotheses()[hypothesis.name] is hypothesis
            assert hypothesis.text
            assert hypothesis.how


def test_hypotheses_read_checks_that_exist() -> None:
    for hypothesis in hypotheses().values():
        assert set(hypothesis.checks) <= set(all_checks()), hypothesis.name


# Precedence


@pytest.mark.parametrize("theorem", theorems(), ids=lambda t: t.id)
def test_each_hypothesis_decides_when_it_alone_is_not_met(theorem: Theorem) -> None:
    assert judge(theorem, lambda h: held("")).verdict == APPLIES
    for dropped in theorem.hypotheses:
        if is_choice(dropped):
            continue
        for decision in (fails("wrong", W), undecided("look")):
            found = judge(theorem, lambda h, d=dropped, x=decision: x if h is d else held(""))
            assert found.verdict == decision.verdict
            assert found.hypothesis == dropped.name
            assert found.message == decision.message
            assert found.point is decision.point


def test_a_choice_never_stands_in_the_way() -> None:
    facts = Synthetic({})
    choices = [h for h in hypotheses().values() if is_choice(h)]
    assert choices
    assert all(facts.decision(h).verdict == HELD for h in choices)


def condition(name: str, decision: Decision) -> Hypothesis:
    return Hypothesis(name, name, "measured", lambda _: decision)


def test_a_failure_comes_before_what_is_unknown_and_the_first_failure_is_named() -> None:
    conditions = (
        condition("a", held("fine")),
        condition("b", undecided("run check x")),
        condition("c", fails("broken", W)),
        condition("d", fails("broken, too")),
    )
    theorem = Theorem("paper/one", "a statement", conditions)
    found = judge(theorem, Synthetic({}).decision)
    assert (found.verdict, found.hypothesis, found.message) == (FAILS, "c", "broken")
    assert found.point is W
    found = judge(Theorem("paper/two", "", conditions[:2]), Synthetic({}).decision)
    assert (found.verdict, found.hypothesis, found.message) == (UNKNOWN, "b", "run check x")
    found = judge(Theorem("paper/three", "", conditions[:1]), Synthetic({}).decision)
    assert (found.verdict, found.hypothesis, found.message) == (APPLIES, None, "a: fine")


def test_one_of_two_settings_is_enough() -> None:
    yes, no, maybe = (
        condition("yes", held("")),
        condition("no", fails("no", W)),
        condition("maybe", undecided("try")),
    )
    facts = Synthetic({})
    assert facts.decision(either("1", "", (yes, no), (yes,))).verdict == HELD
    assert facts.decision(either("2", "", (no,), (maybe,))).verdict == UNKNOWN
    found = facts.decision(either("3", "", (no,), (yes, no)))
    assert found == fails("no: no; and no: no", W)


# Outcomes of checks


def test_outcomes_of_a_check_decide() -> None:
    outcomes = {
        "smooth": passed("fine", examples=7),
        "local-pl": unknown("no minimizer"),
        "finite": failed("NaN here", counterexample=Counterexample({"c": 2.0, "w": W})),
    }
    facts = Synthetic(outcomes)
    assert from_check(facts, "smooth") == held("smooth held on 7 points")
    assert from_check(facts, "hessian") == undecided("run check hessian")
    assert from_check(facts, "local-pl").verdict == UNKNOWN
    found = from_check(facts, "finite")
    assert (found.verdict, found.point) == (FAILS, W)
    assert "NaN here" in found.message


def test_a_check_that_was_not_run_fails_through_the_need_that_failed() -> None:
    outcomes = {
        "smooth": failed("a kink", counterexample=Counterexample({"w": W})),
        "progressive-sharpening": not_applicable("needs smooth, which failed"),
        "small-epsilon": not_applicable("needs progressive-sharpening, which is not applicable"),
    }
    for check in ("progressive-sharpening", "small-epsilon"):
        found = from_check(Synthetic(outcomes), check)
        assert (found.verdict, found.point) == (FAILS, W)
        assert f"{check} needs smooth, which failed: a kink" in found.message
    spared = from_check(Synthetic(outcomes), "progressive-sharpening", spare=("smooth",))
    assert spared.verdict == UNKNOWN


@pytest.mark.parametrize("broken", sorted(COMPUTED))
def test_a_loss_that_is_computed_wrongly_is_to_be_mended_first(broken: str) -> None:
    """What was computed wrongly says nothing about the loss that was meant."""
    outcomes = {name: not_applicable(f"needs {broken}, which failed") for name in all_checks()}
    outcomes[broken] = failed("off by 1", counterexample=Counterexample({"w": W}))
    for check in all_checks():
        if check == broken or broken in needs_of(check):
            assert from_check(Synthetic(outcomes), check) == undecided(
                f"mend {broken} first: off by 1"
            )


def test_a_wrong_hessian_leaves_theorems_open_instead_of_refuting_them() -> None:
    class Wrong(torch.autograd.Function):
        """``sum x^4`` with its gradient, whose derivative is twice what it should be."""

        @staticmethod
        def forward(ctx: Any, w: Tensor) -> Tensor:
            ctx.save_for_backward(w)
            return (w**4).sum()

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
            (w,) = ctx.saved_tensors
            return g * (8 * w**3 - 4 * w.detach() ** 3)

    found = check(lambda w: Wrong.apply(w) + (w @ w) / 2, size=2)
    for name in ("damian23/lemma-2", "damian23/thm-1", "lyu22/thm-D.4"):
        assert found[name].verdict == UNKNOWN, found[name]
        assert "mend hessian first" in found[name].message
    assert found["damian23/lemma-7"].verdict == FAILS  # values tell that it is not scale-invariant


def test_a_need_that_was_excluded_is_what_to_run() -> None:
    found = from_check(Synthetic({"smooth": not_applicable("needs gradient")}), "smooth")
    assert found.verdict == UNKNOWN
    assert "run check" in found.message


@pytest.mark.parametrize(
    ("measured", "holds"), [("C0", 0), ("C1", 1), ("C2", 2), ("C3", 3), (None, 0)]
)
def test_the_class_found_decides_how_smooth_the_loss_is(measured: str | None, holds: int) -> None:
    outcome = failed("jumps", measured=measured, counterexample=Counterexample({"w": W}))
    facts = Synthetic({"smooth": outcome})
    for order in (1, 2, 3, 4):
        assert facts.smooth(order).verdict == (HELD if order <= holds else FAILS)
    assert facts.smooth(4).point is W


def test_what_cannot_be_measured_is_unknown() -> None:
    def burst(_: Facts) -> Decision:
        raise RuntimeError("no memory")

    found = Synthetic({}).decision(Hypothesis("x", "", "", burst))
    assert found == undecided("it could not be measured: no memory")


# What the suite says


def test_a_theorem_that_is_false_as_printed_says_so() -> None:
    false = {name for name, (verdict, _) in printed().items() if verdict == "refuted"}
    known = printed()
    assert "damian23/lemma-4" in false & set(BY_ID)
    for name in false & set(BY_ID):
        found = judge(BY_ID[name], lambda h: held(""), known.get(name))
        assert found.verdict == APPLIES
        assert found.verdict_of_claim == "refuted"
        assert "false as printed, and holds only as corrected: see ERRATA.md" in found.message
    found = judge(BY_ID["damian23/lemma-2"], lambda h: held(""), known.get("damian23/lemma-2"))
    assert found.verdict_of_claim is None


def test_an_installation_without_proofs_says_nothing_about_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from eostheory.check import applicability as module
    from eostheory.suite import library
    from eostheory.suite.errors import LoadError

    def none() -> None:
        raise LoadError("no bundled proofs")

    module._printed.cache_clear()
    monkeypatch.setattr(library, "bundled_proofs", none)
    assert printed() == {}
    module._printed.cache_clear()


# Losses


def check(loss: object, data: object = None, **more: object) -> dict[str, Applicability]:
    """Applicability after the checks that hypotheses read."""
    names = sorted({c for h in hypotheses().values() for c in h.checks})
    examination = Examination(loss, data, checks=names, profile="quick", **more)
    for name in names:
        examination.finding(name)
    context = examination.context
    return applicability(context, context.outcomes)


def verdict(found: Mapping[str, Applicability], name: str) -> tuple[str, str | None]:
    return found[name].verdict, found[name].hypothesis


def toy(w: Tensor) -> Tensor:
    """damian23, appendix B, with alpha = beta = 1 and eta = 0.1."""
    x, y, z = w
    return (20 + y) * x**2 / 2 - y - z


@pytest.fixture(scope="module")
def of_toy() -> dict[str, Applicability]:
    start = torch.tensor([0.01, 0.0, 0.0], dtype=torch.float64)
    return check(toy, start=start, learning_rate=0.1)


def test_the_toy_of_damian23_meets_the_assumptions_of_theorem_1(
    of_toy: dict[str, Applicability],
) -> None:
    for name in ("thm-1", "thm-1.loss", "lemma-2", "lemma-4", "lemma-12.4", "lemma-14", "cor-4"):
        assert verdict(of_toy, f"damian23/{name}") == (APPLIES, None), of_toy[f"damian23/{name}"]
    assert "ERRATA" in of_toy["damian23/lemma-4"].message
    assert verdict(of_toy, "lyu22/thm-4.7") == (FAILS, "scale-invariant")
    assert of_toy["lyu22/thm-4.7"].point is not None
    assert verdict(of_toy, "li22/thm-3") == (FAILS, "two-layer linear network")
    point = of_toy["li22/thm-3"].point
    assert point is not None
    assert float(toy(point.tensor)) < 0
    assert verdict(of_toy, "lyu22/thm-B.13")[0] == UNKNOWN


def test_verdicts_go_into_json(of_toy: dict[str, Applicability]) -> None:
    text = json.dumps({name: one.as_dict() for name, one in of_toy.items()})
    assert json.loads(text)["lyu22/thm-4.7"]["point"]["code"].startswith("torch.tensor([")
    assert sum(summary(of_toy.values()).values()) == len(theorems())


def valley(w: Tensor) -> Tensor:
    """Scale-invariant in three dimensions; minimal where z |w| = 0.3 x^2."""
    u = w / torch.linalg.vector_norm(w)
    return (u[2] - 0.3 * u[0] ** 2) ** 2 * (1 + 0.5 * u[1])


@pytest.fixture(scope="module")
def of_valley() -> dict[str, Applicability]:
    return check(valley, size=3)


def test_a_scale_invariant_loss_meets_the_assumptions_of_lyu22(
    of_valley: dict[str, Applicability],
) -> None:
    for name in ("lemma-3.1", "lemma-D.1", "thm-4.2", "thm-4.4", "thm-4.7", "thm-B.7", "thm-D.5",
                 "lemma-H.12", "thm-H.23", "lemma-J.6"):  # fmt: skip
        assert verdict(of_valley, f"lyu22/{name}") == (APPLIES, None), of_valley[f"lyu22/{name}"]
    assert "eta lambda < 1" in of_valley["lyu22/lemma-3.1"].message
    assert of_valley["lyu22/lemma-3.1"].verdict_of_claim == "refuted"
    assert verdict(of_valley, "lyu22/thm-5.1") == (FAILS, "linear regression with BN")
    assert verdict(of_valley, "damian23/lemma-7") == (APPLIES, None)
    assert verdict(of_valley, "damian23/lemma-9") == (FAILS, "S_f bounded below")
    assert verdict(of_valley, "lyu22/thm-C.2") == (UNKNOWN, "independent data")
    assert verdict(of_valley, "li22/lemma-C.1") == (FAILS, "two-layer linear network")


def facts_of(loss: object, data: object = None, **more: object) -> Facts:
    """Facts without any check."""
    context = Examination(loss, data, profile="quick", **more).context
    return Facts(context, {"scale-invariant": passed("detected")})


def test_what_no_check_was_run_for_is_not_measured() -> None:
    facts = Synthetic({})
    for name in ("assumption 2", "assumption 5"):
        assert facts.decision(hypotheses()[name]) == undecided("run check progressive-sharpening")
    found = facts.decision(hypotheses()["simple top eigenvalue on Gamma"])
    assert found == undecided("run check minimizer-manifold")
    net, data, criterion = network()
    linear = facts_of(net, data, criterion=criterion)
    assert judge(BY_ID["li22/lemma-C.1"], linear.decision).verdict == APPLIES
    found = linear.decision(hypotheses()["learning rate (5)"])
    assert found == undecided("give a learning_rate=, or run check progressive-sharpening")


def test_the_descent_lemma_asks_for_a_domain_on_which_the_sharpness_is_bounded() -> None:
    bounded = hypotheses()["bounded sharpness"]
    for domain, expected in ((None, UNKNOWN), ((-1.0, 1.0), HELD)):
        context = Examination(lambda w: (w**4).sum(), size=2, domain=domain).context
        facts = Facts(context, {"smooth": passed("fine", examples=3)})
        assert facts.decision(bounded).verdict == expected


def test_rates_that_were_given_must_meet_the_hypothesis() -> None:
    for decay, expected in ((2.0, FAILS), (0.1, HELD)):
        facts = facts_of(valley, size=3, learning_rate=0.6, weight_decay=decay)
        assert facts.decision(hypotheses()["eta lambda < 1"]).verdict == expected
    facts = facts_of(valley, size=3, learning_rate=0.6, weight_decay=0.0)
    assert facts.decision(hypotheses()["weight decay"]).verdict == FAILS


def regression(nonlinear: float) -> object:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, generator=draw, dtype=torch.float64)
    x = torch.cat([x, x + 1, -x])
    y = x @ torch.randn(4, generator=draw, dtype=torch.float64) + nonlinear * x[:, 0] ** 2
    spread, mean = y.std(unbiased=False), y.mean()

    def loss(w: Tensor) -> Tensor:
        h = (x - x.mean(0)) @ w
        return ((spread * h / h.square().mean().sqrt() + mean - y) ** 2).mean()

    return loss


def test_linear_regression_with_batch_norm_is_recognised() -> None:
    name = hypotheses()["linear regression with BN"]
    assert facts_of(regression(0.0), size=4).decision(name).verdict == HELD
    found = facts_of(regression(0.5), size=4).decision(name)
    assert found.verdict == FAILS
    assert "not of a linear model" in found.message
    found = facts_of(valley, size=3).decision(name)
    assert found.verdict == FAILS
    assert found.point is not None


def network(symmetric: bool = True, m: int = 480, labels: float = 1.0) -> tuple[object, ...]:
    """A two-layer linear network on two examples, X'X = diag(2, 1)."""
    net = nn.Sequential(nn.Linear(2, m, bias=False), nn.Linear(m, 1, bias=False)).double()
    if symmetric:
        # f = A'Wx without 1/sqrt(m): weights are those of the paper times m^(-1/4).
        quarter = torch.eye(2, dtype=torch.float64).repeat(m // 4, 1)
        signs = torch.ones(m // 2, dtype=torch.float64)
        with torch.no_grad():
            net[0].weight.copy_(torch.cat([quarter, quarter]) * m**-0.25)
            net[1].weight.copy_(torch.cat([signs, -signs])[None] * m**-0.25)
    x = torch.diag(torch.tensor([2.0, 1.0], dtype=torch.float64).sqrt())
    y = torch.tensor([[labels], [-1.0]], dtype=torch.float64)
    return net, (x, y), nn.MSELoss()


def of_network(name: str, rate: float = 0.01, **how: object) -> Applicability:
    net, data, criterion = network(**how)  # type: ignore[arg-type]
    facts = facts_of(net, data, criterion=criterion, learning_rate=rate)
    return judge(BY_ID[f"li22/{name}"], facts.decision)


def test_a_two_layer_linear_network_meets_the_setting_of_li22() -> None:
    for name in ("lemma-C.1", "thm-1", "thm-3", "thm-3.b", "lemma-C.3.1", "lemma-C.5", "cor-C.3"):
        found = of_network(name)
        assert (found.verdict, found.hypothesis) == (APPLIES, None), found
    # Constants that the paper does not name decide nothing, and Phase II is far away.
    assert of_network("thm-4").verdict == UNKNOWN


@pytest.mark.parametrize(
    ("how", "theorem", "hypothesis"),
    [
        ({"symmetric": False}, "thm-3", "symmetric start"),
        ({"labels": 0.5}, "thm-3", "labels +1 and -1"),
        ({"rate": 0.5}, "thm-3", "learning rate (5)"),
        ({"m": 8}, "lemma-C.3.1", "m >= 112 c_1 n^2/lambda_r^2"),
    ],
)
def test_one_hypothesis_less_and_the_theorem_on_linear_networks_does_not_apply(
    how: dict[str, object], theorem: str, hypothesis: str
) -> None:
    torch.manual_seed(0)
    found = of_network(theorem, **how)  # type: ignore[arg-type]
    assert (found.verdict, found.hypothesis) == (FAILS, hypothesis)


def relu() -> tuple[object, ...]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    x = torch.tensor([[1.0, 0.5], [-1.0, 1.0], [0.5, -2.0]], dtype=torch.float64)
    y = torch.tensor([[1.0], [-1.0], [1.0]], dtype=torch.float64)
    return net, (x, y), nn.MSELoss()


def test_a_relu_network_is_not_a_linear_one_and_meets_idealisations_only_nearly() -> None:
    net, data, criterion = relu()
    facts = facts_of(net, data, criterion=criterion, learning_rate=0.1)
    for name, hypothesis in (
        ("lemma-C.1", "two-layer linear network"),
        ("lemma-3.1", "F(0) = 0"),
        ("lemma-3.4", "assumption 3.2"),
        ("prop-3.2", "linear output layer"),
    ):
        found = judge(BY_ID[f"li22/{name}"], facts.decision)
        assert (found.verdict, found.hypothesis) == (FAILS, hypothesis), found
    assert judge(BY_ID["li22/lemma-3.3"], facts.decision).verdict == APPLIES


def test_a_function_may_be_a_network_unless_its_values_say_no() -> None:
    linear = hypotheses()["two-layer linear network"]

    def product(w: Tensor) -> Tensor:
        return (w[0] * w[1] - 1) ** 2

    assert facts_of(product, size=2).decision(linear).verdict == UNKNOWN
    found = facts_of(lambda w: (w**2).sum(), size=2).decision(linear)
    assert found.verdict == FAILS
    assert found.point is not None


def test_a_quadratic_has_no_progressive_sharpening() -> None:
    found = check(lambda w: (3 * w[0] ** 2 + w[1] ** 2) / 2, size=2)
    assert verdict(found, "damian23/thm-1") == (FAILS, "assumption 1")
    assert found["damian23/thm-1"].point is not None
    assert verdict(found, "damian23/lemma-2") == (APPLIES, None)
    assert verdict(found, "lyu22/thm-D.4") == (APPLIES, None)


def test_a_kink_breaks_what_needs_derivatives() -> None:
    found = check(lambda w: w[0] ** 2 + w[1].abs(), size=2)
    for name, hypothesis in (("lemma-1", "C^2"), ("lemma-2", "C^3"), ("thm-1", "C^3")):
        assert verdict(found, f"damian23/{name}") == (FAILS, hypothesis)
        assert found[f"damian23/{name}"].point is not None


def test_smoothness_of_a_formula_is_derived() -> None:
    x, y = sympy.symbols("x y")
    exact = facts_of((3 * x**2 + y**2) / 2, variables=(x, y))
    assert exact.smooth(4) == held("exact: the expression is a polynomial")
    assert exact.bounded_sharpness().message.startswith("exact")
    wave = facts_of(sympy.sin(x) * sympy.exp(y) + y**2, variables=(x, y))
    assert wave.smooth(4).message == "exact: the expression is composed of entire functions"
    root = facts_of(sympy.sqrt(1 + x**2) + y**2, variables=(x, y))
    assert root.smooth(3) == undecided("run check smooth")


def test_a_loss_that_raises_makes_no_trouble() -> None:
    def broken(w: Tensor) -> Tensor:
        raise RuntimeError("out of order")

    context = Examination(broken, size=3).context
    found = applicability(context, {"evaluates": failed("raises RuntimeError: out of order")})
    assert set(found) == set(BY_ID)
    assert not any(one.verdict == APPLIES for one in found.values())


def test_values_that_are_not_finite_tell_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    facts = facts_of(lambda w: (w @ w) * float("nan"), size=2)
    for name in ("two-layer linear network", "network with squared error"):
        assert facts.decision(hypotheses()[name]).verdict == UNKNOWN
    assert facts.decision(hypotheses()["linear regression with BN"]).verdict == UNKNOWN
    assert capfd.readouterr().out == ""


def test_points_of_many_parameters_are_found_and_what_they_tell_is_measured_once() -> None:
    calls = []

    def flat(w: Tensor) -> Tensor:
        calls.append(1)
        return (w**2).mean()

    facts = facts_of(flat, size=4000)
    assert len(facts.samples(8)) == 8
    before = len(calls)
    for name in ("network with squared error", "linear output layer", "F(0) = 0", "assumption 3.2"):
        assert facts.decision(hypotheses()[name]).verdict == UNKNOWN
    assert len(calls) - before == 16
