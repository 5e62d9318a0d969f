"""What a target says, and the report as text and as JSON."""

import json
from importlib import resources

import jsonschema
import pytest

from eostheory.bench import Case, Outcome, Report, Settings, Table, catalogue, run, select, show
from eostheory.bench.cases import Missing, Wrong, at_least, at_most, judge
from eostheory.bench.catalogue import UnknownCase
from eostheory.bench.result import Judged
from eostheory.bench.timing import Interval

FAST = at_least("a/fast", "faster than a snail", 2.0)
CHEAP = at_most("a/cheap", "cheaper than gold", 20.0, "products", below=True)


def seen(median, low=None, high=None):
    return Interval(median, median if low is None else low, median if high is None else high, 7)


@pytest.mark.parametrize(
    ("target", "measured", "state", "clear"),
    [
        (FAST, seen(2.0), "met", True),
        (FAST, seen(2.1, 1.9, 2.2), "met", False),
        (FAST, seen(1.9, 1.8, 1.99), "missed", True),
        (CHEAP, seen(19.9), "met", True),
        (CHEAP, seen(20.0), "missed", True),
        (at_most("b", "at most", 20.0, "ms"), seen(20.0), "met", True),
        (FAST, "no C compiler", "not measured", False),
        (FAST, Wrong("C differs by 0.1: not counted"), "wrong", False),
    ],
)
def test_the_median_decides_and_the_interval_says_how_clearly(target, measured, state, clear):
    judged = judge(target, measured)
    assert (judged.state, judged.clear) == (state, clear)


def test_a_target_has_a_figure_or_a_reason():
    for measured, reason in ((None, ""), (seen(1.0), "why")):
        with pytest.raises(ValueError, match="either a measured figure or a reason"):
            Judged(FAST, measured, reason)


def test_a_row_must_fit_its_table():
    with pytest.raises(ValueError, match="does not fit"):
        Table("t", ("one", "two"), (("only",),))


def sample_report():
    table = Table(
        "race", ("peer", "x", "note"), (("C", seen(1.5, 1.0, 2.0), ""), ("J", None, "no"))
    )
    judged = (judge(FAST, seen(1.5, 1.4, 2.5)), judge(CHEAP, "no C compiler"))
    outcome = Outcome("a", (table,), judged, ("something",))
    machine = {"cpu": "c", "vector_doubles": 4, "cores": 2, "versions": {"jax": None}}
    return Report(machine, {"repeat": 7, "quick": False}, [outcome])


def test_the_json_form_is_the_documented_one():
    document = json.loads(json.dumps(sample_report().as_dict(), allow_nan=False))
    schema = json.loads((resources.files("eostheory.bench") / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    states = [t["state"] for t in document["cases"][0]["targets"]]
    assert states == ["missed", "not measured"]
    for broken in ({"schema": 2}, {"cases": [{}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | broken, schema)


def test_the_text_says_for_each_target_what_was_asked_and_measured():
    report = sample_report()
    lines = list(show.outcome(report.outcomes[0]))
    text = "\n".join(lines)
    assert "1.5 [1, 2]" in text
    fast = next(line for line in lines if line.startswith("a/fast"))
    assert ">= 2x" in fast
    assert "1.5 [1.4, 2.5]x" in fast
    assert fast.endswith("MISSED (the interval reaches across)")
    cheap = next(line for line in lines if line.startswith("a/cheap"))
    assert "< 20 products" in cheap
    assert "no C compiler" in cheap
    assert cheap.endswith("not measured")
    assert next(iter(show.summary(report))) == "2 targets: 1 missed, 1 not measured"
    assert "jax absent" in "\n".join(show.machine(report.machine))


def test_a_quick_run_judges_nothing():
    report = sample_report()
    report.settings["quick"] = True
    assert len(list(show.summary(report))) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.961, "0.961"), (87.0, "87"), (1797.0, "1797"), (6.5e8, "6.50e+08")],
)
def test_numbers_have_the_digits_that_matter(value, text):
    assert show.number(value) == text


def fake_case(measure, name="fake"):
    return Case(name, "a fake", (FAST, CHEAP), measure)


def test_what_is_missing_answers_for_every_target():
    def measure(settings):
        raise Missing("not installed: pip install eostheory[bench]")

    outcome = fake_case(measure).run(Settings())
    assert [j.reason for j in outcome.targets] == [
        "not installed: pip install eostheory[bench]"
    ] * 2
    assert outcome.notes


def test_a_case_that_forgets_a_target_is_a_mistake_of_ours():
    with pytest.raises(KeyError, match="fake judged"):
        fake_case(lambda _: Outcome("fake", targets=(judge(FAST, seen(2.0)),))).run(Settings())


def test_outcomes_come_one_by_one_and_the_core_is_given_back():
    import os

    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    told = []
    outcome = Outcome("fake", targets=(judge(FAST, seen(2.0)), judge(CHEAP, seen(1.0))))
    report = run([fake_case(lambda _: outcome)], Settings(repeat=1), told.append)
    assert told == report.outcomes == [outcome]
    assert not report.failed
    assert report.machine["versions"]["torch"]
    if allowed:
        assert os.sched_getaffinity(0) == allowed


def test_cases_are_selected_by_name():
    cases = catalogue()
    assert select([], cases) == list(cases.values())
    assert [case.name for case in select(["toy", "calls", "toy"], cases)] == ["toy", "calls"]
    with pytest.raises(UnknownCase, match="did you mean 'stores'"):
        select(["store"], cases)


def test_every_figure_of_the_benchmark_has_its_own_name():
    names = [target.name for case in catalogue().values() for target in case.targets]
    assert len(names) == len(set(names)) == 19
    assert {name.partition("/")[0] for name in names} == set(catalogue())


def test_settings_need_a_repeat():
    with pytest.raises(ValueError, match="at least one"):
        Settings(repeat=0)
