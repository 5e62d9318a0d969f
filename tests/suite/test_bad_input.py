"""Scripts that misbehave: their claims say so, all others finish; wrong folders are refused."""

import time

import pytest

from eostheory.suite import LoadError

GOOD = 'CLAIMS = [claim("p/good")]'


@pytest.fixture
def pair(paper):
    """Two claims, one of them encoded by a healthy script."""
    return paper.lists("p/good", "p/bad").script("good.py", GOOD)


def bad_and_good(paper, **options):
    report = paper.run(**options)
    records = {r["id"]: r for r in report["claims"]}
    assert records["p/good"]["verdict"] == "proved"
    assert records["p/bad"]["verdict"] == "error"
    assert report["summary"]["errors"] == ["p/bad"]
    assert report["summary"]["exit_code"] == 4
    return records["p/bad"]


def test_a_script_that_cannot_be_imported_is_the_error_of_its_own_claims_only(pair):
    pair.script("bad.py", 'CLAIMS = [claim("p/bad")]\nraise RuntimeError("broken inside")')
    pair.script("bad.py", 'from eostheory.claims import Claim\nClaim("p/bad", 1 / 0)\n')
    record = bad_and_good(pair)
    assert "ZeroDivisionError" in record["error"]
    assert "bad.py" in record["error"]
    assert record["script"] == "bad.py"


def test_a_script_with_a_syntax_error_keeps_the_claims_that_its_text_names(pair):
    pair.script("bad.py", 'Claim(\n  "p/bad", )\nclaim claim')
    assert "SyntaxError" in bad_and_good(pair)["error"]


def test_a_script_that_breaks_keeps_the_claims_it_had(pair):
    pair.script("bad.py", 'CLAIMS = [claim("p/" + "b" + "ad")]')
    assert pair.run()["summary"]["exit_code"] == 0
    pair.script("bad.py", 'CLAIMS = [claim("p/" + "b" + "ad")]\nprint("hello")\nnonsense')
    record = bad_and_good(pair)
    assert "NameError" in record["error"]
    assert "hello" in record["error"]


def test_a_broken_script_whose_claims_nobody_knows_still_fails_the_run(pair):
    pair.script("bad.py", "import nonsense")
    summary = pair.run()["summary"]
    assert summary["errors"] == []
    [(path, error)] = summary["broken_scripts"].items()
    assert path.endswith("bad.py")
    assert "ModuleNotFoundError" in error
    assert summary["exit_code"] == 4


@pytest.mark.parametrize(
    "text, words",
    [
        ("x = 1", "has no CLAIMS"),
        ("CLAIMS = 3", "CLAIMS is int; expected a list"),
        ('CLAIMS = [claim("p/bad"), "p/bad"]', r"CLAIMS[1] is str; expected a Claim"),
    ],
)
def test_a_script_without_a_list_of_claims_is_an_error_that_says_so(pair, text, words):
    pair.script("bad.py", text + '\n# Claim("p/bad")')
    summary = pair.run()["summary"]
    assert any(words in error for error in summary["broken_scripts"].values())
    assert summary["exit_code"] == 4


def test_a_claim_that_raises_has_its_traceback(pair):
    pair.script(
        "bad.py", 'def f(_):\n    raise ValueError("no such size")\nCLAIMS = [claim("p/bad", f)]'
    )
    record = bad_and_good(pair)
    assert "ValueError: no such size" in record["error"]
    assert "bad.py" in record["error"]


def test_a_claim_that_ends_the_interpreter_is_an_error(pair):
    pair.script("bad.py", 'import sys\nCLAIMS = [claim("p/bad", lambda _: sys.exit(0))]')
    assert "SystemExit" in bad_and_good(pair)["error"]


def test_a_claim_past_its_budget_is_stopped_and_says_where_it_was(pair):
    pair.script(
        "bad.py",
        "import time\ndef sleeper(_):\n    time.sleep(60)\n"
        'CLAIMS = [claim("p/bad", sleeper, budget=0.3)]',
    )
    began = time.monotonic()
    record = bad_and_good(pair)
    assert time.monotonic() - began < 30
    assert "longer than its budget of 0.3 s" in record["error"]
    assert "in sleeper" in record["error"]


def test_a_claim_that_ignores_the_alarm_is_killed_and_the_worker_replaced(pair):
    pair.script(
        "bad.py",
        "import signal, time\ndef deaf(_):\n    signal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
        '    time.sleep(600)\nCLAIMS = [claim("p/bad", deaf, budget=0.2)]',
    )
    record = bad_and_good(pair)
    assert "was killed after" in record["error"]
    assert "past its budget of 0.2 s" in record["error"]


