"""The JAX peer, in a process of its own: gradient descent as a scan of ``vmap(grad)``.

One request a line on stdin, one answer a line on stdout, both JSON.  In a process of its own
because XLA reads its flags once, starts threads, and counts their processor time where it runs.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def _losses(jnp: Any, data: dict[str, Any]) -> dict[str, Callable[[Any, Any], Any]]:
    """Loss of one trajectory at state (n,) and parameters (p,)."""

    def scale_invariant(w: Any, _: Any) -> Any:
        x, y = w[0], w[1]
        return 2 - (x + y) / jnp.sqrt(x * x - x * y + y * y)

    def toy(w: Any, p: Any) -> Any:
        root = jnp.sqrt(p[2])
        return (2 / p[0] + root * w[1]) * w[0] * w[0] / 2 - p[1] / root * w[1] - w[2]

    def batch_norm(w: Any, _: Any) -> Any:
        z = data["x"] @ w
        targets = data["y"] - data["y"].mean()
        centred = z - z.mean()
        size = jnp.sqrt((targets * targets).mean())
        residual = size * centred / jnp.sqrt((centred * centred).mean()) - targets
        return (residual * residual).mean()

    return {"scale-invariant": scale_invariant, "toy": toy, "batch-norm": batch_norm}


class Program:
    """A compiled scan for one task."""

    def __init__(self, jax: Any, request: dict[str, Any]) -> None:
        jnp = jax.numpy
        data = {name: jnp.asarray(value) for name, value in request["data"].items()}
        loss = _losses(jnp, data)[request["model"]]
        decay, recorded, every = request["decay"], request["recorded"], request["every"]
        self._start, self._parameters = (
            jnp.asarray(request[name], dtype=jnp.float64) for name in ("start", "parameters")
        )
        single = self._start.shape[1] == 1
        if single:  # nothing to map over: the plain gradient is the faster scan
            gradient = jax.grad(loss)
            self._start, self._parameters = self._start[:, 0], self._parameters[:, 0]
        else:
            gradient = jax.vmap(jax.grad(loss), in_axes=1, out_axes=1)

        def step(w: Any, p: Any) -> Any:
            shrink = 1 - p[0] * p[decay] if decay is not None else 1.0
            return shrink * w - p[0] * gradient(w, p)

        def scan(w: Any, p: Any, length: int) -> Any:
            def block(w: Any, _: None) -> Any:
                w = jax.lax.scan(lambda v, _: (step(v, p), None), w, None, length=every)[0]
                return w, w[:recorded]

            return jax.lax.scan(block, w, None, length=length // every)

        self._run = jax.jit(scan, static_argnums=2)
        self._steps = request["steps"]
        before = time.perf_counter()
        self.time()
        self.compile_seconds = time.perf_counter() - before

    def time(self) -> dict[str, float]:
        """Seconds of one run."""
        wall, cpu = time.perf_counter(), time.process_time()
        end, records = self._run(self._start, self._parameters, self._steps)
        end.block_until_ready()
        records.block_until_ready()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return {"cpu": cpu, "wall": wall}

    def final(self, steps: int) -> list[list[float]]:
        """The state after ``steps``, (n, B)."""
        end, _ = self._run(self._start, self._parameters, steps)
        rows: list[list[float]] = end.reshape(end.shape[0], -1).tolist()
        return rows


def main() -> None:
    """Answer requests until stdin ends."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {ONE_THREAD}".strip()
    os.environ["JAX_PLATFORMS"] = "cpu"
    try:
        jax: Any = import_module("jax")
    except ImportError as reason:
        print(json.dumps({"absent": str(reason)}), flush=True)
        return
    jax.config.update("jax_enable_x64", True)
    print(json.dumps({"version": jax.__version__}), flush=True)
    programs: list[Program] = []
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any]
        if request["do"] == "load":
            programs.append(Program(jax, request))
            answer = {"id": len(programs) - 1, "compile": programs[-1].compile_seconds}
        elif request["do"] == "time":
            answer = programs[request["id"]].time()
        else:
            answer = {"final": programs[request["id"]].final(request["steps"])}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
