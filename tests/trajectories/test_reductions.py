"""Reductions carry what they say of the full dynamics, exactly."""

import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory.numeric.batchnorm import regression_data
from eostheory.numeric.losses import Draw
from eostheory.trajectories.reductions import (
    affine_batch_norm,
    linear_batch_norm,
    operations,
    quadratic,
    scale_invariant,
    scale_invariant_3d,
    self_stabilisation,
    two_layer_linear,
)
from eostheory.trajectories.rules_losses import three_dimensional_example
from eostheory.trajectories.simulation import simulate

EPS = torch.finfo(torch.float64).eps
FEW = settings(max_examples=15, deadline=None)

seeds = st.integers(0, 2**20)
sides = st.integers(1, 5)


def stepped(reduced, full, eta, decay):
    """A reduced step from full tensors: the state after it, and the observables there."""
    recurrence = reduced.recurrence()
    run = simulate(
        recurrence, reduced.reduce(*full), reduced.parameters(eta, decay), 1, backend="eager"
    )
    return run.state, dict(zip(recurrence.observables, run.records[0], strict=True))


def close(left, right, scale=1.0, roundings=512):
    """Equal up to so many roundings of numbers of this size."""
    left, right = (torch.as_tensor(x, dtype=torch.float64) for x in (left, right))
    gap = float((left - right).abs().max())
    return gap <= roundings * EPS * float(scale)


def network(seed, d, n, m):
    draw = Draw(seed, "cpu")
    reduced = two_layer_linear(draw.normal(d, n), draw.normal(n), m)
    return reduced, (draw.normal(m), draw.normal(m, d))


def hessian(reduced, *full):
    """The Hessian of the full loss in all its variables."""
    shapes = [x.shape for x in full]
    sizes = [x.numel() for x in full]

    def flat(v):
        parts = [p.reshape(s) for p, s in zip(v.split(sizes), shapes, strict=True)]
        return reduced.loss(*parts)

    return torch.autograd.functional.hessian(flat, torch.cat([x.reshape(-1) for x in full]))


@FEW
@given(seeds, sides, sides, st.integers(1, 9))
def test_the_reduced_network_steps_as_the_full_one_does(seed, d, n, m):
    reduced, full = network(seed, d, n, m)
    following = reduced.step(*full, eta=0.02, weight_decay=0.3)
    state, observed = stepped(reduced, full, 0.02, 0.3)
    wanted = reduced.reduce(*following)
    scale = (1 + float(reduced.reduce(*full).abs().max())) ** 3
    scale *= (1 + float(reduced.singular[0])) ** 3
    assert close(state, wanted, scale)
    a, w = following
    root = m**0.5
    outputs = a @ w @ reduced.X / root
    residual = outputs - reduced.Y
    gram = reduced.gram_matrix(state)
    assert close(observed["loss"], reduced.loss(*following), scale**2)
    assert close(observed["residual_norm"], residual.norm(), scale**2)
    assert close(observed["output_norm2"], a @ a, scale**2)
    assert close(observed["residual_dot_output"], residual @ outputs, scale**2)
    assert close(observed["gram_top"], gram[0, 0], scale**2)


@FEW
@given(seeds, sides, sides, st.integers(1, 9))
def test_gram_matrix_and_sharpness_of_all_weights_come_from_the_reduced_state(seed, d, n, m):
    reduced, (a, w) = network(seed, d, n, m)
    state = reduced.reduce(a, w)
    whole = torch.linalg.eigvalsh(hessian(reduced, a, w))
    by_a = (w @ reduced.X) / m**0.5
    by_w = a[:, None, None] * reduced.X / m**0.5
    jacobian = torch.cat([by_a, by_w.reshape(-1, n)])
    gram = torch.linalg.eigvalsh(2 / n * jacobian.T @ jacobian)
    scale = float(whole.abs().max()) + float(gram.abs().max())
    assert close(reduced.sharpness(state), whole[-1], scale, 1e5)
    assert close(torch.linalg.eigvalsh(reduced.gram_matrix(state))[-1], gram[-1], scale, 1e5)


def test_the_sharpness_is_that_of_the_directions_across_the_weights_where_these_win():
    # all outputs are far from the labels and the weights are tiny: only D bends the loss
    draw = Draw(3, "cpu")
    reduced = two_layer_linear(draw.normal(3, 4), 100 * draw.normal(4), 12)
    full = (1e-6 * draw.normal(12), 1e-6 * draw.normal(12, 3))
    whole = torch.linalg.eigvalsh(hessian(reduced, *full))
    states = torch.stack([reduced.reduce(*full), reduced.reduce(*(0 * x for x in full))], 1)
    found = reduced.sharpness(states)
    assert found.shape == (2,)
    assert close(found[0], whole[-1], whole[-1], 1e5)
    assert close(found[1], 2 * (reduced.X @ reduced.Y).norm() / (4 * 12**0.5), found[1], 1e5)