@pytest.mark.parametrize(
    "code, words",
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9 (SIGKILL)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by signal 11 (SIGSEGV)"),
        ("os._exit(7)", "exited with status 7"),
    ],
)
def test_a_claim_whose_worker_dies_says_how(pair, code, words):
    pair.script("bad.py", f'import os, signal\nCLAIMS = [claim("p/bad", lambda _: {code})]')
    assert words in bad_and_good(pair)["error"]


def test_a_crash_that_does_not_come_back_costs_no_result(pair, tmp_path):
    marker = tmp_path / "crashed"
    pair.script(
        "bad.py",
        "import os, signal\nfrom pathlib import Path\n"
        f"MARKER = Path({str(marker)!r})\n"
        "def crash_once(_):\n    if not MARKER.exists():\n        MARKER.touch()\n"
        "        os.kill(os.getpid(), signal.SIGSEGV)\n"
        '    return {"id": "p/bad", "verdict": "proved"}\n'
        'CLAIMS = [claim("p/bad", crash_once)]',
    )
    records = {r["id"]: r for r in pair.run()["claims"]}
    assert marker.exists()
    assert records["p/bad"]["verdict"] == "proved"


def test_when_a_worker_dies_all_other_claims_finish(pair):
    pair.lists("p/bad", "p/good", "p/c1", "p/c2", "p/c3")
    pair.script(
        "bad.py",
        'import os\nCLAIMS = [claim("p/bad", lambda _: os._exit(7)), claim("p/c1"), '
        'claim("p/c2"), claim("p/c3")]',
    )
    report = pair.run(jobs=2)
    verdicts = {r["id"]: r["verdict"] for r in report["claims"]}
    assert verdicts.pop("p/bad") == "error"
    assert set(verdicts.values()) == {"proved"}


def test_an_import_that_kills_its_worker_is_the_error_of_that_script(pair):
    pair.script("bad.py", 'import os\nif True:\n    os._exit(3)\n# Claim("p/bad")')
    [error] = pair.run()["summary"]["broken_scripts"].values()
    assert "exited with status 3" in error


@pytest.mark.parametrize(
    "value, words",
    [
        ("3", "expected a record (a mapping), got int"),
        ("{'verdict': 'true'}", "'true' is no verdict"),
        ("{'verdict': 'proved', 'id': 'p/good'}", "the record is about 'p/good'"),
        ("{'verdict': 'proved', 'evidence': 'much'}", "member 'evidence' is str"),
        ("{'verdict': 'proved', 'evidence': [object()]}", "not plain data"),
        ("{}", "None is no verdict"),
    ],
)
def test_a_claim_that_returns_nonsense_is_an_error_that_says_so(pair, value, words):
    pair.script("bad.py", f'CLAIMS = [claim("p/bad", lambda _: {value})]')
    assert words in bad_and_good(pair)["error"]


def test_an_encoded_claim_that_the_list_lacks_is_refused(pair):
    pair.script("bad.py", 'CLAIMS = [claim("p/badd")]')
    with pytest.raises(LoadError, match=r"bad\.py: encodes 'p/badd', which no list has; nearest"):
        pair.run()


def test_a_claim_encoded_by_two_scripts_is_refused(pair):
    pair.script("other.py", GOOD)
    with pytest.raises(LoadError, match=r"other\.py: duplicate id 'p/good'.*good\.py"):
        pair.run()


def test_a_claim_encoded_twice_in_one_script_is_refused(pair):
    pair.script("bad.py", 'CLAIMS = [claim("p/bad"), claim("p/bad")]')
    with pytest.raises(LoadError, match="duplicate id 'p/bad': already encoded by itself"):
        pair.run()


def test_two_folders_with_the_same_paper_are_refused(pair, tmp_path):
    other = tmp_path / "q"
    other.mkdir()
    (other / "claims.yaml").write_text((pair.folder / "claims.yaml").read_text())
    pair.folder = tmp_path
    with pytest.raises(LoadError, match="duplicate ids"):
        pair.run()


def test_a_folder_without_a_list_is_refused_with_what_to_do(paper):
    with pytest.raises(LoadError, match=r"has a claims\.yaml.*eostheory template"):
        paper.run()
    paper.folder = paper.folder / "missing"
    with pytest.raises(LoadError, match="no such folder"):
        paper.run()


def test_a_need_that_no_paper_has_is_refused(paper, listed):
    paper.lists(listed("p/a", needs=["lyu22/no-such"]))
    with pytest.raises(LoadError, match="'p/a' needs 'lyu22/no-such', which no list has"):
        paper.run()


def test_a_need_may_name_a_claim_of_a_bundled_paper(paper, listed):
    paper.lists(listed("p/a", needs=["lyu22/thm-B.7"]))
    assert paper.run()["summary"]["exit_code"] == 0
