"""Checks of evaluation, derivatives and smoothness on losses with known answers."""

import math
import os

import pytest
import torch
import torch.nn.functional as F

from eostheory.check import derivatives, evaluation, smoothness  # noqa: F401
from eostheory.check.context import Context
from eostheory.check.finding import Status, Undecided, not_applicable
from eostheory.check.precision import Precision
from eostheory.check.profiles import Profile
from eostheory.check.registry import CHECKS
from eostheory.check.subject import Declarations, Domain, Subject
from eostheory.check.zoom import Line, search
from eostheory.numeric.objective import Objective

NAMES = (
    *("evaluates", "pure", "deterministic", "double-precision", "differentiable", "finite"),
    *("gradient", "hessian", "third-derivative", "symmetric-hessian", "declared-hessian", "smooth"),
)
SMALL = Profile("small", 9, 100)
FEW = Profile("few", 4, 100)
SEEDS = (0, 1, 2) if os.environ.get("EOSTHEORY_GALLERY") == "all" else (0,)

DATA = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SIGNS = torch.where(torch.arange(40) % 3 == 0, -1.0, 1.0).double()
SINGLE = torch.randn(40, 3, generator=torch.Generator().manual_seed(1))


def subject_of(loss, size, *, domain=None, hessian=None, start=None, objective=None):
    if start is None:
        low, high = domain or (-0.5, 0.7)
        start = torch.linspace(0.6 * low + 0.4 * high, high, size, dtype=torch.float64)
    if domain is None:
        place = Domain(center=torch.zeros(size, dtype=torch.float64), radius=2.0)
    else:
        place = Domain(*domain, declared=True)
    return Subject(
        name="loss",
        kind="function",
        loss=loss,
        objective=objective or Objective.of(loss, size),
        size=size,
        start=start,
        domain=place,
        declared=Declarations(hessian=hessian),
    )


def findings(subject, seed=0, profile=SMALL, names=NAMES):
    """What each check found, those that are not applicable for want of another left out."""
    context = Context(subject, profile, seed=seed)
    for name in names:
        known = CHECKS[name]
        lacking = [n for n in known.needs if context.outcomes[n].status is not Status.PASS]
        context.outcomes[name] = (
            not_applicable(f"needs {lacking[0]}") if lacking else known.body(context)
        )
    return context.outcomes


def up_to(name):
    """The checks up to that one."""
    return NAMES[: NAMES.index(name) + 1]


def bad(outcomes):
    """Everything but passes, with the class of what is not smooth."""
    told = {}
    for name, outcome in outcomes.items():
        if outcome.status is Status.FAIL:
            told[name] = outcome.measured if name == "smooth" else "fail"
        elif outcome.status is Status.UNKNOWN:
            told[name] = f"unknown: {outcome.message}"
        elif outcome.status is Status.NOT_APPLICABLE and not outcome.message.startswith(
            ("needs ", "no Hessian is declared")
        ):
            told[name] = "not-applicable"
    return told


def custom(forward, backward):
    """A scalar function with a closed-form gradient."""

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx, w):
            ctx.save_for_backward(w)
            return forward(w.detach())

        @staticmethod
        def backward(ctx, g):
            return g * backward(*ctx.saved_tensors)

    return Custom.apply


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w):
        ctx.save_for_backward(w)
        return (w**4).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        (w,) = ctx.saved_tensors
        return g * 4 * w**3


class WrongSecond(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w):
        ctx.save_for_backward(w)
        return 4 * w**3

    @staticmethod
    def backward(ctx, g):
        (w,) = ctx.saved_tensors
        return g * 12.012 * w**2


def quartic(w):
    return (w**4).sum()


def counting():
    calls = []

    def loss(w):
        calls.append(0)
        return (w**2).sum() + 1e-6 * len(calls)

    return loss


def with_buffer():
    buffer = torch.zeros(2, dtype=torch.float64)

    def loss(w):
        value = ((w - buffer) ** 2).sum()
        buffer.add_(0.01)
        return value

    return loss


def writes(w):
    w.mul_(2)
    return (w**2).sum()


def writes_data(w):
    w.data.clamp_(-1, 1)
    return (w**2).sum()


def writes_unseen(w):
    with torch.no_grad():
        w.clamp_(-1, 1)
    return (w**2).sum()


def seeded(w):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ((torch.randn(2, dtype=torch.float64) * w) ** 2).sum()


def wrong_join(x):
    return torch.where(x.abs() < 1, x**2 / 2, x.abs() - 0.4)


def wrong_slope(x):
    return torch.where(x.abs() < 1, x**2, x.abs())


