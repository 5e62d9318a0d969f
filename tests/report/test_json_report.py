"""The JSON report and its published schema."""

import copy
import json

import jsonschema
import pytest

from eostheory.report import schema, write_json
from eostheory.suite.records import blank_record


def validator():
    return jsonschema.Draft202012Validator(schema())


def test_the_schema_is_a_valid_draft_2020_12_schema():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_a_report_with_every_verdict_meets_the_schema(sample, tmp_path):
    path = write_json(sample, tmp_path / "deep" / "report.json")
    validator().validate(json.loads(path.read_text("utf-8")))


def test_every_member_of_a_report_is_described_in_the_schema(sample):
    properties = schema()["properties"]
    definitions = schema()["$defs"]
    assert set(sample) <= set(properties)
    assert set(sample["summary"]) <= set(definitions["summary"]["properties"])
    for claim in sample["claims"]:
        assert set(claim) <= set(definitions["claim"]["properties"])


def test_every_described_member_of_a_claim_says_what_it_means():
    definitions = schema()["$defs"]
    for name, member in definitions["claim"]["properties"].items():
        target = definitions[member["$ref"].rpartition("/")[2]] if "$ref" in member else member
        assert "description" in target or "anyOf" in target, name


def test_the_record_of_an_open_claim_meets_the_schema(sample):
    from eostheory.claims.catalogue import CatalogueEntry

    entry = CatalogueEntry("p/eq-1", "p", "equation", "Sec. 1", "s", "x=1", "", (), "identity")
    report = {**sample, "claims": [blank_record(entry)]}
    validator().validate(json.loads(json.dumps(report)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda report: report.pop("summary"),
        lambda report: report.update(schema="eostheory-report/2"),
        lambda report: report["claims"][0].update(verdict="true"),
        lambda report: report["claims"][0].pop("mutants"),
        lambda report: report["claims"][0]["mutants"]["derivation"].update(killed=-1),
        lambda report: report["claims"][0].update(nature="typo"),
        lambda report: report["claims"][0].update(verdict="error", error=None),
        lambda report: report["summary"]["verdicts"].update(true=3),
    ],
)
def test_a_damaged_report_does_not_meet_the_schema(sample, damage):
    broken = copy.deepcopy(sample)
    damage(broken)
    assert not validator().is_valid(broken)


def test_numbers_that_json_lacks_are_written_as_strings(sample, tmp_path):
    sample["claims"][0]["evidence"] = [
        {"kind": "plot", "series": [{"x": [0.0, 1.0], "y": [float("inf"), float("nan")]}]}
    ]
    text = write_json(sample, tmp_path / "r.json").read_text("utf-8")
    assert json.loads(text)["claims"][0]["evidence"][0]["series"][0]["y"] == ["inf", "nan"]
    assert "NaN" not in text


def test_a_report_that_cannot_be_written_leaves_the_old_one_and_no_draft(
    sample, tmp_path, monkeypatch
):
    target = write_json(sample, tmp_path / "r.json")
    before = target.read_text("utf-8")

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_json({**sample, "seed": 7}, target)
    assert target.read_text("utf-8") == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
