"""The template of a proof folder runs as it is, and is judged by the real engine."""

import pytest

from eostheory.cli.app import run as command
from eostheory.suite import Request, run


@pytest.mark.slow
def test_the_template_runs_as_it_is_and_its_verdicts_stand_their_own_test(tmp_path, capsys):
    folder = tmp_path / "my_paper"
    assert command(["template", str(folder)]) == 0
    assert f"eostheory verify {folder}" in capsys.readouterr().out
    report = run(Request((folder,), profile="quick", jobs=1))
    assert report["summary"]["exit_code"] == 0
    verdicts = {c["id"]: c["verdict"] for c in report["claims"]}
    assert verdicts == {
        "my_paper/eq-1": "proved",
        "my_paper/lemma-1": "proved",
        "my_paper/lemma-2": "proved",
        "my_paper/cor-1": "open",
    }
    for score in report["summary"]["mutants"].values():
        assert score["killed"] == score["total"] > 20
    hypotheses = {c["id"]: c["hypotheses_used"] for c in report["claims"]}
    assert hypotheses["my_paper/lemma-2"] == ["eigenvector"]


def test_a_wrong_coefficient_in_the_template_is_found(tmp_path):
    folder = tmp_path / "wrong"
    command(["template", str(folder), "--paper", "mine24"])
    script = folder / "quadratic.py"
    text = script.read_text()
    assert "eta**2 / 2" in text
    script.write_text(text.replace("eta**2 / 2", "eta**2"))
    request = Request((folder,), profile="quick", jobs=1, mutate=False)
    report = run(request)
    verdicts = {c["id"]: c["verdict"] for c in report["claims"]}
    assert verdicts["mine24/lemma-1"] == "refuted"
    assert report["summary"]["exit_code"] == 1


def test_an_existing_folder_is_never_overwritten(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert command(["template", str(tmp_path)]) == 2
    assert command(["template", str(tmp_path / "file")]) == 2
    assert "nothing was written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_whose_name_cannot_begin_ids_needs_another_name(tmp_path, capsys):
    assert command(["template", str(tmp_path / "--")]) == 2
    assert command(["template", str(tmp_path / "ok"), "--paper", "a/b"]) == 2
    assert "--paper" in capsys.readouterr().err