GOOD = {
    "one parameter": (lambda w: torch.cosh(w[0]), 1),
    "huge": (lambda w: 1e12 * (torch.sin(w).sum() + w[0] * w[1]), 2),
    "tiny": (lambda w: 1e-12 * (torch.sin(w).sum() + w[0] * w[1]), 2),
    "linear": (lambda w: 3 * w[0] - w[1], 2),
    "constant with a graph": (lambda w: (0 * w).sum() + 5, 2),
    "flat direction": (lambda w: (w[0] - w[1]) ** 4, 2),
    "logsumexp": (lambda w: torch.logsumexp(DATA @ w, 0) - math.log(40), 3),
    "large numbers that cancel": (lambda w: ((DATA @ w + 1e8) - 1e8).pow(2).mean(), 3),
    "value that moves in steps": (lambda w: ((w**2).sum() + 1e10) - 1e10, 2),
    "steep tanh": (lambda w: torch.tanh(50 * w).sum(), 2),
    "steep exp": (lambda w: torch.exp(20 * w).sum(), 2),
    "narrow peak": (lambda w: (1 / (1e-3 + w**2)).sum(), 2),
    "softplus beyond its threshold": (lambda w: F.softplus(30 * w).sum(), 2),
    "saturated softmax": (lambda w: -torch.log_softmax(20 * w, 0)[0], 3),
    "gelu": (lambda w: F.gelu(DATA @ w).pow(2).mean(), 3),
    "fourth derivative that jumps": (lambda w: (w**3 * w.abs()).sum(), 2),
}

EVALUATED = {
    "exact float32 constant": (lambda w: (w**2).sum() * torch.tensor(2.0), 2),
    "float32 data converted": (lambda w: ((SINGLE.double() * w).sum(1) ** 2).mean(), 3),
    "integers": (lambda w: ((w * torch.arange(2)) ** 2).sum(), 2),
    "randomness with its own seed": (seeded, 2),
}

