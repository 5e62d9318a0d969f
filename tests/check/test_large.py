"""Losses of very many parameters, and points that are evaluated many in one pass."""

import json
import math

import pytest
import torch

from eostheory import check_loss
from eostheory.check import ReplayError, batch, replay
from eostheory.check.differences import gradient_along, noise, product_along, value_along
from eostheory.check.normalise import make_subject
from eostheory.check.slopes import LARGE, Parts
from eostheory.curvature import Products, dense_hessian

MANY = 20_000
WRONG = 17_321


def steep(w):
    return torch.log(torch.cosh(w)).sum() + torch.dot(w[:-1], w[1:]) / 4


class Careless(torch.autograd.Function):
    """A gradient with one entry of many that is off by a half of it."""

    @staticmethod
    def forward(ctx, w):
        ctx.save_for_backward(w)
        return torch.log(torch.cosh(w)).sum()

    @staticmethod
    def backward(ctx, slope):
        (w,) = ctx.saved_tensors
        factor = torch.ones_like(w)
        factor[WRONG] = 1.5
        return slope * factor * torch.tanh(w)


def careless(w):
    return Careless.apply(w)


@pytest.fixture(scope="module")
def found_careless():
    return check_loss(careless, size=MANY, checks="gradient", profile="quick")


def test_one_wrong_entry_of_very_many_is_named(found_careless):
    finding = found_careless["gradient"]
    assert finding.status == "fail"
    shown = finding.counterexample
    assert shown.details["coordinate"] == WRONG
    right = float(torch.tanh(shown.inputs["w"].tensor[WRONG]))
    assert math.isclose(finding.expected, right, rel_tol=1e-6)
    assert math.isclose(shown.details["error"], right / 2, rel_tol=1e-6)


def test_the_report_of_very_many_parameters_is_small_and_is_replayed(found_careless):
    text = found_careless.to_json()
    assert len(text) < 100_000
    (case,) = [f["replay"] for f in json.loads(text)["findings"] if f["check"] == "gradient"]
    again = replay(case, careless)
    assert again.status == "fail"
    assert again.counterexample.details["coordinate"] == WRONG
    shown = found_careless["gradient"].counterexample.inputs["w"]
    assert again.counterexample.inputs["w"].code == shown.code
    mended = replay(case, lambda w: torch.log(torch.cosh(w)).sum())
    assert mended.status == "pass"


def test_a_replay_from_another_start_is_refused(found_careless):
    (case,) = [f["replay"] for f in found_careless.as_dict()["findings"] if f["replay"]]
    with pytest.raises(ReplayError, match="pass the same start="):
        replay(case, careless, start=torch.ones(MANY, dtype=torch.float64))


def test_what_a_gradient_of_very_many_entries_was_compared_on_is_said():
    right = check_loss(steep, size=MANY, checks="gradient", profile="quick")["gradient"]
    assert right.status == "pass"
    assert f"random signs on all {MANY} coordinates" in right.message
    assert "with a probability of at most 1/16" in right.message
    assert "16 of 142 blocks" in right.message


def test_blocks_of_a_middling_loss_cover_every_coordinate():
    size, inputs = LARGE, 5
    parts = Parts(size, inputs, None, lambda name: torch.Generator().manual_seed(0))
    taken = torch.cat([block for _ in range(inputs) for block in parts.take()[2:]])
    assert sorted(taken.tolist()) == list(range(size))
    assert parts.covered == ""


def test_a_replay_looks_at_the_recorded_coordinate_first():
    parts = Parts(MANY, 5, {"coordinate": 7}, lambda name: torch.Generator().manual_seed(0))
    assert parts.take()[0].tolist() == [7]
    other = Parts(MANY, 5, {"coordinate": MANY}, lambda name: torch.Generator().manual_seed(0))
    assert len(other.take()[0]) == MANY


def points(count, size):
    draw = torch.Generator().manual_seed(3)
    return torch.randn(count, size, dtype=torch.float64, generator=draw)


def test_points_in_one_pass_are_what_single_ones_are():
    at, u = points(9, 12), torch.ones(12, dtype=torch.float64)
    values, gradients = batch.values(steep, at), batch.gradients(steep, at)
    products, hessians = batch.products(steep, at, u), batch.hessians(steep, at)
    for i, w in enumerate(at):
        with Products(steep, w) as single:
            torch.testing.assert_close(values[i], single.value, rtol=1e-14, atol=0)
            torch.testing.assert_close(gradients[i], single.gradient, rtol=1e-13, atol=1e-14)
            torch.testing.assert_close(products[i], single(u), rtol=1e-13, atol=1e-14)
            torch.testing.assert_close(hessians[i], dense_hessian(single), rtol=1e-13, atol=1e-14)


def branching(w):
    return (w**2).sum() if w.sum() > 0 else (w**4).sum()


def remembering():
    """A loss whose vmapped value is not its own: a batch must notice, and not be used."""

    def loss(w):
        inside = torch._C._functorch.is_batchedtensor(w)
        return (w**2).sum() * (1.0 + 1e-9 * inside)

    return loss


@pytest.mark.parametrize("loss", [branching, careless, remembering()])
def test_no_batch_is_made_of_what_cannot_be_batched_or_is_another_one(loss):
    size = MANY if loss is careless else 4
    for _ in range(3):
        assert batch.values(loss, points(3, size)) is None
        assert batch.gradients(loss, points(3, size)) is None


def test_no_batch_is_made_where_it_would_take_much_memory():
    table = torch.ones(3000, 40, dtype=torch.float64)

    def wide(w):
        return torch.tanh(table @ w).sum()

    assert batch.values(wide, points(2, 40)) is not None
    assert batch.values(wide, points(1000, 40)) is None


def test_warnings_of_torch_about_batches_are_not_shown(recwarn):
    def loss(w):
        return torch.linalg.eigvalsh(torch.outer(w, w) + torch.eye(len(w)).to(w))[-1]

    batch.hessians(loss, points(2, 4))
    assert not recwarn.list


@pytest.mark.parametrize("along", [value_along, gradient_along, product_along])
def test_a_line_in_one_pass_scatters_as_single_points_do(along):
    subject = make_subject(steep, size=6)
    w, u = points(2, 6)
    together, _ = along(subject, w, u)
    assert together.ahead([0.0, 1e-3, -1e-3])
    alone, _ = along(subject, w, u)
    alone.many = None
    assert not alone.ahead([0.0, 1e-3])
    for t in (0.0, 1e-3, -1e-3):
        torch.testing.assert_close(together(t), alone(t), rtol=1e-13, atol=1e-14)
    assert noise(together, 1.0) <= 8 * noise(alone, 1.0) <= 64 * noise(together, 1.0)


def test_points_without_a_value_have_none_in_one_pass_either():
    subject = make_subject(
        lambda w: torch.log(w).sum(), size=2, domain=(0.0, 2.0), start=[1.0, 1.0]
    )
    at, _ = gradient_along(subject, torch.ones(2).double(), torch.tensor([1.0, 0.0]).double())
    steps = [-0.5, -1.0, -1.5, 0.5]
    assert at.ahead(steps)
    assert [at(t) is None for t in steps] == [False, True, True, False]
