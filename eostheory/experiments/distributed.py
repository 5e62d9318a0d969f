"""One run on several processes, as ``torchrun`` starts them: the first records, the others follow.

Every process evaluates its share of the examples and takes the same steps, with the same bits.  The
first one has the folder of the run; each other one works on a copy of its records that goes away
with it, so that all resume from the same checkpoint and no two processes write to one place.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from eostheory.experiments.device import DeviceError, usable
from eostheory.experiments.parallel import ProcessLost, shared_objective, together
from eostheory.numeric.objective import Objective
from eostheory.training import Records
from eostheory.training.checkpoint import digest

PATIENCE = 600.0
"""Seconds for which a process waits for the others; EOSTHEORY_PATIENCE sets another number."""

_FILES = ("configuration.json", "columns.json", "records.f64", "checkpoint.npz", "end.json")


class DistributedError(ValueError):
    """A run that several processes cannot share, or processes that cannot be joined."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run, as one of them sees them.

    Args:
        rank: of this one; 0 records.
        world: how many there are.
        device: of this one.
        scratch: a folder of this one, which goes away with it.
    """

    rank: int
    world: int
    device: torch.device
    scratch: Path = field(repr=False)

    @property
    def first(self) -> bool:
        """Whether this is the one that records, draws and reports."""
        return self.rank == 0

    def share(self, objective: Objective) -> Objective:
        """The objective whose chunks are dealt out; see
        :func:`~eostheory.experiments.parallel.shared_objective`.

        Raises:
            DistributedError: fewer chunks than processes.
            ProcessLost: the processes have different losses, that is, different data.
        """
        count = len(objective.chunks)
        if count < self.world:
            raise DistributedError(
                f"{self.world} processes cannot share a loss of {count} chunk"
                f"{'' if count == 1 else 's'}: let fewer examples lie in a chunk (--set chunk=... "
                "or --set batch=...), or start fewer processes"
            )
        # Anywhere, but not where a network gives zero whatever its data are.
        places = torch.arange(objective.size, dtype=objective.dtype, device=self.device)
        with torch.no_grad(), objective.guarded():
            values = [chunk(0.1 * torch.cos(places)) for chunk in objective.chunks]
        self.agree({"loss of the same parameters (data, or kind of device)": digest(*values)})
        return shared_objective(objective)

    def agree(self, texts: Mapping[str, str]) -> None:
        """Compare short texts of all processes, given under the same names.

        Raises:
            ProcessLost: some differ; names them.
        """
        own = bytes.fromhex("".join(digest(text) for text in texts.values()))
        here = torch.frombuffer(bytearray(own), dtype=torch.uint8)
        found = [torch.empty_like(here) for _ in range(self.world)]
        with together():
            dist.all_gather(found, here)
        width = len(here) // len(texts)
        differ = [
            name
            for index, name in enumerate(texts)
            if any(
                not torch.equal(one[index * width :][:width], found[0][index * width :][:width])
                for one in found
            )
        ]
        if differ:
            raise ProcessLost(f"the processes differ in: {', '.join(differ)}")

    def agree_on(self, part: str, records: Records) -> None:
        """Compare what all processes have recorded of a part.

        Raises:
            ProcessLost: they hold different bits; names the columns.
        """
        texts = {f"column {name!r} of {part}": digest(records[name]) for name in records}
        self.agree({f"columns of {part}": " ".join(records)})
        self.agree(texts)

    @contextmanager
    def handing_out(self, folder: Path) -> Iterator[None]:
        """At its end what the folder holds is sent to all others; or that it cannot be used."""
        try:
            yield
        except BaseException:
            _broadcast(torch.tensor([-1]))
            raise
        there = [folder / "configuration.json", *sorted((folder / "runs").rglob("*"))]
        files = [path for path in there if path.name in _FILES]
        _broadcast(torch.tensor([len(files)]))
        for path in files:
            for content in (path.relative_to(folder).as_posix().encode(), path.read_bytes()):
                _broadcast(torch.tensor([len(content)]))
                if content:
                    _broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8))

    def receive(self) -> Path:
        """The folder with what the first process sends.

        Raises:
            ProcessLost: it could not begin.
        """
        folder = self.scratch / "run"
        count = _receive_number()
        if count < 0:
            raise ProcessLost("process 0 could not begin; its message says why")
        folder.mkdir()
        for _ in range(count):
            place = folder / _receive().decode()
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(_receive())
        return folder


@contextmanager
def processes(device: torch.device | str | None = None) -> Iterator[Processes | None]:
    """The processes that were started together, by what ``torchrun`` puts into the environment.

    A process that was started alone gets None.  Gloo connects CPUs, NCCL GPUs, of which each
    process of a machine takes the one of its number there (LOCAL_RANK).

    Args:
        device: where tensors live; None for the CPU.

    Raises:
        DistributedError: the environment is not that of torchrun, or nobody answers.
        DeviceError: a process without a device of its own.
    """
    rank, world = place()
    if world == 1:
        yield None
        return
    own = _device(device)
    patience = float(os.environ.get("EOSTHEORY_PATIENCE", PATIENCE))
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if own.type == "cuda" else "gloo",
            timeout=timedelta(seconds=patience),
        )
    except (RuntimeError, ValueError) as error:
        raise DistributedError(
            f"the {world} processes cannot be joined: {str(error).splitlines()[0]}"
        ) from error
    with tempfile.TemporaryDirectory(prefix="eostheory-") as scratch:
        try:
            yield Processes(rank, world, own, Path(scratch))
        except BaseException:
            # NCCL would wait for those that are gone; the end of this process tells the others.
            if own.type != "cuda":
                dist.destroy_process_group()
            raise
    dist.destroy_process_group()


def place() -> tuple[int, int]:
    """Number of this process and of all, by the environment; 0 and 1 for one started alone.

    Raises:
        DistributedError: numbers that make no sense.
    """
    texts = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE")]
    if not all(texts):
        return 0, 1
    rank, world = (int(text) if text.isdecimal() else -1 for text in texts)
    if not 0 <= rank < world:
        raise DistributedError(
            f"RANK is {texts[0]!r} and WORLD_SIZE {texts[1]!r}: start with torchrun, which sets "
            "them, or unset them"
        )
    return rank, world


def _device(name: torch.device | str | None) -> torch.device:
    device = torch.device("cpu" if name is None else name)
    if device.type != "cuda":
        return usable(device)
    if ":" in str(device):
        raise DeviceError(f"{device} for several processes: write cuda, and each takes its own")
    own = usable(torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))))
    torch.cuda.set_device(own)
    return own


def _broadcast(content: torch.Tensor) -> torch.Tensor:
    """The content of the first process, in all."""
    with together():
        dist.broadcast(content, 0)
    return content


def _receive_number() -> int:
    return int(_broadcast(torch.zeros(1, dtype=torch.int64)))


def _receive() -> bytes:
    count = _receive_number()
    return _broadcast(torch.empty(count, dtype=torch.uint8)).numpy().tobytes() if count else b""