BROKEN = {
    "abs": (lambda w: (w - 0.3).abs().sum(), 2, {"smooth": "C0"}),
    "relu": (lambda w: F.relu(DATA @ w).mean(), 3, {"smooth": "C0"}),
    "plane that cuts off a corner": (
        lambda w: F.relu(w[0] + w[1] - 3.9) + (w**2).sum(),
        2,
        {"smooth": "C0"},
    ),
    "median": (lambda w: torch.median(w) ** 2, 3, {"smooth": "C0"}),
    "kink at the edge of the domain": (
        lambda w: (w**2).sum() + F.relu(w[0] - 1.97),
        2,
        {"smooth": "C0"},
    ),
    "max": (lambda w: torch.maximum(w[0], w[1]), 2, {"smooth": "C0"}),
    "hinge": (lambda w: F.relu(1 - SIGNS * (DATA @ w)).mean(), 3, {"smooth": "C0"}),
    "clamp": (lambda w: w.clamp(-1, 1).pow(2).sum(), 2, {"smooth": "C0"}),
    "norm": (lambda w: torch.linalg.norm(w), 2, {"smooth": "C0"}),
    "slope that jumps": (lambda w: wrong_slope(w).sum(), 2, {"smooth": "C0"}),
    "relu squared": (lambda w: F.relu(w[0] + w[1] - 1) ** 2, 2, {"smooth": "C1"}),
    "smooth l1": (
        lambda w: F.smooth_l1_loss(3 * w, torch.zeros(2, dtype=torch.float64)),
        2,
        {"smooth": "C1"},
    ),
    "elu": (lambda w: F.elu(w).sum(), 2, {"smooth": "C1"}),
    "softshrink squared": (lambda w: F.softshrink(w).pow(2).sum(), 2, {"smooth": "C1"}),
    "leaky relu squared": (lambda w: F.leaky_relu(w, 0.5).pow(2).sum(), 2, {"smooth": "C1"}),
    "cube of abs": (
        lambda w: ((w - 0.123).abs() ** 3).sum() + torch.cos(w).sum(),
        2,
        {"smooth": "C2"},
    ),
    "power 3.5": (lambda w: ((w - 0.3).abs() ** 3.5).sum(), 2, {"smooth": "C3"}),
    "wrong join": (lambda w: wrong_join(w).sum(), 2, {"smooth": "discontinuous"}),
    "round": (lambda w: torch.round(3 * w).sum(), 2, {"smooth": "discontinuous"}),
    "small step": (
        lambda w: (w**2).sum() + 1e-3 * torch.floor(w[0] + 0.25),
        2,
        {"smooth": "discontinuous"},
    ),
    "detached factor": (lambda w: w[0].detach() * w[1] ** 2, 2, {"gradient": "fail"}),
    "once differentiable": (Once.apply, 2, {"hessian": "fail"}),
    "backward in numpy": (
        lambda w: (
            w.prod() + custom(quartic, lambda w: torch.from_numpy(4 * w.detach().numpy() ** 3))(w)
        ),
        2,
        {"hessian": "fail"},
    ),
    "backward in numpy alone": (
        custom(quartic, lambda w: torch.from_numpy(4 * w.detach().numpy() ** 3)),
        2,
        {"hessian": "fail"},
    ),
    "wrong double backward": (custom(quartic, WrongSecond.apply), 2, {"hessian": "fail"}),
    "fused layer norm": (
        lambda w: (F.layer_norm(DATA * w, (3,)) * torch.tensor([1, 1.5, 2]).double()).tanh().mean(),
        3,
        {"third-derivative": "fail"},
    ),
    "fused batch norm": (
        lambda w: (
            F.batch_norm(torch.tanh(DATA * w) + DATA, None, None, training=True).pow(3).mean()
        ),
        3,
        {"third-derivative": "fail"},
    ),
    "float32 constant": (
        lambda w: (w**2).sum() * torch.tensor(0.1),
        2,
        {"double-precision": "fail"},
    ),
    "float32 data": (lambda w: (SINGLE * w).sum() ** 2, 3, {"double-precision": "fail"}),
    "through float32": (lambda w: (w.float() ** 2).sum().double(), 2, {"double-precision": "fail"}),
    "float32 value": (lambda w: (w**2).sum().float(), 2, {"double-precision": "fail"}),
    "dropout": (lambda w: F.dropout(w, 0.5).pow(2).sum(), 4, {"deterministic": "fail"}),
    "in place": (writes, 2, {"pure": "fail"}),
    "in place through data": (writes_data, 2, {"pure": "fail"}),
    "in place without grad": (writes_unseen, 2, {"pure": "fail"}),
    "nan in a corner": (
        lambda w: (w**2).sum() + torch.sqrt(3.2 - w.sum()),
        2,
        {"finite": "fail"},
    ),
    "one entry": (lambda w: (w**2).sum()[None], 2, {"evaluates": "fail"}),
    "vector": (lambda w: w**2, 2, {"evaluates": "fail"}),
    "raises": (lambda w: 1 / 0, 2, {"evaluates": "fail"}),
    "a Python float": (lambda w: float((w**2).sum()), 2, {"evaluates": "fail"}),
    "no graph": (lambda w: (w.detach() ** 2).sum(), 2, {"differentiable": "fail"}),
    "argmax": (lambda w: w.argmax().double(), 3, {"differentiable": "fail"}),
    "constant without a graph": (
        lambda w: torch.tensor(5.0, dtype=torch.float64),
        2,
        {"differentiable": "not-applicable"},
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", GOOD)
def test_a_smooth_loss_raises_no_alarm(name, seed):
    loss, size = GOOD[name]
    assert bad(findings(subject_of(loss, size), seed)) == {}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", EVALUATED)
def test_numbers_of_other_types_and_fixed_randomness_raise_no_alarm(name, seed):
    loss, size = EVALUATED[name]
    assert bad(findings(subject_of(loss, size), seed, names=up_to("finite"))) == {}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", BROKEN)
def test_a_loss_that_breaks_one_hypothesis_fails_one_check(name, seed):
    loss, size, expected = BROKEN[name]
    assert bad(findings(subject_of(loss, size), seed)) == expected


@pytest.mark.parametrize("make", [counting, with_buffer])
@pytest.mark.parametrize("seed", SEEDS)
def test_hidden_state_is_not_deterministic(make, seed):
    assert bad(findings(subject_of(make(), 2), seed)) == {"deterministic": "fail"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_barrier_at_the_edge_of_a_declared_domain_raises_no_alarm(seed):
    subject = subject_of(lambda w: (w - torch.log(w)).sum(), 2, domain=(0.01, 5.0))
    assert bad(findings(subject, seed)) == {}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("relative", [1e-4, 1e-7])
def test_a_wrong_coordinate_of_a_small_gradient_is_named(seed, relative):
    factor = torch.ones(3, dtype=torch.float64)
    factor[1] = 1 + relative
    loss = custom(quartic, lambda w: 4 * w**3 * factor)
    found = findings(subject_of(loss, 3), seed, names=up_to("gradient"))["gradient"]
    assert found.status is Status.FAIL
    details = found.counterexample.details
    assert details["coordinate"] == 1
    assert details["relative_error"] == pytest.approx(relative, rel=1e-2)
    assert found.measured == pytest.approx(found.expected * (1 + relative))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_coordinate_of_a_large_gradient_is_named(seed):
    size, wrong = 8000, 4321
    scale = torch.linspace(0.5, 1.5, size, dtype=torch.float64)
    factor = torch.ones(size, dtype=torch.float64)
    factor[wrong] += 1e-4
    loss = custom(
        lambda w: torch.sin(scale * w).sum() / 90,
        lambda w: factor * scale * torch.cos(scale * w) / 90,
    )
    start = torch.sin(torch.arange(size, dtype=torch.float64))
    subject = subject_of(loss, size, start=start)
    profile = Profile("default", 60, 100)
    found = findings(subject, seed, profile, up_to("gradient"))["gradient"]
    assert found.status is Status.FAIL
    assert found.counterexample.details["coordinate"] == wrong
    assert found.counterexample.details["relative_error"] == pytest.approx(1e-4, rel=1e-2)
    assert f"coordinate {wrong} of the gradient" in found.message


def test_chunks_are_added_up_by_every_check():
    chunks = [lambda w, x=x: F.softplus(x @ w).sum() for x in DATA.split(10)]
    objective = Objective(chunks, 3)
    subject = subject_of(objective, 3, objective=objective)
    assert bad(findings(subject, profile=FEW)) == {}


def test_a_kink_in_one_chunk_is_found():
    chunks = [lambda w: (w**2).sum(), lambda w: F.relu(w[0] - 0.2)]
    objective = Objective(chunks, 2)
    outcomes = findings(subject_of(objective, 2, objective=objective))
    assert bad(outcomes) == {"smooth": "C0"}
    details = outcomes["smooth"].counterexample.details
    assert details["class"] == "C0"
    assert "(0.2" in details["point"]
    assert abs(details["jump"]) == pytest.approx(1, rel=1e-3)


def test_the_declared_hessian_is_compared_with_that_of_the_loss():
    def loss(w):
        return (w**3).sum()

    names = (*up_to("hessian"), "declared-hessian")
    right = subject_of(loss, 2, hessian=lambda w: torch.diag(6 * w))
    assert bad(findings(right, names=names)) == {}
    for declared, message in (
        (lambda w: torch.diag(6.0001 * w), "of the declared Hessian is"),
        (lambda w: 6 * w, "shape"),
        (lambda w: 1 / 0, "ZeroDivisionError"),
    ):
        outcomes = findings(subject_of(loss, 2, hessian=declared), names=names)
        assert bad(outcomes) == {"declared-hessian": "fail"}
        assert message in outcomes["declared-hessian"].message


def test_a_line_that_leaves_the_domain_at_once_tells_nothing():
    subject = subject_of(quartic, 2)
    corner = torch.tensor([2.0, 2.0], dtype=torch.float64)
    outwards = torch.tensor([0.6, -0.8], dtype=torch.float64)
    with pytest.raises(Undecided, match="the point alone"):
        smoothness._along(subject, corner, outwards)


def test_messages_name_the_value_and_the_remedy():
    def message(name):
        loss, size, expected = BROKEN[name]
        check = next(iter(expected))
        return findings(subject_of(loss, size), profile=FEW, names=up_to(check))[check].message

    assert "0.10000000149011612" in message("float32 constant")
    assert "test_check_properties.py" in message("float32 constant")
    assert "dtype=torch.float64" in message("float32 constant")
    assert ".double()" in message("float32 data")
    assert "module.eval()" in message("dropout")
    assert "w.clone()" in message("in place")
    assert "once_differentiable" in message("once differentiable")
    assert "elementary operations" in message("fused layer norm")
    assert "detach()" in message("detached factor")
    assert ".squeeze()" in message("one entry")


def test_low_precision_away_from_the_parameters_is_no_concern():
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with Precision(w) as seen:
        table = (SINGLE * 0.1).sum(0)
        (table.double() * w).sum()
    assert seen.found == []


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda t: (abs(t - 0.1), math.copysign(1, t - 0.1)), "C0"),
        (lambda t: (max(t - 0.1, 0) ** 2, 2 * max(t - 0.1, 0)), "C1"),
        (lambda t: (max(t - 0.1, 0) ** 3, 3 * max(t - 0.1, 0) ** 2), "C2"),
        (lambda t: (float(t > 0.1), 0.0), "discontinuous"),
        (lambda t: (math.sin(9 * t), 9 * math.cos(9 * t)), None),
        (lambda t: (math.atan(1e4 * t), 1e4 / (1 + 1e8 * t * t)), None),
        (lambda t: (t, 1.0), None),
        (lambda t: (0.0, 0.0), None),
        (lambda t: (math.nan, math.nan), None),
    ],
)
def test_zooming_in_tells_the_class(function, expected):
    found = search(Line(function, 1.0), -1.0, 1.3, 48, 4)
    assert (found and found.smoothness) == expected
    if found is not None:
        assert found.at == pytest.approx(0.1, abs=1e-3)
