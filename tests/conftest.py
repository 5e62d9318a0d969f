"""For every test: one torch thread, a cache of its own, no unexplained skips."""

import os

import pytest

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    # more threads than cores make everything slower, and workers of pytest-xdist are many
    os.environ.setdefault(_name, "1")

ALLOWED_SKIPS = {
    "needs a CUDA device",
    "no chromium on this machine",
}
"""The only reasons for which a test may be skipped; EOSTHEORY_NO_SKIPS=1 allows none."""

_unexplained = []


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test sees the results of another one, or the user's."""
    monkeypatch.setenv("EOSTHEORY_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread():
    import torch

    torch.set_num_threads(1)


def pytest_runtest_logreport(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        _note_skip(report)


def pytest_collectreport(report):
    if report.skipped:
        _note_skip(report)


def _note_skip(report):
    where = report.longrepr
    reason = str(where[2] if isinstance(where, tuple | list) else where).removeprefix("Skipped: ")
    if reason not in ALLOWED_SKIPS or os.environ.get("EOSTHEORY_NO_SKIPS") == "1":
        _unexplained.append((report.nodeid, reason))


def pytest_sessionfinish(session, exitstatus):
    if _unexplained and exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    for test, reason in _unexplained:
        terminalreporter.write_line(f"UNEXPECTED SKIP {test}: {reason}", red=True)
