"""Runs as evidence for claims."""

import numpy as np
import pytest

from eostheory.experiments import SettingError, evidence
from eostheory.experiments.evidence import gather


class Notes(list):
    note = list.append


@pytest.fixture(autouse=True)
def afresh():
    evidence._ran.cache_clear()
    yield
    evidence._ran.cache_clear()


def test_claims_of_one_process_share_a_run_and_both_have_its_notes():
    first, again, other = Notes(), Notes(), Notes()
    changes = {"steps": 20, "examples": 6, "width": 4}
    found = gather(first, "li22/fig-4", changes=changes)
    assert gather(again, "li22/fig-4", changes=changes) is found
    labelled = gather(other, "li22/fig-4", changes={**changes, "seed": 1}, label="seed 1")
    assert labelled is not found
    assert list(first) == list(again)
    assert len(first) >= 4
    assert all(note[0] in "✓✗·" and "paper: " in note for note in first)
    assert all(note[2:].startswith("seed 1: ") for note in other)
    assert found.settings.examples == 6
    assert len(found.parts["descent"]["sharpness"]) == 21


def test_what_is_shared_cannot_be_written_to():
    found = gather(Notes(), "li22/fig-4", changes={"steps": 20, "examples": 6, "width": 4})
    with pytest.raises(ValueError, match="read-only"):
        found.parts["descent"]["loss"][0] = np.pi


def test_unknown_settings_are_refused():
    with pytest.raises(SettingError, match="no setting"):
        gather(Notes(), "li22/fig-4", changes={"stpes": 20})
