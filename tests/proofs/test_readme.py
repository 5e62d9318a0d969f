"""The tutorial of the proofs folder, followed to the letter."""

import re
from pathlib import Path

import pytest

from eostheory.cli.app import run as command
from eostheory.suite import Request, run

README = Path(__file__).resolve().parents[2] / "proofs" / "README.md"
BLOCK = re.compile(r"```\w+\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.mark.slow
def test_a_reader_who_types_the_tutorial_gets_the_verdicts_it_promises(tmp_path):
    folder = tmp_path / "my_paper"
    assert command(["template", str(folder)]) == 0
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    assert [name for name, _ in blocks] == ["claims.yaml", "small_steps.py", "expected.toml"]
    for name, text in blocks:
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write("\n" + text if name.endswith("toml") else text)
    report = run(Request((folder,), profile="quick", jobs=1))
    found = {c["id"]: c for c in report["claims"]}
    assert found["my_paper/lemma-3"]["verdict"] == "refuted"
    assert found["my_paper/lemma-3"]["corrected"]["verdict"] == "proved"
    assert found["my_paper/lemma-4"]["verdict"] == "proved"
    assert report["summary"]["exit_code"] == 0
    for score in report["summary"]["mutants"].values():
        assert score["killed"] == score["total"] > 40


def test_the_tutorial_names_only_files_that_exist():
    text = README.read_text(encoding="utf-8")
    named = re.findall(r"`(\w+2\d/\w+\.py)`", text)
    assert named
    for name in named:
        assert (README.parent / name).is_file()
