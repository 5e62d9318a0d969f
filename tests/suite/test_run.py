"""A run as a whole: what is reported, what rests on what, what is remembered."""

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eostheory.claims import Verdict
from eostheory.report.records import claims_of, needs_attention
from eostheory.suite import (
    ClaimFinished,
    ClaimStarted,
    NothingSelected,
    Request,
    RunFinished,
    RunStarted,
    Selection,
    UnknownClaim,
    run,
    survey,
)
from eostheory.suite.scripts import digest_of

COUNTING = """
import pathlib
def counted(settings, name="p/a", verdict="proved"):
    with open(pathlib.Path(__file__).with_name("count.pyc"), "a") as file:
        file.write("x")
    return {"id": name, "verdict": verdict}
CLAIMS = [claim("p/a", counted)]
"""


def times_judged(paper):
    # a suffix that is no data of the folder, which would change the cache key
    path = paper.folder / "count.pyc"
    return len(path.read_text()) if path.exists() else 0


def test_every_listed_claim_is_reported_in_order_and_open_if_nobody_encoded_it(paper):
    paper.lists("p/a", "p/b", "p/c").script("s.py", 'CLAIMS = [claim("p/b")]')
    report = paper.run()
    assert [(r["id"], r["verdict"]) for r in report["claims"]] == [
        ("p/a", "open"),
        ("p/b", "proved"),
        ("p/c", "open"),
    ]
    assert report["summary"]["coverage"] == {"p": {"listed": 3, "encoded": 1}}
    assert report["summary"]["verdicts"] == {"open": 2, "proved": 1}
    assert report["schema"] == "eostheory-report/1"
    assert report["environment"]["sympy"]


def test_the_events_tell_the_whole_story_in_order(paper, listed):
    paper.lists(listed("p/a", needs=["p/b"]), "p/b", "p/open")
    paper.script("s.py", 'CLAIMS = [claim("p/a"), claim("p/b")]')
    events = []
    paper.run(listeners=[events.append])
    assert isinstance(events[0], RunStarted)
    assert events[0].plan == ("p/b", "p/a")
    assert events[0].listed == 3
    assert isinstance(events[-1], RunFinished)
    middle = [(type(e).__name__, getattr(e, "id", None)) for e in events[1:-1]]
    assert [kind for kind, _ in middle] == ["ClaimStarted", "ClaimFinished"] * 2
    finished = [e for e in events if isinstance(e, ClaimFinished)]
    assert [(e.record["id"], e.done, e.total) for e in finished] == [("p/b", 1, 2), ("p/a", 2, 2)]


def test_a_claim_is_conditional_on_every_weaker_ancestor_however_far(paper, listed):
    paper.lists(
        listed("p/top", needs=["p/mid"]),
        listed("p/mid", needs=["p/def", "p/weak", "p/open"]),
        "p/weak",
        "p/open",
        listed("p/def", check="definition"),
    )
    paper.script(
        "s.py",
        'CLAIMS = [claim("p/top"), claim("p/mid", "certified"), claim("p/weak", "supported"), '
        'claim("p/def", "assumed")]',
    )
    records = paper.records()
    assert records["p/top"]["conditional"] == ["p/mid", "p/open", "p/weak"]
    assert records["p/mid"]["conditional"] == ["p/open", "p/weak"]
    assert records["p/weak"]["conditional"] == []


def test_an_ancestor_outside_the_selection_counts_as_far_as_it_is_known(paper, listed):
    paper.lists(listed("p/a", needs=["p/b"]), "p/b").script(
        "s.py", 'CLAIMS = [claim("p/a"), claim("p/b")]'
    )
    assert paper.records("p/a")["p/a"]["conditional"] == ["p/b"]
    paper.run()
    assert paper.records("p/a")["p/a"]["conditional"] == []


@pytest.mark.parametrize(
    "parent, nature",
    [("proved", "slip"), ("refuted", "step"), ("undecided", "step")],
)
def test_a_refuted_step_is_a_slip_if_the_conclusion_survives(paper, listed, parent, nature):
    paper.lists("p/thm-1", listed("p/thm-1.p2", kind="proof-step"))
    paper.script("s.py", f'CLAIMS = [claim("p/thm-1", "{parent}"), claim("p/thm-1.p2", "refuted")]')
    records = paper.records()
    assert records["p/thm-1.p2"]["nature"] == nature
    assert records["p/thm-1"]["nature"] == ("conclusion" if parent == "refuted" else None)