def test_networks_of_different_width_with_equal_gram_matrices_move_alike():
    draw = Draw(5, "cpu")
    x, y, a, w = draw.normal(3, 4), draw.normal(4), draw.normal(2), draw.normal(2, 3)
    narrow, wide = (two_layer_linear(x, y, m, normalized=False) for m in (2, 7))
    turn = draw.orthogonal(7)[:, :2]
    small, large = narrow.reduce(a, w), wide.reduce(turn @ a, turn @ w)
    assert close(small, large, small.abs().max())
    first, second = (
        simulate(r.recurrence(["loss"]), small, r.parameters(0.01), 300).records
        for r in (narrow, wide)
    )
    assert torch.equal(first, second)
    assert narrow.full_size == 8
    assert wide.full_size == 28
    assert len(narrow.state) == len(wide.state) == 1 + 3 + 6


def test_a_network_keeps_to_its_reduction_over_a_thousand_steps():
    reduced, (a, w) = network(11, 6, 4, 20)
    eta = 0.5 / float(reduced.sharpness(reduced.reduce(a, w)))
    run = simulate(
        reduced.recurrence(["loss", "output_norm2"]), reduced.reduce(a, w),
        reduced.parameters(eta), 1000, every=50,
    )  # fmt: skip
    found = []
    for step in range(1, 1001):
        a, w = reduced.step(a, w, eta=eta)
        if step % 50 == 0:
            found.append([float(reduced.loss(a, w)), float(a @ a)])
    wanted = torch.tensor(found, dtype=torch.float64)
    # below the edge errors do not grow: each step adds some roundings
    assert close(run.records, wanted, wanted.abs().max(), 64 * 1000)


@FEW
@given(seeds, st.integers(2, 9), st.integers(1, 9), st.booleans())
def test_batch_normalised_regression_steps_as_the_full_weight_does(seed, n, d, frozen):
    draw = Draw(seed, "cpu")
    chosen = {"gamma": 0.7, "beta": -0.4, "epsilon": 0.5} if frozen else {}
    reduced = linear_batch_norm(draw.normal(n, d) + draw.normal(d), draw.normal(n), **chosen)
    w = draw.normal(d)
    (following,) = reduced.step(w, eta=0.05, weight_decay=0.4)
    state, observed = stepped(reduced, (w,), 0.05, 0.4)
    start = reduced.reduce(w)
    # the slope is large where the scores are nearly equal
    ratio = 1 + float(reduced.sigma[0]) ** 2 / float((start[: reduced.rank] ** 2).sum())
    scale = (1 + float(w.abs().max())) * (1 + float(reduced.sigma[0])) * ratio**2
    scale /= min(1.0, float(reduced.sigma[-1]) ** 2)
    scale *= 1 + float(following.abs().max())
    assert close(state, reduced.reduce(following), scale)
    assert close(observed["norm2"], following @ following, scale**2)
    assert close(observed["norm"], following.norm(), scale**2)
    assert close(
        observed["effective_rate"] * (following @ following), 0.05 / (1 - 0.05 * 0.4), scale**2
    )
    assert close(reduced.restore(state, w), following, scale**2)
    if ratio < 1e3:
        assert close(observed["loss"], reduced.loss(following), scale**2)
        assert close(observed["residual_norm"] ** 2, n * reduced.loss(following), scale**2)


@FEW
@given(seeds, st.sampled_from((0.0, 0.25)))
def test_scale_and_shift_may_be_trained_with_the_weight(seed, epsilon):
    draw = Draw(seed, "cpu")
    reduced = affine_batch_norm(draw.normal(6, 4), draw.normal(6), epsilon=epsilon)
    full = (draw.normal(4), *draw.normal(2))
    following = reduced.step(*full, eta=0.05, weight_decay=0.4)
    state, observed = stepped(reduced, full, 0.05, 0.4)
    near = float((reduced.reduce(*full)[:-2] ** 2).sum())
    scale = (1 + 1 / near) ** 3 * (1 + float(reduced.frozen.sigma[0])) ** 4 * 100
    assert close(state, reduced.reduce(*following), scale)
    assert close(observed["loss"], reduced.loss(*following), scale**2)
    assert close(reduced.restore(state, full[0]), following[0], scale**2)


