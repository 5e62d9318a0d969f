"""Changing one coefficient of an encoded statement turns its verdict.

Every run of the suite mutates every statement; this test does so without the suite's bookkeeping,
for one in six of them.
"""

import functools
import zlib

import pytest

from eostheory.claims import Settings, Verdict, mutants
from eostheory.claims.judge import Witnesses, compare_parts
from eostheory.claims.score import waiver
from eostheory.suite import load_library
from eostheory.suite.scripts import claims_of_script

# the suite itself mutates for both witnesses; here the derivations are asked once more, alone
QUICK = Settings(profile="quick", simulate=False)
COEFFICIENT = ("x2", "x1/2", "x1.001", "sign", "plus-minus one")


@functools.cache
def library():
    return load_library()


def encoded():
    for paper in library().papers:
        for script in paper.scripts:
            for claim in claims_of_script(paper.folder, script):
                if claim.derive is None or zlib.crc32(claim.id.encode()) % 6:
                    continue
                yield pytest.param(paper.name, claim, id=claim.id)


@pytest.mark.slow
@pytest.mark.parametrize(("paper", "claim"), list(encoded()))
def test_a_changed_coefficient_turns_the_verdict(paper, claim):
    definition = library().entries[claim.id].check == "definition"
    witnesses = Witnesses(claim, QUICK)
    withheld = frozenset(claim.corrected_hypotheses)
    parts = claim.parts
    before = compare_parts(witnesses, parts, withheld, definition).verdict
    if before in (Verdict.REFUTED, Verdict.UNDECIDED):
        withheld, parts = frozenset(), claim.corrected_parts
        assert parts is not None, f"{claim.id} is {before} without a correction"
        before = compare_parts(witnesses, parts, withheld, definition).verdict
    assert before in (Verdict.PROVED, Verdict.CERTIFIED, Verdict.SUPPORTED, Verdict.ASSUMED)
    tried = 0
    for name, part in parts.items():
        rightful = [m for m in mutants(part) if not waiver(claim, "derivation", name, m.name)]
        # "x = O(r eta)" has no coefficient: there its order is what must matter
        changed = [m for m in rightful if m.kind in COEFFICIENT] or rightful
        if not changed:  # a multiple of zero is zero: every change is waived, with a reason
            continue
        tried += 1
        turned = (
            compare_parts(witnesses, {**parts, name: m.statement}, withheld, definition).verdict
            for m in changed
        )
        assert any(verdict != before for verdict in turned)
    assert tried, f"{claim.id}: nothing in the statement can be changed"
