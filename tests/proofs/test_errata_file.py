"""The errata in the repository are those of the suite."""

import re
from pathlib import Path

from eostheory.claims import Verdict
from eostheory.suite import load_library

ERRATA = Path(__file__).resolve().parents[2] / "ERRATA.md"


def test_the_errata_list_exactly_what_is_expected_to_be_refuted():
    listed = re.findall(r"^### (\S+)", ERRATA.read_text(encoding="utf-8"), flags=re.MULTILINE)
    library = load_library()
    expected = {
        name
        for paper in library.papers
        for name, expectation in paper.expectations.items()
        if expectation.verdict is Verdict.REFUTED
    }
    assert len(listed) == len(set(listed))
    assert set(listed) == expected


def test_every_entry_says_what_is_printed_what_is_wrong_and_what_survives():
    entries = re.split(r"^### ", ERRATA.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for entry in entries:
        for part in ("**What is wrong:**", "**Witness:**", "**What survives:**"):
            assert part in entry, entry.partition("\n")[0]
