"""The loss of a module as a function of one flat vector: values, chunks, layout, bad input."""

import copy
import functools
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from eostheory.numeric import autodiff
from eostheory.numeric.events import BecameNaN, OutOfMemory
from eostheory.numeric.norms import elementary_norms
from eostheory.numeric.objective import Objective, module_objective

EPS = 2.0**-53


def network(seed=0, hidden=5, inputs=4, outputs=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs)).double()


def data(seed=0, count=23, inputs=4, outputs=3):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, inputs, generator=draw, dtype=torch.float64)
    y = torch.randn(count, outputs, generator=draw, dtype=torch.float64)
    return x, y


def classes(seed=0, count=23, outputs=3):
    return torch.randint(0, outputs, (count,), generator=torch.Generator().manual_seed(seed))


def test_the_value_and_gradient_are_those_of_the_module():
    net, (x, y) = network(), data()
    objective, start = module_objective(net, nn.MSELoss(), x, y)
    loss = nn.MSELoss()(net(x), y)
    grads = torch.autograd.grad(loss, list(net.parameters()))
    value, gradient = objective.value_and_gradient(start)
    assert torch.equal(value, loss.detach())
    assert torch.equal(gradient, torch.cat([g.reshape(-1) for g in grads]))
    assert torch.equal(objective(start), loss)


CRITERIA = {
    "mean": nn.MSELoss(),
    "sum": nn.MSELoss(reduction="sum"),
    "partial": functools.partial(F.mse_loss, reduction="sum"),
    "cross entropy": nn.CrossEntropyLoss(),
    "class weights": nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 0.25])),
    "ignored targets": nn.CrossEntropyLoss(ignore_index=1),
    "partial weights": functools.partial(
        F.cross_entropy, weight=torch.tensor([1.0, 5.0, 0.25]).double(), ignore_index=2
    ),
    "smoothed labels": nn.CrossEntropyLoss(label_smoothing=0.1),
}


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_chunks_add_up_to_the_whole_for_every_chunk_size(name):
    criterion = CRITERIA[name]
    x, y = data(2)
    if "mse" not in repr(criterion).lower():  # a partial function has no type of its own
        y = classes(2)
    whole, start = module_objective(network(2), criterion, x, y)
    a, da = whole.value_and_gradient(start)
    for chunk in (1, 7, 22, 23, 30):
        parts, same = module_objective(network(2), criterion, x, y, chunk=chunk)
        assert torch.equal(start, same)
        assert len(parts.examples) == -(-23 // min(chunk, 23))
        assert sum(parts.examples) == 23
        b, db = parts.value_and_gradient(start)
        # sums of at most 23 terms of one sign; entries of the gradient cancel
        assert abs(a - b) <= 200 * EPS * abs(a)
        assert (da - db).abs().max() <= 2000 * EPS * (1 + da.abs().max()) * 23
        assert torch.allclose(
            whole.predictions(start), parts.predictions(start), rtol=0, atol=1e-14
        )


def test_examples_that_a_mean_leaves_out_are_counted_or_refused_wherever_they_are():
    x, y = data(count=120)[0], classes(count=120)
    y[90:101] = -100
    whole, start = module_objective(network(), nn.CrossEntropyLoss(), x, y)
    for criterion in (F.cross_entropy, functools.partial(F.cross_entropy, label_smoothing=0.0)):
        parts, _ = module_objective(network(), criterion, x, y, chunk=30)
        assert abs(parts(start) - whole(start)) <= 200 * EPS * abs(whole(start))

    def hidden(out, target):
        return F.cross_entropy(out, target)

    with pytest.raises(ValueError, match="two halves"):
        module_objective(network(), hidden, x, y, chunk=30, reduction="mean")


def test_batches_are_read_from_lists_loaders_and_callables():
    x, y = data()
    whole, start = module_objective(network(), nn.MSELoss(), x, y)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=10)
    pieces = [(x[:10], y[:10]), (x[10:], y[10:])]
    for batches in (pieces, loader, lambda: iter(pieces)):
        objective, _ = module_objective(network(), nn.MSELoss(), batches)
        assert abs(objective(start) - whole(start)) <= 100 * EPS
        assert torch.allclose(
            autodiff.gradient(objective, start), autodiff.gradient(whole, start), atol=1e-15
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_kinks_between_the_points_of_a_difference_are_no_fault(dtype):
    for seed in range(6):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(4, 60), nn.ReLU(), nn.Linear(60, 30), nn.ReLU(),
                            nn.Linear(30, 3))  # fmt: skip
        x, _ = data(seed, count=300)
        module_objective(net, nn.CrossEntropyLoss(), x, classes(seed, 300), dtype=dtype)


