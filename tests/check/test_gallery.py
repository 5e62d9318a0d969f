"""Every loss of the gallery gets the findings that are right for it: no miss, no false alarm."""

import importlib.util
import sys
from pathlib import Path

import pytest

from eostheory import check_loss

SEEDS = (0, 1, 2)


def _load_gallery():
    path = Path(__file__).with_name("gallery.py")
    spec = importlib.util.spec_from_file_location("check_gallery", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_gallery"] = module
    spec.loader.exec_module(module)
    return module


gallery = _load_gallery()
QUICK = [entry for entry in gallery.GALLERY.values() if not entry.slow]
SLOW = [entry for entry in gallery.GALLERY.values() if entry.slow]


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
    return lines


def examine(entry, seed, profile="quick"):
    given = entry.arguments()
    report = check_loss(entry.make(), profile=profile, seed=seed, name=entry.name, **given)
    wrong = differences(entry, report)
    assert not wrong, "\n".join([f"{entry.name}, seed {seed}:", *wrong])


def test_the_gallery_is_large_enough():
    assert len(gallery.GALLERY) >= 35


@pytest.mark.parametrize("entry", QUICK, ids=str)
def test_a_loss_gets_the_findings_that_are_right_for_it(entry):
    # Another seed for each; the sweep below tries all seeds on all of them.
    examine(entry, QUICK.index(entry) % len(SEEDS))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("entry", QUICK, ids=str)
def test_every_seed_finds_the_same(entry, seed):
    if QUICK.index(entry) % len(SEEDS) != seed:
        examine(entry, seed)


@pytest.mark.slow
@pytest.mark.parametrize("entry", [*QUICK, *SLOW], ids=str)
def test_the_default_profile_finds_the_same(entry):
    examine(entry, 7, "default")
