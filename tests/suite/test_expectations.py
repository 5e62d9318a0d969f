"""expected.toml: what is expected of a claim, and how wrong expectations are refused."""

import pytest

from eostheory.suite import LoadError


@pytest.fixture
def two(paper, listed):
    paper.lists(listed("p/a"), listed("p/d", check="definition"), listed("p/e", check="empirical"))
    return paper


@pytest.mark.parametrize(
    "text, line, field, words",
    [
        ('[claims."p/x"]\nverdict = "proved"', 1, "claims", "'p/x' is in no list; nearest: p/"),
        ('# a\n[claims."p/a"]\nverdict = "true"', 3, "verdict", "'true' is none of proved,"),
        ('[claims."p/a"]\nreason = "r"', 1, "verdict", "missing for 'p/a'"),
        ('[claims."p/a"]\nverdict = "refuted"', 1, "reason", "missing: 'p/a' is expected refuted"),
        ('[claims."p/a"]\nverdict = "refuted"\nreason = " "', 3, "reason", "missing"),
        ('[claims."p/d"]\nverdict = "proved"', 1, "reason", "usually assumed"),
        ('[claims."p/a"]\nverdict = 3', 2, "verdict", "must be a text"),
        ('[claims."p/a"]\nverdict = "open"\nwhy = "w"', 3, "why", "unknown field"),
        ("claims = 3", 1, "claims", "must be tables"),
        ('[claims]\n"p/a" = "proved"', 2, "p/a", "must be a table"),
        ("[other]\nx = 1", 1, "other", "unknown"),
    ],
)
def test_a_wrong_expectation_is_refused_with_line_and_field(two, text, line, field, words):
    two.expects(text)
    with pytest.raises(LoadError) as caught:
        two.run()
    message = str(caught.value)
    assert message.startswith(f"{two.folder / 'expected.toml'}:{line}: field '{field}'")
    assert words in message


def test_broken_toml_is_refused_with_its_line(two):
    two.expects('[claims."p/a"]\nverdict = proved')
    with pytest.raises(LoadError, match=r"expected\.toml:2: broken TOML"):
        two.run()


def test_defaults_follow_from_the_check_and_from_being_encoded(two):
    two.script("s.py", 'CLAIMS = [claim("p/d", "assumed"), claim("p/e", "supported")]')
    report = two.run()
    expected = {r["id"]: r["expected"] for r in report["claims"]}
    assert expected == {"p/a": "open", "p/d": "assumed", "p/e": "supported"}
    assert report["summary"]["exit_code"] == 0


def test_an_expected_refutation_is_no_failure_and_keeps_its_reason(two):
    two.script("s.py", 'CLAIMS = [claim("p/a", "refuted")]')
    two.expects('[claims."p/a"]\nverdict = "refuted"\nreason = "sign of the last term"')
    report = two.run()
    record = report["claims"][0]
    assert record["as_expected"]
    assert record["expected_reason"] == "sign of the last term"
    assert report["summary"]["exit_code"] == 0


@pytest.mark.parametrize("verdict", ["refuted", "certified", "supported", "undecided", "vacuous"])
def test_any_other_difference_from_the_expectation_fails_the_run(two, verdict):
    two.script("s.py", f'CLAIMS = [claim("p/a", "{verdict}")]')
    summary = two.run()["summary"]
    assert summary["unexpected"] == ["p/a"]
    assert summary["exit_code"] == 1


def test_a_refutation_that_vanishes_is_a_difference_and_no_improvement(two):
    two.script("s.py", 'CLAIMS = [claim("p/a", "proved")]')
    two.expects('[claims."p/a"]\nverdict = "refuted"\nreason = "known mistake"')
    summary = two.run()["summary"]
    assert (summary["unexpected"], summary["improved"]) == (["p/a"], [])
    assert summary["exit_code"] == 1


def test_an_unexpected_improvement_is_reported_and_fails_only_when_strict(two):
    two.script("s.py", 'CLAIMS = [claim("p/a", "proved")]')
    two.expects('[claims."p/a"]\nverdict = "undecided"\nreason = "the bound is not found"')
    relaxed, strict = two.run()["summary"], two.run(strict=True)["summary"]
    assert relaxed["improved"] == strict["improved"] == ["p/a"]
    assert (relaxed["exit_code"], strict["exit_code"]) == (0, 1)


def test_an_expectation_for_a_claim_that_nobody_encoded_is_not_met(two):
    two.expects('[claims."p/a"]\nverdict = "refuted"\nreason = "sign"')
    assert two.run()["summary"]["unexpected"] == ["p/a"]
