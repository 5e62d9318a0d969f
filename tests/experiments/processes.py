"""Command lines of ``eostheory`` as processes that can be killed, started in no time.

One process imports everything once and then forks, for each command, a child that runs it: what a
new interpreter would do, without the seconds in which it loads torch.  Called as a script it is
that process; it reads a request per line and answers each with a line.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TIMEOUT = 300
RUNNING = 999


class Commands:
    """A context manager whose :meth:`start` starts commands."""

    def __enter__(self):
        self._server = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self._folder = tempfile.TemporaryDirectory()
        self._count = 0
        return self

    def __exit__(self, *exception):
        self._server.communicate(timeout=TIMEOUT)
        self._folder.cleanup()

    def start(self, *arguments, limit=0, **environment):
        """Begin ``eostheory ARGUMENTS``; no file may grow beyond ``limit`` bytes, if given."""
        self._count += 1
        out = Path(self._folder.name) / f"{self._count}"
        pid = self.ask(arguments=arguments, environment=environment, limit=limit, out=str(out))
        return Command(self, pid, out)

    def ask(self, **request):
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return int(self._server.stdout.readline())


class Command:
    """A command that runs."""

    def __init__(self, commands, pid, out):
        self._commands, self.pid, self._out = commands, pid, out

    def kill(self):
        """``kill -9``, unless it is over; waits for the end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def over(self):
        """Whether it has ended."""
        return self._commands.ask(wait=self.pid, patience=0) != RUNNING

    def wait(self):
        """Exit code (negative: the signal that killed it), standard output and error."""
        code = self._commands.ask(wait=self.pid, patience=TIMEOUT)
        texts = [self._out.with_suffix(s).read_text() for s in (".out", ".err")]
        return code, *texts


def serve():
    """Fork a child for each request."""
    from eostheory.cli import run as _run  # noqa: F401
    from eostheory.cli.app import run
    from eostheory.experiments import catalogue, progress  # noqa: F401
    from eostheory.experiments.damian23 import four_stages  # noqa: F401

    sys.path.insert(0, str(Path(__file__).parent))
    import shared_run

    shared_run.register()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = ended(request["wait"], time.monotonic() + request["patience"])
        else:
            answer = os.fork()
            if not answer:
                child(run, **request)
        print(answer, flush=True)


def ended(pid, deadline, codes={}):  # noqa: B006
    """Exit code of a child that ends before the deadline."""
    while pid not in codes:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            codes[pid] = os.waitstatus_to_exitcode(status)
        elif time.monotonic() >= deadline:
            return RUNNING
        else:
            time.sleep(0.01)
    return codes[pid]


def child(run, arguments, environment, limit, out):
    """Run the command; never returns."""
    for number, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(out + suffix, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(environment)
    if limit:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    code = 99
    try:
        code = run(arguments)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