def test_streamed_batches_are_read_once_per_round_and_only_one_is_held():
    x, y = data()
    reads, alive = [], []

    def batches():
        for i in range(0, 20, 5):
            reads.append(i)
            alive.append(i)
            yield x[i : i + 5], y[i : i + 5]

    objective, start = module_objective(network(), nn.MSELoss(), batches)
    objective.value_and_gradient(start)
    for _ in range(3):
        reads.clear()
        objective.value_and_gradient(start)
        assert reads == [0, 5, 10, 15]
    last_first = [float(objective.chunks[i](start)) for i in (3, 0, 2)]
    straight = [float(chunk(start)) for chunk in objective.chunks]
    assert last_first == [straight[3], straight[0], straight[2]]


def test_batches_that_become_fewer_are_an_error():
    x, y = data()
    pieces = [(x[:10], y[:10]), (x[10:], y[10:])]
    objective, start = module_objective(network(), nn.MSELoss(), lambda: iter(pieces))
    pieces.pop()
    with pytest.raises(ValueError, match="had 2 batches, now only 1"):
        objective.value_and_gradient(start)


def test_the_layout_names_every_parameter_and_finds_the_output_layer():
    objective, start = module_objective(network(), nn.MSELoss(), *data())
    layout = objective.layout
    assert layout.names == ("0.weight", "0.bias", "2.weight", "2.bias")
    assert layout.output == "2.weight"
    assert start[layout.slice("2.weight")].shape == (15,)
    assert torch.equal(layout.flatten(layout.unflatten(start)), start)
    assert layout.where(layout.slice("2.bias").start) == "2.bias"
    with pytest.raises(KeyError, match=r"no parameter 'x'; the parameters are 0\.weight"):
        layout.slice("x")
    chosen, _ = module_objective(network(), nn.MSELoss(), *data(), output="0.weight")
    assert chosen.layout.output == "0.weight"


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.one = nn.Linear(4, 4, bias=False)
        self.two = nn.Linear(4, 4, bias=False)
        self.two.weight = self.one.weight
        self.frozen = nn.Linear(4, 3)
        self.frozen.requires_grad_(False)

    def forward(self, x, scale=None):
        out = self.frozen(torch.tanh(self.two(torch.tanh(self.one(x)))))
        return out if scale is None else out * scale


def test_tied_parameters_count_once_and_frozen_ones_not_at_all():
    net, (x, y) = Tied().double(), data()
    objective, start = module_objective(net, nn.MSELoss(), x, y)
    assert objective.size == 16
    loss = nn.MSELoss()(net(x), y)
    (grad,) = torch.autograd.grad(loss, [net.one.weight])
    assert torch.equal(objective.value_and_gradient(start)[1], grad.reshape(-1))


class TiedOutput(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.hidden = nn.Embedding(7, 4), nn.Linear(4, 4)
        self.out = nn.Linear(4, 7, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, tokens):
        return self.out(torch.tanh(self.hidden(self.embed(tokens))))


def test_the_output_layer_may_be_tied_and_is_not_named_when_it_is_not_trained_as_it_is():
    tokens = torch.arange(23) % 7
    objective, _ = module_objective(TiedOutput(), nn.CrossEntropyLoss(), tokens, tokens)
    assert objective.layout.output == "embed.weight"
    computed, frozen = network(), network()
    nn.utils.parametrizations.weight_norm(computed[2])
    frozen[2].requires_grad_(False)
    last = nn.Sequential(nn.Linear(4, 3), nn.RNN(3, 3))
    for net, criterion in (
        (computed, nn.MSELoss()),
        (frozen, nn.MSELoss()),
        (last, lambda out, y: ((out[0] - y) ** 2).mean()),
    ):
        assert module_objective(net, criterion, *data())[0].layout.output is None


def test_threads_may_share_an_objective():
    deep = nn.Sequential(*[nn.Linear(4, 4) for _ in range(20)], nn.Linear(4, 3))
    objective, start = module_objective(deep, nn.MSELoss(), *data())
    points = [start + 0.1 * i for i in range(4)]
    wanted = [float(objective(w)) for w in points]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda i: float(objective(points[i % 4])), range(80)))
    finally:
        sys.setswitchinterval(interval)
    assert found == wanted * 20