def test_spherical_sharpness_comes_from_the_reduced_state():
    data = regression_data(4, 12, 7, "cpu")
    w = Draw(5, "cpu").normal(3, 12)
    for epsilon in (0.0, 0.3):
        targets = data.y + Draw(4, "cpu").normal(7)
        reduced = linear_batch_norm(data.x, targets, epsilon=epsilon)
        found = reduced.spherical_sharpness(reduced.reduce(w))
        for row, top in zip(w, found, strict=True):
            whole = torch.linalg.eigvalsh(hessian(reduced, row / row.norm()))
            assert close(top, whole[-1], whole.abs().max(), 1e4)


def test_one_step_of_the_normalised_regression_costs_nine_operations_a_coordinate():
    def cost(n, **options):
        data = regression_data(0, 40, n, "cpu")
        return operations(linear_batch_norm(data.x, data.y, **options).recurrence(["loss"]))

    assert cost(20) - cost(10) == 9 * 10
    assert cost(20) <= 9 * 19 + 8
    assert cost(20, as_parameters=True) == cost(20)
    assert cost(20, decay=False) < cost(20)


def test_a_stable_run_in_forty_dimensions_is_the_run_in_twenty_to_rounding():
    data = regression_data(2, 40, 20, "cpu")
    reduced = linear_batch_norm(data.x, data.y)
    assert len(reduced.state) == 20
    w = Draw(102, "cpu").normal(40)
    start, eta, decay, steps = reduced.reduce(w), 0.5, 1e-4, 1000
    recurrence = reduced.recurrence([*map(str, reduced.state), "loss", "effective_rate"])
    shaken = start * (1 + 2.0**-30 * Draw(7, "cpu").normal(20))
    both = simulate(
        recurrence, torch.stack([start, shaken], 1), reduced.parameters(eta, decay), steps, every=50
    )
    exact, other = both.records[..., 0], both.records[..., 1]
    # what became of a small change of the start: how errors grow
    growth = float((exact - other)[:, :20].norm(dim=1).max() / (start - shaken).norm())
    assert growth < 3  # a stable run
    found, losses = [], []
    for step in range(1, steps + 1):
        (w,) = reduced.step(w, eta=eta, weight_decay=decay)
        if step % 50 == 0:
            found.append(reduced.reduce(w))
            losses.append([float(reduced.loss(w)), eta / ((1 - eta * decay) * float(w @ w))])
    states = torch.stack(found)
    # each step adds at most some roundings of the state, which then grow
    bound = growth * 32 * steps * EPS * float(states.norm(dim=1).max())
    assert float((states - exact[:, :20]).norm(dim=1).max()) <= bound
    wanted = torch.tensor(losses, dtype=torch.float64)
    assert float((wanted - exact[:, 20:]).abs().max()) <= bound
    assert float(wanted[-1, 0]) < 0.1 * float(wanted[0, 0])


def test_at_the_edge_the_first_steps_agree():
    data = regression_data(3, 40, 20, "cpu")
    reduced = linear_batch_norm(data.x, data.y)
    w = Draw(103, "cpu").normal(40)
    w = w / w.norm()
    # twice what is stable at the start: errors grow in each step
    eta = 4 / float(reduced.spherical_sharpness(reduced.reduce(w)))
    run = simulate(reduced.recurrence(["norm2"]), reduced.reduce(w), reduced.parameters(eta), 20)
    norms = []
    for _ in range(20):
        (w,) = reduced.step(w, eta=eta)
        norms.append(float(w @ w))
    assert close(run.records[:, 0], norms, max(norms), 1e4)


def test_data_as_parameters_run_many_data_sets_with_one_formula():
    draw = Draw(9, "cpu")
    several = [
        linear_batch_norm(draw.normal(5, 4), draw.normal(5), as_parameters=True) for _ in range(3)
    ]
    w = draw.normal(3, 4)
    first = several[0].recurrence(["loss", "norm"])
    assert all(r.recurrence(["loss", "norm"]) == first for r in several)
    tables = [r.parameters(0.1, 0.01) for r in several]
    table = {k: torch.tensor([t[k] for t in tables], dtype=torch.float64) for k in tables[0]}
    starts = torch.stack([r.reduce(x) for r, x in zip(several, w, strict=True)], 1)
    together = simulate(first, starts, table, 200)
    for k, r in enumerate(several):
        fixed = linear_batch_norm(r.X, r.y)
        assert torch.equal(fixed.reduce(w[k]), starts[:, k])
        alone = simulate(
            fixed.recurrence(["loss", "norm"]), starts[:, k], fixed.parameters(0.1, 0.01), 200
        )
        assert close(together.records[..., k], alone.records, 10)
    assert close(
        two_layer_linear(draw.normal(2, 3), draw.normal(3), 4, as_parameters=True).parameters(0.1)[
            "eta"
        ],
        0.1,
    )


