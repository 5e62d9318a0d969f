"""Every step recorded into a given buffer, beside the bandwidth of the machine's stores."""

from __future__ import annotations

import ctypes
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from eostheory.bench.cases import Case, Settings, Wrong, at_least, judge
from eostheory.bench.compiled import CompiledLoop
from eostheory.bench.machine import vector_doubles
from eostheory.bench.native import Unbuildable
from eostheory.bench.peers import NativeLoop, TorchLoop, best_vectors
from eostheory.bench.result import Cell, Outcome, Table
from eostheory.bench.tasks import Task, toy
from eostheory.bench.timing import Sample, clocked, interleaved, ratios, speeds, walls

TARGET = at_least("stores", "toy, every step kept: share of the machine's store bandwidth", 0.9)
_VECTORS = 8
CHECK, TOLERANCE = 100, 1e-9
"""A record that is compared with autograd's, and how far rounding may have brought them apart."""


def case() -> Case:
    """The case."""
    return Case("stores", "every step recorded into a given buffer", (TARGET,), measure)


class Stores:
    """Non-temporal stores of one value all over a buffer: what the memory takes at most."""

    def __init__(self) -> None:
        llvm: Any = import_module("llvmlite.binding")
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
        )
        module = llvm.parse_assembly(_source(vector_doubles()))
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        made = ctypes.CFUNCTYPE(None, pointer, count, ctypes.c_double)
        self._fill = made(self._engine.get_function_address("fill"))

    def __call__(self, buffer: Tensor, value: float) -> None:
        """Write ``value`` everywhere.

        Raises:
            ValueError: a buffer that is not aligned, contiguous and whole lines long.
        """
        block = 8 * _VECTORS * vector_doubles()
        size = buffer.numel() * buffer.element_size()
        if not buffer.is_contiguous() or buffer.data_ptr() % 64 or size % block:
            raise ValueError(
                f"a contiguous buffer of a multiple of {block} bytes, aligned to 64, was expected; "
                f"it has {size} bytes at {buffer.data_ptr():#x}"
            )
        self._fill(buffer.data_ptr(), size // block, value)


def _source(width: int) -> str:
    """LLVM text of ``void fill(double* at, i64 blocks, double value)``."""
    vector = f"<{width} x double>"
    lines = [
        "define void @fill(ptr %at, i64 %blocks, double %value) {",
        "entry:",
        f"  %one = insertelement {vector} undef, double %value, i32 0",
        f"  %all = shufflevector {vector} %one, {vector} undef, <{width} x i32> zeroinitializer",
        "  %empty = icmp sle i64 %blocks, 0",
        "  br i1 %empty, label %done, label %loop",
        "loop:",
        "  %i = phi i64 [0, %entry], [%next, %loop]",
        f"  %first = mul i64 %i, {_VECTORS}",
    ]
    for j in range(_VECTORS):
        lines += [
            f"  %k{j} = add i64 %first, {j}",
            f"  %p{j} = getelementptr {vector}, ptr %at, i64 %k{j}",
            f"  store {vector} %all, ptr %p{j}, align {8 * width}, !nontemporal !0",
        ]
    lines += [
        "  %next = add i64 %i, 1",
        "  %more = icmp slt i64 %next, %blocks",
        "  br i1 %more, label %loop, label %done",
        "done:",
        "  ret void",
        "}",
        "!0 = !{i32 1}",
    ]
    return "\n".join(lines)


def measure(settings: Settings) -> Outcome:
    """The toy with 1024 trajectories, beside plain stores and C."""
    task = toy(1024, settings.scale / 6, every=1)
    ours = CompiledLoop(task)
    buffer = ours.records
    size = float(buffer.numel() * buffer.element_size())
    stores = Stores()
    stop = ours.faults() or _off(ours, task)
    runs = {
        "stores": lambda: clocked(lambda: stores(buffer, 1.0)),
        "compiled": ours.time,
        "torch fill_": lambda: clocked(lambda: buffer.fill_(2.0)),
    }
    absent: dict[str, str] = {}
    with TemporaryDirectory(prefix="eostheory-bench-") as folder:
        try:
            loop: NativeLoop | None = best_vectors(task, Path(folder))
            if loop is not None:
                runs["C vectors"] = loop.time
        except Unbuildable as reason:
            absent["C vectors"] = str(reason)
        settings.say(f"stores: {len(runs)} ways to fill {size / 2**20:.0f} MiB in turn")
        taken = interleaved(runs, settings.repeat)
    table = Table(
        f"toy, 1024 trajectories, {task.steps} steps, x and y of each kept: {size / 1e6:.0f} MB",
        ("who", "GB/s", "GB/s by the clock", "of the fastest stores", "note"),
        (
            *(_row(name, taken, size) for name in runs),
            *((n, None, None, None, r) for n, r in absent.items()),
        ),
    )
    share = ratios(taken["compiled"], taken[_fastest(taken)])
    return Outcome("stores", (table,), (judge(TARGET, Wrong(stop) if stop else share),))


def _off(ours: CompiledLoop, task: Task) -> str:
    """What is wrong with the records that `CompiledLoop.faults` has just left, or nothing."""
    expected = TorchLoop(task).final(CHECK)[: task.recorded]
    found = ours.records[CHECK // task.every - 1]
    if torch.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
        return ""
    return f"record {CHECK} differs from the torch loop's: not counted"


def _fastest(taken: dict[str, list[Sample]]) -> str:
    """Which way to store a constant is the machine's bandwidth."""
    ways = ("stores", "torch fill_")
    return max(ways, key=lambda name: speeds(taken[name], 1.0).median)


_NOTES = {
    "stores": "non-temporal stores of a constant, one after the other",
    "torch fill_": "ordinary stores of a constant",
    "C vectors": "ordinary stores of the trajectories",
}


def _row(name: str, taken: dict[str, list[Sample]], size: float) -> tuple[Cell, ...]:
    peak = _fastest(taken)
    share: Cell = None if name == peak else ratios(taken[name], taken[peak])
    one = taken[name]
    return (name, speeds(one, size / 1e9), walls(one, size / 1e9), share, _NOTES.get(name, ""))