def test_a_pickled_or_copied_objective_is_the_same_function():
    x, y = data()
    streamed = [(x[:10], y[:10]), (x[10:], y[10:])]
    objective, start = module_objective(network(), nn.MSELoss(), streamed)
    assert torch.equal(copy.deepcopy(objective)(start + 1), objective(start + 1))
    whole, _ = module_objective(network(), nn.MSELoss(), x, y)
    assert torch.equal(pickle.loads(pickle.dumps(whole))(start + 1), whole(start + 1))


class Again(torch.autograd.Function):
    """A layer that reads its weight once more in the backward pass, as checkpointing does."""

    @staticmethod
    def forward(ctx, layer, x):
        ctx.layer = layer
        return x @ layer.weight.T

    @staticmethod
    def backward(ctx, grad):
        return None, grad @ ctx.layer.weight


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        return Again.apply(self.two, torch.tanh(self.one(x)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_parameters_that_are_read_again_in_the_backward_pass_are_refused(dtype):
    with pytest.raises(ValueError, match=r"torch\.utils\.checkpoint"):
        module_objective(Checkpointed(), nn.MSELoss(), *data(), dtype=dtype)


def test_tensors_that_keep_another_precision_are_explained():
    class Plain(nn.Linear):
        other = torch.randn(3, 3)

        def forward(self, x):
            return super().forward(x) @ self.other

    with pytest.raises(RuntimeError, match="dtype") as caught:
        module_objective(Plain(4, 3), nn.MSELoss(), *data())
    assert "register them as buffers" in caught.value.__notes__[0]


def test_attention_of_rows_that_are_wholly_masked_is_that_of_torch():
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True).double()
    x = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mask = torch.zeros(3, 5, dtype=torch.bool)
    mask[0], mask[1, 3:] = True, True
    wanted = layer(x, src_key_padding_mask=mask)
    with elementary_norms():
        found = layer(x, src_key_padding_mask=mask)
    assert torch.allclose(found, wanted, rtol=0, atol=1e-13)


def test_no_switch_of_torch_is_touched():
    def switches():
        cuda = torch.backends.cuda
        return (cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(),
                cuda.math_sdp_enabled(), torch.get_default_dtype())  # fmt: skip

    before = switches()
    with elementary_norms():
        assert switches() == before
    net, batch = network(), data()
    state = torch.get_rng_state()
    module_objective(net, nn.MSELoss(), *batch, chunk=5)
    assert torch.equal(torch.get_rng_state(), state)


def test_modules_of_several_arguments_take_tuples_and_dicts():
    net, (x, y) = Tied().double(), data()
    scale = torch.full((23, 1), 2.0)
    loss = nn.MSELoss()(net(x, scale), y)
    for inputs in ((x, scale), {"x": x, "scale": scale}):
        objective, start = module_objective(net, nn.MSELoss(), inputs, y, chunk=9)
        assert abs(objective(start) - loss) <= 100 * EPS


def test_objective_and_module_do_not_reach_each_other():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).double()
    x, y = data()
    objective, start = module_objective(net, nn.MSELoss(), x, y)
    before = objective(start)
    state = {k: v.clone() for k, v in net.state_dict().items()}
    objective.value_and_gradient(start + 1)
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    net.eval()
    with torch.no_grad():
        net[0].weight.zero_()
    assert torch.equal(objective(start), before)


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (nn.LayerNorm(6), (7, 6)),
        (nn.LayerNorm((6, 2), elementwise_affine=False), (7, 6, 2)),
        (nn.BatchNorm1d(6), (7, 6)),
        (nn.BatchNorm1d(6).eval(), (7, 6)),
        (nn.BatchNorm2d(6, affine=False), (7, 6, 2, 3)),
        (nn.GroupNorm(3, 6), (7, 6, 4)),
        (nn.InstanceNorm1d(6, affine=True), (7, 6, 5)),
        (nn.InstanceNorm1d(6, track_running_stats=True).eval(), (7, 6, 5)),
        (nn.utils.parametrizations.weight_norm(nn.Linear(6, 4)), (7, 6)),
        (nn.utils.parametrizations.weight_norm(nn.Conv1d(6, 4, 2), dim=1), (7, 6, 3)),
        (nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True), (7, 5, 6)),
        (nn.TransformerEncoderLayer(6, 2, 8, batch_first=True).eval(), (7, 5, 6)),
    ],
    ids=lambda p: type(p).__name__ if isinstance(p, nn.Module) else "",
)
def test_elementary_norms_have_the_values_of_torchs_own(norm, shape):
    norm = norm.double()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.add_(0.1 * torch.arange(parameter.numel()).reshape(parameter.shape).cos())
        wanted = norm(x)
        with elementary_norms():
            found = norm(x)
    assert torch.allclose(found, wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("norm", [nn.LayerNorm(5), nn.BatchNorm1d(5), nn.GroupNorm(1, 5)])
def test_third_derivatives_of_normalised_networks_are_right(norm):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 5), norm, nn.Tanh(), nn.Linear(5, 3))
    objective, start = module_objective(net, nn.MSELoss(), *data())
    u = torch.randn(objective.size, generator=torch.Generator().manual_seed(1)).double()
    u /= u.norm()
    exact = autodiff.third(objective, start, u, u)
    h = 1e-4
    ahead = autodiff.hessian_vector(objective, start + h * u, u)
    back = autodiff.hessian_vector(objective, start - h * u, u)
    # differences err by h^2 times a fifth derivative, and by rounding over h
    assert (exact - (ahead - back) / (2 * h)).norm() <= 1e-5 * exact.norm()


