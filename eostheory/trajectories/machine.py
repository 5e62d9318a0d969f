"""The host: just-in-time compilation, choice of lanes, threads, and exact steps of events."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import struct
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import torch

from eostheory.trajectories import support
from eostheory.trajectories.assembly import assembly
from eostheory.trajectories.emitter import library_name
from eostheory.trajectories.inputs import reject
from eostheory.trajectories.llvm import BAD_START, EVENT, Shape
from eostheory.trajectories.program import TRANSCENDENTAL, Program
from eostheory.trajectories.run import CHECK_INTERVAL, Fates, Status, Stretch

_STREAM_FROM = 1 << 22
"""Records of so many bytes do not fit the inner caches and are stored around them."""

_DENSE, _TILE = 8, 1 << 17
"""Steps between records for which storing them is most of the work, and bytes of a tile then."""

_SMALL = 64
"""Trajectories of a call that is over before an allocation would be."""

_WINDOW = 100
"""Operations that a processor may have in flight, roughly."""

_SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_char_p)
_ARGUMENTS = struct.Struct("=14qd3q")


class Host:
    """The processor that this runs on."""

    def __init__(self) -> None:
        with contextlib.suppress(RuntimeError):
            llvm.initialize()  # raises where it has become needless
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        features = llvm.get_host_cpu_features()
        # LLVM shuns 512-bit vectors on some processors, for the sake of other programs
        flags = [f for f in (features.flatten(), "-prefer-256-bit") if f]
        self.doubles = 2
        if features.get("avx512f"):
            self.doubles = 8
        elif features.get("avx"):
            self.doubles, flags = 4, flags[:1]
        else:
            flags = flags[:1]
        self.target = llvm.Target.from_default_triple()
        self.cpu, self.features = llvm.get_host_cpu_name(), ",".join(flags)
        self.registers = 32 if self.doubles == 8 else 16
        _make_library_known()
        self._support = self.compiled(support.assembly(self.doubles))
        for name in support.FUNCTIONS:
            llvm.add_symbol(name, self._support[0].get_function_address(name))

    def compiled(self, text: str) -> tuple[Any, Any]:
        """The engine that holds a module's machine code, and what must live as long."""
        module = llvm.parse_assembly(text)
        machine = self.target.create_target_machine(cpu=self.cpu, features=self.features, opt=2)
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        return engine, machine


def _make_library_known() -> None:
    name = ctypes.util.find_library("m")
    library = ctypes.CDLL(name) if name else ctypes.cdll.msvcrt
    for operation in TRANSCENDENTAL:
        function = getattr(library, operation)
        address = ctypes.cast(function, ctypes.c_void_p).value
        llvm.add_symbol(library_name(operation), address)


@lru_cache(maxsize=1)
def host() -> Host:
    return Host()


class Kernel:
    """Machine code of a program for tiles of one shape; ``lanes`` are those of a tile."""

    def __init__(self, program: Program, shape: Shape, fma: bool) -> None:
        self._kept = host().compiled(assembly(program, shape, fma))
        self._packed = _SIGNATURE(self._kept[0].get_function_address("packed"))
        self.lanes = shape.lanes * shape.chains * shape.groups

    def call(self, *arguments: float) -> int:
        """Run it on what `llvm.ARGUMENTS` names, pointers as addresses."""
        flags: int = self._packed(_ARGUMENTS.pack(*arguments))
        return flags


@lru_cache(maxsize=128)  # about a megabyte each
def kernel(program: Program, shape: Shape, fma: bool) -> Kernel:
    """Compiled at the first call."""
    return Kernel(program, shape, fma)


class _Room:
    """What the kernel needs beside its results: it writes here only if something happens.

    Attributes:
        status, at: of trajectories to which nothing happened; see `Fates`.
        noted: (n_state + 1, B): where the block of an event began, state and then step.
        fates, before, begin: addresses of all that.
    """

    def __init__(self, n_state: int, size: int) -> None:
        self.status = torch.zeros(size, dtype=torch.int8)
        self.at = torch.full((size,), -1, dtype=torch.int64)
        self.noted = torch.empty(n_state + 1, size, dtype=torch.float64)
        self.fates = self.status.data_ptr(), self.at.data_ptr()
        self.before = self.noted.data_ptr()
        self.begin = self.before + 8 * size * n_state


