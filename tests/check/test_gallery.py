"""Every loss of the gallery gets the findings that are right for it: no miss, no false alarm.

Each is tried with one of three seeds, another one from loss to loss: seeds draw the inputs of
properties and the starts of the search for minimizers, but real runs go from where they start.
``EOSTHEORY_GALLERY=all`` tries all of them, the one of full size too, with all seeds, and with the
default profile: an hour.
"""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from eostheory import check_loss

SEEDS = (0, 1, 2)
ALL = os.environ.get("EOSTHEORY_GALLERY") == "all"


def _load_gallery():
    folder = Path(__file__).with_name("gallery")
    spec = importlib.util.spec_from_file_location(
        "check_gallery", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_gallery"] = module
    spec.loader.exec_module(module)
    return module


gallery = _load_gallery()
ENTRIES = [entry for entry in gallery.GALLERY.values() if ALL or not entry.slow]


def seeds_of(entry):
    """All seeds, or one."""
    if ALL:
        return SEEDS
    return (SEEDS[ENTRIES.index(entry) % len(SEEDS)],)


def excused(finding, found):
    """Whether a check does not apply because one that it needs did not pass."""
    if finding.status != "not-applicable" or not finding.message.startswith("needs "):
        return False
    need = finding.message.removeprefix("needs ").split(",")[0]
    return found[need].status != "pass"


def differences(entry, report):
    """What was found and is not right, one line each."""
    found = {finding.check: finding for finding in report.findings}
    lines = []
    for name, finding in found.items():
        allowed = entry.expected.get(name, ("pass",))
        allowed = (allowed,) if isinstance(allowed, str) else allowed
        status = str(finding.status)
        if status not in allowed and not (allowed != ("fail",) and excused(finding, found)):
            wanted = " or ".join(allowed)
            lines.append(f"{name} is {status}, not {wanted}: {finding.message}")
    missing = set(entry.expected) - set(found)
    lines += [f"{name} was not run" for name in sorted(missing)]
    for name, words in entry.says.items():
        if words not in found[name].message:
            lines.append(f"{name} does not say {words!r}: {found[name].message}")
    for claim, verdicts in entry.applies.items():
        verdicts = (verdicts,) if isinstance(verdicts, str) else verdicts
        said = report.applicability[claim]
        if str(said.verdict) not in verdicts:
            lines.append(f"{claim} {said.verdict}, not {' or '.join(verdicts)}: {said.message}")
    return lines + list(report.errors)


def examine(entry, seed, profile="quick"):
    """The verdicts, after they were found to be right."""
    given = entry.arguments()
    report = check_loss(entry.make(), profile=profile, seed=seed, name=entry.name, **given)
    wrong = differences(entry, report)
    assert not wrong, "\n".join([f"{entry.name}, seed {seed}:", *wrong])
    return {finding.check: str(finding.status) for finding in report.findings}


def test_the_gallery_is_large_enough():
    assert len(gallery.GALLERY) >= 70


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_a_loss_gets_the_findings_that_are_right_for_it(entry):
    first, *others = [examine(entry, seed) for seed in seeds_of(entry)]
    assert all(other == first for other in others)


if ALL:

    @pytest.mark.slow
    @pytest.mark.parametrize("entry", ENTRIES, ids=str)
    def test_the_default_profile_finds_the_same(entry):
        examine(entry, 7, "default")