def test_float32_is_kept_throughout():
    objective, start = module_objective(network(), nn.MSELoss(), *data(), dtype=torch.float32)
    value, gradient = objective.value_and_gradient(start)
    assert {start.dtype, value.dtype, gradient.dtype} == {torch.float32}


def test_an_objective_of_a_plain_function_is_that_function():
    objective = Objective.of(lambda w: (w**4).sum(), 3)
    w = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    value, gradient = objective.value_and_gradient(w)
    assert torch.equal(value, (w**4).sum())
    assert torch.equal(gradient, 4 * w**3)
    assert Objective.of(objective, 3) is objective
    with pytest.raises(ValueError, match="knows no network"):
        objective.predictions(w)


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 4)
        self.layer = nn.TransformerEncoderLayer(4, 2, 6, 0.0, batch_first=True, activation="gelu")
        self.out = nn.Linear(4, 3)

    def forward(self, tokens):
        return self.out(self.layer(self.embed(tokens)).mean(1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 4)
        self.layer = nn.LSTM(4, 5, batch_first=True)
        self.out = nn.Linear(5, 3)

    def forward(self, tokens):
        return self.out(self.layer(self.embed(tokens))[0][:, -1])


@pytest.mark.parametrize("kind", [Attentive, Recurrent])
def test_attention_and_recurrence_have_right_derivatives_of_all_orders(kind):
    torch.manual_seed(0)
    tokens = torch.randint(0, 11, (23, 3), generator=torch.Generator().manual_seed(1))
    objective, start = module_objective(kind(), nn.CrossEntropyLoss(), tokens, classes(), chunk=9)
    assert objective.layout.output == "out.weight"
    u = torch.randn(objective.size, generator=torch.Generator().manual_seed(1)).double()
    u /= u.norm()
    exact = autodiff.third(objective, start, u, u)
    h = 1e-4
    ahead = autodiff.hessian_vector(objective, start + h * u, u)
    back = autodiff.hessian_vector(objective, start - h * u, u)
    assert (exact - (ahead - back) / (2 * h)).norm() <= 1e-5 * exact.norm()


class Wrong(torch.autograd.Function):
    """A square whose derivative is off by a percent."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2.02 * ctx.saved_tensors[0] * grad


class Once(Wrong):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


def bad_cases():
    x, y = data()
    spectral = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)), nn.Tanh())
    drop = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).double()
    norm = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).double()
    frozen = network().requires_grad_(False)
    nan = x.clone()
    nan[2, 1] = torch.nan
    broken = network()
    with torch.no_grad():
        broken[0].bias[2] = torch.inf

    def detached(out, target):
        return ((out.detach() - target) ** 2).mean()

    def coupled(out, target):
        return (out.mean(0) ** 2).sum()

    mse = nn.MSELoss()
    one_shot = iter([(x, y)])
    return {
        "dropout": ((drop, mse, x, y), {}, ValueError, r"differ .* 1 \(Dropout\)"),
        "batch norm": ((norm, mse, x, y), {"chunk": 5}, ValueError, r"BatchNorm1d\) in training"),
        "not scalar": ((network(), nn.MSELoss(reduction="none"), x, y), {}, ValueError, r"\(23, 3"),
        "detached": ((network(), detached, x, y), {}, ValueError, "does not depend"),
        "frozen": ((frozen, mse, x, y), {}, ValueError, "nothing to train"),
        "half": ((network().half(), mse, x, y), {}, TypeError, r"0\.weight: torch\.float16"),
        "bfloat inputs": ((network(), mse, x.bfloat16(), y), {}, TypeError, "inputs: .*bfloat16"),
        "half dtype": ((network(), mse, x, y), {"dtype": torch.float16}, TypeError, "float16"),
        "nan": ((network(), mse, nan, y), {}, ValueError, r"inputs: 1 entries .* \(2, 1\)"),
        "inf": ((broken, mse, x, y), {}, ValueError, r"parameter 0\.bias: 1 .* \(2,\)"),
        "lengths": ((network(), mse, x, y[:5]), {}, ValueError, "23 inputs, but 5 targets"),
        "chunk": ((network(), mse, x, y), {"chunk": 0}, ValueError, "chunk is 0"),
        "half chunk": ((network(), mse, x, y), {"chunk": 2.5}, ValueError, r"chunk is 2\.5"),
        "function": ((torch.tanh, mse, x, y), {}, TypeError, r"expected a torch\.nn\.Module"),
        "unknown reduction": (
            (network(), lambda a, b: ((a - b) ** 2).mean(), x, y),
            {"chunk": 5},
            ValueError,
            "pass reduction=",
        ),
        "wrong reduction": (
            (network(), lambda a, b: ((a - b) ** 2).mean(), x, y),
            {"chunk": 5, "reduction": "sum"},
            ValueError,
            "two halves",
        ),
        "coupled": (
            (network(), coupled, x, y),
            {"chunk": 5, "reduction": "mean"},
            ValueError,
            "two halves",
        ),
        "one shot": ((network(), mse, one_shot), {}, TypeError, "read only once"),
        "no targets": ((network(), mse, x), {}, TypeError, "must be batches"),
        "spectral": ((spectral, mse, x, y), {}, ValueError, r"spectral_norm in training mode"),
        "wrong": (
            (network(), lambda a, b: Wrong.apply(a - b).mean(), x, y),
            {},
            ValueError,
            r"gradient misses the differences of the loss by 0\.0099",
        ),
        "once": (
            (network(), lambda a, b: Once.apply(a - b).mean(), x, y),
            {},
            ValueError,
            "Hessian misses the differences",
        ),
        "output": ((network(), mse, x, y), {"output": "7.weight"}, KeyError, "no parameter"),
    }


@pytest.mark.parametrize("case", sorted(bad_cases()))
def test_bad_input_is_named_with_its_remedy(case):
    arguments, options, error, match = bad_cases()[case]
    with pytest.raises(error, match=match):
        module_objective(*arguments, **options)


def test_points_of_another_shape_or_precision_are_refused():
    objective, start = module_objective(network(), nn.MSELoss(), *data())
    with pytest.raises(ValueError, match=r"shape \(42,\), expected a flat vector \(43,\)"):
        objective(start[:-1])
    with pytest.raises(TypeError, match=r"convert with \.to\(torch\.float64\)"):
        objective.value_and_gradient(start.float())


def test_what_is_not_finite_is_named():
    objective, start = module_objective(network(), nn.MSELoss(), *data(), chunk=10)
    far = start.clone()
    far[objective.layout.slice("2.weight")] = 1e200
    with pytest.raises(BecameNaN, match=r"the loss \(chunk 0 of 3\)"):
        objective.value_and_gradient(far)

    root, _ = module_objective(network(), lambda a, b: ((a - b) ** 2).sum().sqrt(), *data())
    kink = Objective.of(lambda w: torch.sqrt(w * w).sum(), 2)
    with pytest.raises(BecameNaN, match="gradient at entry 1"):
        kink.value_and_gradient(torch.tensor([1.0, 0.0], dtype=torch.float64))
    assert root.value_and_gradient(start)[0] > 0


def test_running_out_of_memory_names_the_chunk_as_remedy():
    class Hungry(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, 3))
            self.full = False

        def forward(self, x):
            if len(x) > 10:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return x @ self.weight

    with pytest.raises(OutOfMemory, match=r"chunk of 23 examples .* \(chunk=\)"):
        module_objective(Hungry(), nn.MSELoss(), *data())
    objective, start = module_objective(Hungry(), nn.MSELoss(), *data(), chunk=10)
    assert objective.value_and_gradient(start)[1].shape == (12,)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_objective_is_the_same():
    here, start = module_objective(network(), nn.MSELoss(), *data(), device="cpu")
    there, moved = module_objective(network(), nn.MSELoss(), *data(), device="cuda", chunk=7)
    value, gradient = there.value_and_gradient(moved)
    wanted, slope = here.value_and_gradient(start)
    assert torch.allclose(value.cpu(), wanted, rtol=1e-13)
    assert torch.allclose(gradient.cpu(), slope, rtol=1e-12, atol=1e-14)
