"""The Gram matrix M of li22 (section 2) by layers, and what the figures take from it.

``M = (2/n) J J'`` is the sum of a part of each layer.  Where examples do not mix (no batch norm),
one reverse sweep gives the signals of all examples at all layers, and with them each part: for a
linear layer the entrywise product of the Gram matrices of its inputs and of its signals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from eostheory.numeric.objective import Layout

Observation = Callable[[int, Tensor], float]
COLUMNS = (
    "sharpness", "second", "output part", "output norm", "top residual", "rest", "alignment",
    "slope",
)  # fmt: skip


class Parts(NamedTuple):
    """Gram matrices (n, n), and the outputs (n,)."""

    matrix: Tensor
    output: Tensor
    predictions: Tensor


class GramMatrix:
    """M and its part M_A of the output layer, at a flat vector of parameters.

    Args:
        module: of linear and convolutional layers, with one output; the last layer is linear, and
            its weight (not its bias) is the A of M_A.
        inputs: (n, ...).
        layout: of the flat vector.
    """

    def __init__(self, module: nn.Module, inputs: Tensor, layout: Layout) -> None:
        self.module = module.to(inputs.device, inputs.dtype)
        self.inputs, self.layout = inputs, layout
        known = {name for name, m in module.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}
        if layout.output is None or {n.rpartition(".")[0] for n in layout.names} - known:
            raise ValueError("the Gram matrix by layers needs linear and convolutional layers only")
        self._last = layout.output.rpartition(".")[0]
        self._first: tuple[Tensor, Tensor] | None = None

    def __call__(self, w: Tensor) -> Parts:
        """The matrices at ``w`` (D,)."""
        seen: dict[str, tuple[Tensor, Tensor]] = {}

        def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
            def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
                seen[name] = (inputs[0].detach(), output)

            return hook

        layers = {
            name: m
            for name, m in self.module.named_modules()
            if isinstance(m, nn.Linear | nn.Conv2d)
        }
        hooks = [m.register_forward_hook(watch(name)) for name, m in layers.items()]
        try:
            leaf = w.detach().clone().requires_grad_(True)
            out = functional_call(self.module, self.layout.unflatten(leaf), (self.inputs,))
        finally:
            for hook in hooks:
                hook.remove()
        names = list(seen)
        signals = torch.autograd.grad(out.sum(), [seen[name][1] for name in names])
        n = len(self.inputs)
        total = w.new_zeros(n, n)
        output = total
        for name, signal in zip(names, signals, strict=True):
            total = total + 2 / n * self._part(layers[name], seen[name][0], signal)
            if name == self._last:
                output = 2 / n * (seen[name][0] @ seen[name][0].T)
        return Parts(total, output, out.detach().reshape(-1))

    def _part(self, layer: nn.Module, entered: Tensor, signal: Tensor) -> Tensor:
        if isinstance(layer, nn.Linear):
            inner = self._products(entered)
            if layer.bias is not None:
                inner = inner + 1
            return inner * (signal @ signal.T)
        assert isinstance(layer, nn.Conv2d)
        assert not isinstance(layer.padding, str)
        patches = nn.functional.unfold(
            entered, layer.kernel_size, layer.dilation, layer.padding, layer.stride
        )
        flat = signal.flatten(2)
        weights = torch.einsum("nol,nkl->nok", flat, patches).flatten(1)
        found = weights @ weights.T
        if layer.bias is not None:
            biases = flat.sum(2)
            found = found + biases @ biases.T
        return found

    def _products(self, entered: Tensor) -> Tensor:
        """Inner products of what enters a layer; those of the data are kept."""
        if entered.data_ptr() != self.inputs.data_ptr():
            return entered @ entered.T
        if self._first is None:
            self._first = (entered, entered @ entered.T)
        return self._first[1]


class Watch:
    """What is recorded of M at each step; all columns of a step from one matrix.

    Columns: the two largest eigenvalues of M (``sharpness``, ``second``); the largest of M_A
    (``output part``); |A| (``output norm``); ``D'v1`` (``top residual``); ``|R|^2/n`` (``rest``)
    with R the residual without its part along v1; ``|<v1(t), v1(0)>|`` (``alignment``); and
    ``D'F`` (``slope``).  The attribute ``sharpness`` is the one at the start.
    """

    def __init__(self, gram: GramMatrix, labels: Tensor, start: Tensor) -> None:
        self.gram, self.labels = gram, labels
        name = gram.layout.output
        assert name is not None
        self._output = gram.layout.slice(name)
        values, self._initial = self._top(gram(start).matrix)
        self.sharpness = float(values[0])
        self._at, self._row = -1, dict.fromkeys(COLUMNS, 0.0)

    @staticmethod
    def _top(matrix: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = torch.linalg.eigh(matrix)
        return values.flip(0)[:2], vectors[:, -1]

    def observations(self) -> Mapping[str, Observation]:
        """For ``observe`` of gradient descent."""

        def column(name: str) -> Observation:
            return lambda step, w: self._of(step, w)[name]

        return {name: column(name) for name in COLUMNS}

    def _of(self, step: int, w: Tensor) -> dict[str, float]:
        if step != self._at:
            self._at, self._row = step, self._measured(w)
        return self._row

    def _measured(self, w: Tensor) -> dict[str, float]:
        found = self.gram(w)
        values, top = self._top(found.matrix)
        residual = found.predictions - self.labels
        along = torch.dot(residual, top)
        rest = residual - along * top
        row = {
            "sharpness": values[0],
            "second": values[1],
            "output part": torch.linalg.eigvalsh(found.output)[-1],
            "output norm": torch.linalg.vector_norm(w[self._output]),
            "top residual": along.abs(),
            "rest": torch.dot(rest, rest) / len(rest),
            "alignment": torch.dot(top, self._initial).abs(),
            "slope": torch.dot(residual, found.predictions),
        }
        return {name: float(value) for name, value in row.items()}
