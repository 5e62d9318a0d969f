"""Small proof folders whose claims judge themselves, so that the suite is tested by itself."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from eostheory.suite import Request, Selection, run

HELPER = '''
"""Replaces the engine inside the worker: a claim's record is what its derive() returns."""
import eostheory.claims
from eostheory.claims import Claim
from eostheory.formula import Equation, scalar

def judge(claim, entry, settings):
    return claim.derive(settings)

eostheory.claims.judge = judge
x = scalar("x")

def claim(name, record="proved", budget=20.0, since="quick", **more):
    def derive(settings):
        if callable(record):
            return record(settings)
        return {"id": name, "verdict": record, **more}
    return Claim(name, Equation(x, x), derive=derive, budget=budget, since=since)
'''

IMPORTS = "from ._helper import claim\n"


def entry(name, needs=(), kind="lemma", check="identity"):
    return (
        f"- id: {name}\n  kind: {kind}\n  where: '1'\n  says: something about {name}\n"
        f"  formula: 'x = x'\n  hypotheses: ''\n  needs: [{', '.join(needs)}]\n  check: {check}\n"
    )


@dataclass
class Paper:
    """A proof folder under construction."""

    folder: Path

    def lists(self, *entries):
        text = "claims:\n" + "".join(e if e.startswith("-") else entry(e) for e in entries)
        (self.folder / "claims.yaml").write_text(text, encoding="utf-8")
        return self

    def expects(self, text):
        (self.folder / "expected.toml").write_text(text, encoding="utf-8")
        return self

    def script(self, name, text):
        (self.folder / "_helper.py").write_text(HELPER, encoding="utf-8")
        (self.folder / name).write_text(IMPORTS + text, encoding="utf-8")
        return self

    def run(self, *patterns, listeners=(), **options):
        options.setdefault("jobs", 1)
        selection = options.pop("selection", Selection(patterns=patterns))
        return run(Request((self.folder,), selection, **options), listeners)

    def records(self, *patterns, **options):
        report = self.run(*patterns, **options)
        return {record["id"]: record for record in report["claims"]}


@pytest.fixture
def paper(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    return Paper(folder)


@pytest.fixture
def listed():
    """The text of one entry of a list."""
    return entry