def test_a_batch_of_full_tensors_reduces_to_a_batch_of_starts():
    reduced, _ = network(1, 3, 4, 5)
    draw = Draw(2, "cpu")
    a, w = draw.normal(6, 5), draw.normal(6, 5, 3)
    whole = reduced.reduce(a, w)
    assert whole.shape == (len(reduced.state), 6)
    assert close(whole[:, 2], reduced.reduce(a[2], w[2]), whole.abs().max())
    norm2, along, gram = reduced.matrices(whole)
    assert close(norm2[2], a[2] @ a[2], 10)
    assert close(along[2], reduced.basis.T @ w[2].T @ a[2], 100)
    assert close(gram[2], reduced.basis.T @ w[2].T @ w[2] @ reduced.basis, 100)


def test_the_three_dimensional_example_is_a_rotated_batch_normalisation():
    reduced = scale_invariant_3d()
    w = torch.tensor([0.3, 1.3, 1.2], dtype=torch.float64)
    sphere = scale_invariant(three_dimensional_example())
    parameters = reduced.parameters(0.5, 0.08)
    run = simulate(
        reduced.recurrence(["loss", "norm2", "effective_rate"]), reduced.reduce(w), parameters, 60
    )
    other = simulate(
        sphere.recurrence(["loss", "norm2", "effective_rate"]),
        sphere.reduce(w),
        sphere.parameters(0.5, 0.08),
        60,
    )
    for step in range(60):
        (w,) = reduced.step(w, eta=0.5, weight_decay=0.08)
        rate = 0.5 / ((1 - 0.5 * 0.08) * float(w @ w))
        wanted = torch.tensor([float(reduced.loss(w)), float(w @ w), rate], dtype=torch.float64)
        assert close(run.records[step], wanted, 10, 1e6)
        assert close(other.records[step], wanted, 10, 1e6)
    assert reduced.state[-1] == sympy.Symbol("null", real=True)


def test_scale_invariant_losses_move_in_direction_and_norm():
    x, y = sympy.symbols("x y", real=True)
    c = sympy.Symbol("c", positive=True)
    loss = sympy.exp(x * y / (x**2 + c * y**2))
    reduced = scale_invariant(loss, (x, y), values={"c": 2.0})
    for seed in range(5):
        w = Draw(seed, "cpu").normal(2)
        (following,) = reduced.step(w, eta=0.1, weight_decay=0.5)
        state, observed = stepped(reduced, (w,), 0.1, 0.5)
        scale = (1 + 1 / float(w @ w)) ** 2 * (1 + float(w @ w))
        assert close(observed["norm2"], following @ following, scale)
        assert close(observed["loss"], reduced.loss(following), scale**2)
        assert close(state[:2], following / following.norm(), scale**2)


def test_the_toy_without_z_keeps_its_sharpness():
    reduced = self_stabilisation(0.05, 1.0, 2.0)
    assert reduced.dropped == ("z",)
    w = torch.tensor([0.1, 0.0, 0.0], dtype=torch.float64)
    run = simulate(reduced.recurrence(), reduced.reduce(w), reduced.parameters(0.05), 40)
    observed = dict(zip(reduced.recurrence().observables, run.records.T, strict=True))
    for step in range(40):
        (w,) = reduced.step(w, eta=0.05)
        assert close(observed["x"][step], w[0], 1, 1e5)
        top = torch.linalg.eigvalsh(hessian(reduced, w))[-1]
        assert close(observed["sharpness"][step], top, 100, 1e5)
    assert close(w[2], 40 * 0.05, 10)


def test_a_quadratic_moves_along_each_eigenvector():
    draw = Draw(6, "cpu")
    free = draw.normal(5, 5)
    reduced = quadratic(free + free.T, draw.normal(5))
    w = draw.normal(5)
    (following,) = reduced.step(w, eta=0.1, weight_decay=0.2)
    state, observed = stepped(reduced, (w,), 0.1, 0.2)
    assert close(state, reduced.reduce(following), 10)
    assert close(observed["loss"], reduced.loss(following), 100)
    assert close(observed["norm2"], following @ following, 100)
    slope = (free + free.T) @ following - reduced.linear
    assert close(observed["gradient_norm"], slope.norm(), 100)