def test_a_step_belongs_to_the_parts_of_a_lemma_that_is_listed_in_parts(paper, listed):
    steps = [listed(f"p/{name}", kind="proof-step") for name in ("lemma-1.p1", "lemma-2.p1")]
    paper.lists("p/lemma-1.a", "p/lemma-1.b", *steps)
    claims = [("lemma-1.a", "proved"), ("lemma-1.b", "proved")]
    claims += [("lemma-1.p1", "refuted"), ("lemma-2.p1", "refuted")]
    listed_claims = ", ".join(f'claim("p/{name}", "{verdict}")' for name, verdict in claims)
    records = paper.script("s.py", f"CLAIMS = [{listed_claims}]").records()
    assert records["p/lemma-1.p1"]["nature"] == "slip"
    assert records["p/lemma-2.p1"]["nature"] == "step"


def test_a_refutation_by_the_text_conversion_or_a_missing_hypothesis_says_so(paper):
    paper.lists("p/a", "p/b", "p/c").script(
        "s.py",
        'same = {"latex": {"": "x"}, "verdict": "proved", "hypothesis": "x > 0"}\n'
        'other = {"latex": {"": "y"}, "verdict": "proved", "hypothesis": None}\n'
        'CLAIMS = [claim("p/a", "refuted", extraction="a lost minus"),\n'
        ' claim("p/b", "refuted", encoded={"": "x"}, corrected=same),\n'
        ' claim("p/c", "refuted", encoded={"": "x"}, corrected=other)]',
    )
    natures = {i: r["nature"] for i, r in paper.records().items()}
    assert natures == {"p/a": "extraction", "p/b": "hypothesis", "p/c": "conclusion"}


def test_a_conflict_fails_whatever_was_expected(paper):
    paper.lists("p/a", "p/b").script(
        "s.py", 'CLAIMS = [claim("p/a", "conflict"), claim("p/b", lambda _: 1 / 0)]'
    )
    paper.expects('[claims."p/a"]\nverdict = "conflict"\nreason = "known"')
    summary = paper.run()["summary"]
    assert summary["conflicts"] == ["p/a"]
    assert summary["exit_code"] == 1


def test_a_surviving_mutant_without_a_waiver_is_not_green(paper):
    survivor = {"mutant": "x2", "statement": "2x = x", "reason": None}
    waived = {**survivor, "reason": "the statement is homogeneous"}
    for survivors, code in ([survivor], 1), ([waived], 0), ([waived, survivor], 1):
        score = {"killed": 3, "total": 4, "waived": 0, "survivors": survivors}
        paper.lists("p/a").script(
            "s.py", f'CLAIMS = [claim("p/a", mutants={{"derivation": {score}}})]'
        )
        summary = paper.run()["summary"]
        assert summary["exit_code"] == code
        assert summary["survivors"] == (["p/a"] if code else [])
        assert summary["mutants"]["derivation"]["total"] == 4


@pytest.mark.parametrize(
    "verdict, level, code",
    [
        ("proved", "proved", 0),
        ("certified", "proved", 3),
        ("certified", "certified", 0),
        ("supported", "certified", 3),
        ("supported", "supported", 0),
        ("assumed", "proved", 0),
    ],
)
def test_a_demanded_level_is_demanded_of_every_selected_claim(paper, listed, verdict, level, code):
    paper.lists(listed("p/a", check="empirical")).script(
        "s.py", f'CLAIMS = [claim("p/a", "{verdict}")]'
    )
    paper.expects(f'[claims."p/a"]\nverdict = "{verdict}"\nreason = "r"')
    summary = paper.run(level=Verdict(level))["summary"]
    assert summary["exit_code"] == code
    assert summary["below_level"] == (["p/a"] if code else [])


def test_an_open_claim_is_below_every_level(paper):
    paper.lists("p/a")
    assert paper.run(level=Verdict.SUPPORTED)["summary"]["exit_code"] == 3


def test_results_are_remembered_until_something_they_depend_on_changes(paper, listed):
    paper.lists("p/a").script("s.py", COUNTING)
    assert not paper.records()["p/a"]["cached"]
    again = paper.records()["p/a"]
    assert again["cached"]
    assert again["verdict"] == "proved"
    assert times_judged(paper) == 1

    paper.records(seed=1)
    assert times_judged(paper) == 2
    paper.records(profile="quick")
    assert times_judged(paper) == 3
    paper.records(mutate=False)
    assert times_judged(paper) == 4
    paper.script("s.py", COUNTING + "\n# a remark")
    paper.records()
    assert times_judged(paper) == 5
    helper = paper.folder / "_helper.py"
    helper.write_text(helper.read_text() + "\n# a remark")
    paper.records()
    assert times_judged(paper) == 6
    paper.lists(listed("p/a", kind="theorem"))
    paper.records()
    assert times_judged(paper) == 7
    (paper.folder / "data.csv").write_text("1")
    paper.records()
    assert times_judged(paper) == 8