class Machine:
    """Takes steps of one program on the CPU."""

    def __init__(self, program: Program, fma: bool) -> None:
        self._program, self._fma = program, fma
        self._kernels: dict[tuple[int, int, bool], Kernel] = {}
        self._spare: dict[int, _Room] = {}  # what small calls left for the next of their size
        self._widest = _widest(program)
        self._dense = _dense(program, self._widest)
        # state twice, parameters, hoisted and status of a tile stay in the inner caches
        rows = 2 * len(program.state) + 2 * len(program.parameters) + 4
        self._longest = max(self._widest, min(512, _TILE // (8 * rows)))

    def _kernel(self, size: int, dense: int, streaming: bool) -> Kernel:
        found = self._kernels.get(key := (size, dense, streaming))
        if found is None:
            found = kernel(self._program, self._shape(*key), self._fma)
            self._kernels[key] = found
        return found

    def _shape(self, size: int, dense: int, streaming: bool) -> Shape:
        if dense and size > self._dense:
            # long rows, for the memory's sake
            tiles = -(-size // self._longest)
            groups, wide = -(-size // (tiles * self._dense)), self._dense
        else:
            groups, wide = 1, 1
            if size > 1:
                wide = host().doubles
                while wide < size and wide < self._widest:
                    wide *= 2
        lanes = min(wide, host().doubles)
        return Shape(lanes, wide // lanes, groups, dense, streaming)

    def advance(self, stretch: Stretch) -> None:
        """Take the steps of a stretch, in place."""
        size = stretch.state.shape[1]
        if not size or not stretch.steps:
            reject(self._program, stretch)
            return
        room = self._spare.pop(size, None) or _Room(len(self._program.state), size)
        every, records = stretch.every, stretch.records
        dense, streaming = 0, False
        if every <= _DENSE and stretch.steps > _DENSE * every:
            dense = min(every, 2)
        if records.numel() * 8 >= _STREAM_FROM:
            places = records.data_ptr() | size * 8
            streaming = places % (8 * host().doubles) == 0
        kernel = self._kernel(size, dense, dense > 0 and streaming)
        flags = self._take(kernel, stretch, room, streaming)
        if flags:
            if flags & BAD_START:
                reject(self._program, stretch)
            if flags & EVENT:
                if stretch.fates.unwritten:
                    stretch.fates.write(room.status, room.at)
                self._locate(stretch, room.noted)
        elif size <= _SMALL:
            self._spare[size] = room

    def _take(
        self,
        kernel: Kernel,
        s: Stretch,
        room: _Room,
        streaming: bool = False,
        look: int = CHECK_INTERVAL,
    ) -> int:
        every, step, lanes = s.every, s.step, kernel.lanes
        size = s.state.shape[1]
        tiles = -(-size // lanes)
        offset = step % every
        left = every - offset
        status, at = room.fates
        if not s.fates.unwritten:
            status, at = s.fates.status.data_ptr(), s.fates.at.data_ptr()
        arguments = (
            s.state.data_ptr(), s.parameters.data_ptr(), s.records.data_ptr(), status, at,
            room.begin, room.before,
            size, step, s.steps, left, min(left, s.steps, look - offset % look), every, look,
            s.bound, streaming,
        )  # fmt: skip
        if s.threads == 1 or tiles == 1:
            return kernel.call(*arguments, 0, tiles)
        # several portions for each thread: those whose trajectories end early are soon done
        portions = min(tiles, 4 * s.threads)
        cuts = [tiles * i // portions for i in range(portions + 1)]
        flags = 0
        with ThreadPoolExecutor(s.threads) as pool:
            for bits in pool.map(lambda a, z: kernel.call(*arguments, a, z), cuts, cuts[1:]):
                flags |= bits
        return flags

    def _locate(self, s: Stretch, noted: torch.Tensor) -> None:
        """Find the exact step of each event by a replay of its block that looks at every step."""
        before, begin = noted[:-1], noted[-1].view(torch.int64)
        status, at = s.fates.status, s.fates.at
        fresh = (at > s.step) & (status != Status.RUNNING)
        # what was noted in an earlier stretch lies at or before its first step
        for lane_status in (Status.UNDERFLOW, Status.FIXED_POINT, Status.DIVERGED):
            lanes = (fresh & (status == lane_status)).nonzero().squeeze(1)
            spans = at[lanes] - begin[lanes]
            for span in sorted(set(spans.tolist())):
                chosen = lanes[spans == span]
                self._replay(s, chosen, before[:, chosen], begin[chosen], span)

    def _replay(
        self, s: Stretch, lanes: torch.Tensor, state: torch.Tensor, begin: torch.Tensor, span: int
    ) -> None:
        """The block of ``span`` steps after ``begin`` again, looking after every step."""
        diverged = bool(s.fates.status[lanes[0]] == Status.DIVERGED)
        again = Stretch(
            state.contiguous(),
            s.parameters[:, lanes].contiguous(),
            Fates(len(lanes), begin.device),
            s.records,
            0,
            span,
            span + 1,  # no record
            s.bound if diverged else float("inf"),
        )
        room = _Room(*state.shape)
        self._take(self._kernel(len(lanes), 0, False), again, room, look=1)
        s.fates.at[lanes] = begin + room.at
        if diverged:
            s.state[:, lanes] = again.state


def _widest(program: Program) -> int:
    """The number of lanes of a tile for large batches.

    Enough chains of operations to fill the processor's window while one of them waits, in
    particular for a division or root; a long program fills it alone.
    """
    operations = {i.operation for i in program.body}
    if operations & TRANSCENDENTAL.keys():
        return host().doubles
    most = 8 if operations & {"div", "sqrt"} else 4
    if 2 * len(program.state) > host().registers:
        most = 1  # two chains would not fit the registers
    chains = 1
    while chains < most and chains * len(program.body) < _WINDOW:
        chains *= 2
    return chains * host().doubles


def _dense(program: Program, widest: int) -> int:
    """The number of lanes of a group of chains where most steps are recorded.

    Stores are what takes time, and spilled registers disturb them; but a line is to be filled.
    """
    if {i.operation for i in program.body} & {"div", "sqrt", *TRANSCENDENTAL}:
        return widest
    return min(widest, max(host().doubles, 8))
