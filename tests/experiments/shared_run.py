"""The command line with one more experiment, ``test/shared``: a small network whose loss several
processes share, and in which one of them may come to harm.

Called as ``shared_run.py run test/shared ...``.  The environment variable HARM names a rank, the
number of an evaluation of its first chunk, and what happens there: ``kill``, ``stop``, ``memory``.
A rank, 1 and ``data`` means that it holds other data.
"""

import os
import signal
import sys
from dataclasses import dataclass, replace

import torch

from eostheory.cli.app import run as command
from eostheory.experiments import Experiment, Finding, Plot, catalogue, setting
from eostheory.experiments.models import mlp
from eostheory.experiments.plots import panels
from eostheory.numeric.objective import module_objective
from eostheory.training import gradient_descent


def harm(*kinds):
    """When something of these kinds happens to this process; 0 for never."""
    who, when, what = os.environ.get("HARM", "0 0 nothing").split()
    return int(when) if what in kinds and os.environ.get("RANK", "0") == who else 0


@dataclass(frozen=True)
class Settings:
    steps: int = setting(60, "steps of a part")
    chunk: int = setting(8, "examples at a time")


def harmed(objective):
    """The objective, at an evaluation of whose first chunk something may happen."""
    when, count = harm("kill", "stop", "memory"), 0

    def first(w):
        nonlocal count
        count += 1
        if count == when:
            if harm("memory"):
                raise torch.OutOfMemoryError("no room, in a test")
            os.kill(os.getpid(), signal.SIGKILL if harm("kill") else signal.SIGSTOP)
        return objective.chunks[0](w)

    return replace(objective, chunks=(first, *objective.chunks[1:]))


def problem(settings, device):
    draw = torch.Generator().manual_seed(3)
    inputs = torch.randn(23, 4, dtype=torch.float64, generator=draw)
    targets = torch.tanh(inputs.sum(1, keepdim=True))
    if harm("data"):
        targets[-1] += 1e-9
    torch.manual_seed(5)
    net = mlp([4, 3, 1])
    return module_objective(
        net, torch.nn.MSELoss(), inputs, targets, chunk=settings.chunk, device=device
    )


def run(settings, session):
    objective, start = problem(settings, session.device)
    own = harmed(session.share(objective))
    for part, eta in (("slow", 0.1), ("fast", 0.4)):
        if session.finished(part) is None:
            with session.follow(part, settings.steps // 5 + 1):
                gradient_descent(
                    own,
                    start,
                    eta,
                    settings.steps,
                    every=5,
                    measure=["sharpness"],
                    **session.recording(part, checkpoint_every=10),
                )


def findings(settings, results):
    return [Finding("loss at the end", "small", float(results["fast"]["loss"][-1]), None)]


def draw(settings, results):
    figure, (axes,) = panels(1, 1)
    for part in ("slow", "fast"):
        axes.semilogy(results[part]["step"], results[part]["loss"], label=part)
    return figure


EXPERIMENT = Experiment(
    name="test/shared",
    title="a network that several processes share",
    claims=(),
    settings=Settings,
    run=run,
    parts=lambda settings: {"slow": settings.steps // 5 + 1, "fast": settings.steps // 5 + 1},
    plots=(Plot("loss", "The loss of both parts.", draw),),
    findings=findings,
    shared=True,
)


def register():
    """Put it into the catalogue."""
    sys.modules["eostheory.experiments.shared_test"] = sys.modules[__name__]
    catalogue._MODULES["test/shared"] = "shared_test"


if __name__ == "__main__":
    register()
    sys.exit(command(sys.argv[1:]))