def test_a_script_that_uses_more_than_what_judges_depends_on_all_of_it(paper, monkeypatch):
    paper.lists("p/a").script("s.py", COUNTING)
    plain = digest_of(paper.folder, "s.py")
    for line in ("import eostheory.experiments", "from eostheory import check_loss"):
        paper.script("s.py", f"{line}\n{COUNTING}")
        before = digest_of(paper.folder, "s.py")
        with monkeypatch.context() as patch:
            patch.setattr("eostheory.suite.scripts.package_digest", lambda: "another")
            assert digest_of(paper.folder, "s.py") != before
    paper.script("s.py", COUNTING)
    monkeypatch.setattr("eostheory.suite.scripts.package_digest", lambda: "another")
    assert digest_of(paper.folder, "s.py") == plain


LATER = """
CLAIMS = [claim("p/a", lambda _: None), claim("p/b", lambda _: None, since="default")]
"""


def test_what_a_greater_profile_judges_is_left_out_and_named(paper):
    paper.lists("p/a", "p/b").script("s.py", LATER)
    report = paper.run(profile="quick")
    assert [c["id"] for c in report["claims"]] == ["p/a"]
    assert report["summary"]["postponed"] == ["p/b"]
    assert set(paper.records(profile="default")) == {"p/a", "p/b"}
    named = paper.run(profile="quick", selection=Selection(patterns=("p/b",)))
    assert [c["id"] for c in named["claims"]] == ["p/b"]
    assert named["summary"]["postponed"] == []
    with pytest.raises(NothingSelected, match=r"p/b.*--profile"):
        paper.run(profile="quick", selection=Selection(patterns=("p/b*",)))


def test_an_unknown_profile_is_named(paper):
    with pytest.raises(ValueError, match="'fast'; known: quick"):
        paper.run(profile="fast")


def test_an_expectation_or_a_comment_in_the_list_does_not_cost_the_results(paper):
    paper.lists("p/a").script("s.py", COUNTING)
    paper.records()
    paper.expects('[claims."p/a"]\nverdict = "open"')
    (paper.folder / "README.md").write_text("text")
    path = paper.folder / "claims.yaml"
    path.write_text("# a comment\n" + path.read_text())
    assert paper.records()["p/a"]["cached"]
    assert times_judged(paper) == 1


def test_without_a_cache_everything_is_judged_anew(paper):
    paper.lists("p/a").script("s.py", COUNTING)
    for expected in (1, 2):
        assert not paper.records(cache=None)["p/a"]["cached"]
        assert times_judged(paper) == expected


def test_errors_are_not_remembered(paper):
    paper.lists("p/a").script("s.py", 'CLAIMS = [claim("p/a", lambda _: 1 / 0)]')
    paper.records()
    assert not paper.records()["p/a"]["cached"]


