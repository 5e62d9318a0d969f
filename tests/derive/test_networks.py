"""Linear networks of all sizes, against the paper's formulas and real steps."""

from itertools import pairwise

import pytest
import sympy
import torch

from eostheory import derive
from eostheory.formula import Equation, dot, outer
from eostheory.symbolic import Model


@pytest.fixture(scope="module")
def two():
    return derive.linear_network()


def letters(network):
    from eostheory.formula import symbols_of

    found = {s.name: s for s in symbols_of(network.residual) | symbols_of(network.gram_star)}
    return [found[k] for k in ("A", "W", "X", "D", "n", "width_m", "eta")]


def holds(left, right):
    return Model().decide(Equation(left, right), refute=False).outcome == "holds"


def test_two_layers_are_equations_8_to_12(two):
    A, W, X, D, n, m, eta = letters(two)
    gram = 2 / (m * n) * (dot(A, A) * (X.T @ X) + X.T @ W.T @ W @ X)
    assert holds(two.gram, gram)
    overlap = dot(D, two.outputs)
    assert holds(two.gram_star, gram - 4 * eta / (n**2 * m) * overlap * (X.T @ X))
    assert holds(two.orders[1], -(gram @ D))


def test_the_gram_matrix_follows_lemma_c2(two):
    A, W, X, D, n, m, _ = letters(two)
    F = two.outputs
    square = X.T @ X
    first = 2 * dot(F, D) * square + outer(F, D) @ square + square @ outer(D, F)
    assert holds(two.gram_orders[0], -4 / (n**2 * m) * first)
    inner = dot(D, X.T @ W.T @ W @ X @ D)
    second = inner * square + dot(A, A) * (square @ outer(D, D) @ square)
    assert holds(two.gram_orders[1], 8 / (n**3 * m**2) * second)


@pytest.mark.parametrize("depth, normalized", [(2, True), (3, True), (3, False), (4, True)])
def test_a_real_step_of_any_depth(depth, normalized):
    network = derive.linear_network(depth, normalized=normalized)
    torch.manual_seed(depth)
    sizes = [3, *range(4, 4 + depth - 1)]
    hidden = [torch.randn(b, a, dtype=torch.float64) for a, b in pairwise(sizes)]
    weights = [*hidden, torch.randn(sizes[-1], dtype=torch.float64)]
    x, y = torch.randn(3, 5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)

    def residual(parts):
        value = parts[-1]
        for w in reversed(parts[:-1]):
            value = w.T @ value
        scale = 1.0
        for width in sizes[1:] if normalized else []:
            scale = scale / width**0.5
        return scale * (x.T @ value) - y

    leaves = [w.clone().requires_grad_(True) for w in weights]
    before = residual(leaves)
    grads = torch.autograd.grad((before**2).mean(), leaves)
    names = [w.name for w in network.weights]
    table = {**dict(zip(names, weights, strict=True)), "X": x, "D": before.detach()}
    eta = 0.05
    moved = []
    for k, (w, grad) in enumerate(zip(weights, grads, strict=True)):
        update = network.to_torch(f"updates[{k}]")
        asked = {n: v for n, v in {**table, "eta": torch.tensor(eta)}.items() if n in update.inputs}
        moved.append(update(**asked))
        assert torch.allclose(moved[-1], w - eta * grad, atol=1e-12)
    total = before.detach().clone()
    for k in range(1, depth + 1):
        function = network.to_torch(f"orders[{k}]")
        total = total + eta**k * function(
            **{n: v for n, v in table.items() if n in function.inputs}
        )
    assert torch.allclose(total, residual(moved), atol=1e-10)


def test_the_printed_source_is_the_function(two):
    function = two.to_torch("gram_star")
    torch.manual_seed(0)
    table = {
        "A": torch.randn(7, 4), "W": torch.randn(7, 4, 3), "X": torch.randn(7, 3, 5),
        "D": torch.randn(7, 5), "eta": torch.rand(7), "n": torch.full((7,), 5.0),
        "width_m": torch.full((7,), 4.0),
    }  # fmt: skip
    table = {k: v.double() for k, v in table.items()}
    scope = {}
    exec(function.source, scope)
    direct = function(**table)
    assert direct.shape == (7, 5, 5)
    assert torch.allclose(scope["gram_star"](**table), direct, atol=1e-14)
    single = function(**{k: v[0] for k, v in table.items() if k not in ("n", "width_m")})
    assert torch.allclose(single, direct[0], atol=1e-14)
    with pytest.raises(TypeError, match="lacks"):
        function(A=table["A"])
    with pytest.raises(TypeError, match="not Z"):
        function(Z=table["A"])
    with pytest.raises(TypeError, match="side"):
        function(**{**table, "X": torch.randn(7, 4, 5)})


def test_exact_values_and_matrix_expressions(two):
    M = sympy.Matrix
    values = {"A": M([1, 2]), "W": M([[1, 0], [2, 1]]), "X": M([[1, 2, 0], [0, 1, 1]])}
    gram = two.exact("gram", **values)
    direct = (values["A"].dot(values["A"]) * values["X"].T * values["X"]
              + values["X"].T * values["W"].T * values["W"] * values["X"]) / 3  # fmt: skip
    assert gram == sympy.ImmutableMatrix(direct)
    n, m, d = (sympy.Symbol(k, integer=True, positive=True) for k in "nmd")
    assert two.sympy("gram").shape == (n, n)
    assert two.sympy("outputs").has(sympy.MatrixSymbol("W", m, d))
    with pytest.raises(derive.DerivationError, match="no value"):
        two.exact("gram_star", **values)
    with pytest.raises(derive.DerivationError, match="side"):
        two.exact("gram", **{**values, "A": M([1, 2, 3])})


@pytest.mark.parametrize("depth", [0, 1, 6, 2.0, "2"])
def test_bad_depths(depth):
    with pytest.raises(derive.DerivationError, match="depth"):
        derive.linear_network(depth)
