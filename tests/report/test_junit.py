"""JUnit documents as CI servers read them."""

from xml.etree import ElementTree

import pytest

from eostheory.report import write_junit
from eostheory.report.junit import junit


def outcomes(report):
    found = {}
    for case in ElementTree.fromstring(junit(report)).iter("testcase"):
        tags = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}/{case.get('name')}"] = tags[0] if tags else "passed"
    return found


def test_each_verdict_becomes_the_outcome_that_a_server_should_count(sample):
    assert outcomes(sample) == {
        "lyu22/eq-1": "passed",
        "lyu22/lemma-3.1": "passed",
        "lyu22/lemma-D.1": "passed",
        "lyu22/fig-5": "passed",
        "lyu22/lemma-E.1": "passed",
        "lyu22/thm-B.9": "skipped",
        "damian23/eq-3": "failure",
        "damian23/lemma-3": "failure",
        "damian23/cor-1": "passed",
        "damian23/appB.gradient": "error",
        "damian23/sec4.step": "passed",
    }


def test_suites_are_papers_and_their_counts_add_up(sample):
    root = ElementTree.fromstring(junit(sample))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["lyu22", "damian23"]
    for key in ("tests", "failures", "errors", "skipped"):
        assert int(root.get(key)) == sum(int(suite.get(key)) for suite in suites)
    assert root.get("failures") == "2"
    assert root.get("errors") == "1"
    for suite in suites:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))


def test_children_of_a_case_stand_in_the_order_that_strict_readers_demand(sample):
    order = ["properties", "skipped", "error", "failure", "system-out"]
    for case in ElementTree.fromstring(junit(sample)).iter("testcase"):
        places = [order.index(child.tag) for child in case]
        assert places == sorted(places)
        assert float(case.get("time")) >= 0


def test_a_refuted_claim_that_was_expected_shows_its_witness_without_failing(sample):
    root = ElementTree.fromstring(junit(sample))
    case = next(c for c in root.iter("testcase") if c.get("name") == "lemma-E.1")
    assert "lhs: 5/9" in case.findtext("system-out")
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert properties["nature"] == "slip"
    assert properties["mutants.derivation"] == "0/0"


def test_an_improvement_fails_only_a_strict_run(sample):
    sample["summary"]["strict"] = True
    assert outcomes(sample)["damian23/sec4.step"] == "failure"


def test_surviving_mutants_and_weak_verdicts_fail_when_the_run_says_so(sample):
    sample["summary"].update(survivors=["lyu22/lemma-3.1"], below_level=["lyu22/fig-5"])
    found = outcomes(sample)
    assert found["lyu22/lemma-3.1"] == "failure"
    assert found["lyu22/fig-5"] == "failure"


def test_a_script_that_cannot_be_imported_is_an_error_of_its_own(sample):
    sample["summary"]["broken_scripts"] = {"proofs/lyu22/x.py": "SyntaxError: invalid"}
    root = ElementTree.fromstring(junit(sample))
    assert outcomes(sample)["import/proofs/lyu22/x.py"] == "error"
    assert root.get("errors") == "2"


@pytest.mark.parametrize("text", ["<script>&\"'", "null \x00 and \x1b[31m", "\ud800 alone", "]]>"])
def test_any_text_gives_a_document_that_parses(sample, text, tmp_path):
    claim = sample["claims"][-2]
    claim.update(error=text, says=text, where=text, id=f"damian23/{text}")
    path = write_junit(sample, tmp_path / "j.xml")
    ElementTree.parse(path)


def test_a_run_without_claims_is_an_empty_document(samples):
    root = ElementTree.fromstring(junit(samples.report([], exit_code=5)))
    assert root.get("tests") == "0"