@pytest.mark.parametrize("damage", ["half", "changed", "empty", "other"])
def test_a_damaged_result_is_found_again_and_never_trusted(paper, tmp_path, damage):
    cache = tmp_path / "cache"
    paper.lists("p/a").script("s.py", COUNTING)
    paper.records(cache=cache)
    for path in cache.rglob("*.json"):
        text = path.read_text()
        changed = {
            "half": text[: len(text) // 2],
            "changed": text.replace("proved", "refuted"),
            "empty": "",
            "other": json.dumps([1, 2]),
        }[damage]
        path.write_text(changed)
    record = paper.records(cache=cache)["p/a"]
    assert (record["verdict"], record["cached"]) == ("proved", False)
    assert paper.records(cache=cache)["p/a"]["cached"]


def test_a_cache_that_cannot_be_written_makes_nothing_fail(paper, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    paper.lists("p/a").script("s.py", COUNTING)
    assert paper.records(cache=blocked)["p/a"]["verdict"] == "proved"


def test_ctrl_c_keeps_what_has_finished_in_the_report_and_in_the_cache(paper):
    names = [f"p/c{k}" for k in range(6)]
    paper.lists(*names).script(
        "s.py",
        "import time\n"
        "def slow(name):\n"
        "    def judge(_):\n"
        '        time.sleep(0 if name in ("p/c0", "p/c1") else 600)\n'
        '        return {"id": name, "verdict": "proved"}\n'
        "    return judge\n"
        f"CLAIMS = [claim(name, slow(name)) for name in {names}]",
    )

    def interrupt(event):
        if isinstance(event, ClaimStarted) and event.id == "p/c2":
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    report = paper.run(listeners=[interrupt])
    verdicts = [r["verdict"] for r in report["claims"]]
    assert verdicts == ["proved"] * 2 + ["undecided"] * 4
    assert "interrupted" in report["claims"][5]["evidence"][0]["text"]
    assert [r.get("unfinished", False) for r in report["claims"]] == [False] * 2 + [True] * 4
    assert not any(map(needs_attention, claims_of(report)))
    assert report["summary"]["interrupted"]
    assert report["summary"]["exit_code"] == 130
    known = {k.entry.id: k.verdict for k in survey(Request((paper.folder,)))}
    assert known["p/c1"] == "proved"
    assert known["p/c2"] is None


def test_claims_of_one_script_share_what_their_worker_has_imported(paper):
    names = [f"p/c{k}" for k in range(4)]
    paper.lists(*names).script(
        "s.py",
        "import os\n"
        "def where(name):\n"
        '    return lambda _: {"id": name, "verdict": "proved", "reading": str(os.getpid())}\n'
        f"CLAIMS = [claim(name, where(name)) for name in {names}]",
    )
    assert len({r["reading"] for r in paper.records().values()}) == 1


def test_relative_imports_reach_helpers_and_neighbouring_papers(paper, tmp_path):
    other = tmp_path / "q-1"
    other.mkdir()
    (other / "_shared.py").write_text("VERDICT = 'proved'\n")
    (other / "claims.yaml").write_text("")
    (tmp_path / "_top.py").write_text("NAME = 'p/a'\n")
    paper.lists("p/a").script(
        "s.py", "from .._top import NAME\nCLAIMS = [claim(NAME)]\nfrom . import _helper\n"
    )
    assert paper.records()["p/a"]["verdict"] == "proved"
    before = paper.records()["p/a"]
    (tmp_path / "_top.py").write_text("NAME = 'p/a'  # changed\n")
    assert before["cached"]
    assert not paper.records()["p/a"]["cached"]


def test_a_folder_of_paper_folders_is_one_library(paper, tmp_path, listed):
    paper.lists("p/a").script("s.py", 'CLAIMS = [claim("p/a")]')
    other = type(paper)(tmp_path / "q")
    other.folder.mkdir()
    other.lists(listed("q/a", needs=["p/a"])).script("s.py", 'CLAIMS = [claim("q/a")]')
    paper.folder = tmp_path
    report = paper.run()
    assert [r["id"] for r in report["claims"]] == ["p/a", "q/a"]
    assert report["summary"]["verdicts"] == {"proved": 2}


def test_any_executor_will_do(paper):
    paper.lists("p/a").script("s.py", 'CLAIMS = [claim("p/a")]')
    request = Request((paper.folder,), jobs=1, cache=None)
    report = run(request, make_executor=lambda: _Elsewhere(1))
    assert report["claims"][0]["verdict"] == "proved"


class _Elsewhere(ThreadPoolExecutor):
    """An executor that is no process pool; it answers for the workers."""

    def submit(self, function, /, *args, **more):
        answers = {
            "warm_up": lambda: -1,
            "index_script": lambda *_: {
                "claims": [{"id": "p/a", "budget": 9.0}],
                "seconds": 0.0,
                "error": None,
            },
            "judge_one": lambda _folder, name, _settings: {"id": name, "verdict": "proved"},
        }
        return super().submit(answers[function.__name__], *args, **more)


def test_selecting_by_verdict_looks_at_the_verdicts_of_this_run(paper):
    paper.lists("p/a", "p/b", "p/c").script(
        "s.py", 'CLAIMS = [claim("p/a"), claim("p/b", "refuted")]'
    )
    report = paper.run(selection=Selection(verdicts=(Verdict.REFUTED,)))
    assert [r["id"] for r in report["claims"]] == ["p/b"]
    report = paper.run(selection=Selection(verdicts=(Verdict.OPEN, Verdict.PROVED)))
    assert [r["id"] for r in report["claims"]] == ["p/a", "p/c"]
    with pytest.raises(NothingSelected):
        paper.run(selection=Selection(verdicts=(Verdict.VACUOUS,)))


def test_unknown_ids_and_papers_are_refused_before_any_work(paper):
    paper.lists("p/alpha").script("s.py", "raise SystemError")
    with pytest.raises(UnknownClaim, match="unknown id 'p/alphb'; nearest: p/alpha"):
        paper.run("p/alphb")
    with pytest.raises(UnknownClaim, match="unknown paper 'q'; known: p"):
        paper.run(selection=Selection(papers=("q",)))
    with pytest.raises(NothingSelected):
        paper.run("p/z*")


def test_a_survey_judges_nothing(paper):
    paper.lists("p/a", "p/b").script("s.py", COUNTING)
    request = Request((paper.folder,), jobs=1)
    assert [(k.entry.id, k.script, k.verdict) for k in survey(request)] == [
        ("p/a", "s.py", None),
        ("p/b", None, "open"),
    ]
    assert times_judged(paper) == 0
    paper.run()
    assert survey(request)[0].verdict == "proved"
    assert Path(request.cache).is_dir()
