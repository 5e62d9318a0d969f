"""Claim lists: what a good one gives, and how wrong ones are refused."""

import pytest

from eostheory.claims.catalogue import (
    Catalogue,
    CatalogueError,
    check_outside_needs,
    load_catalogue,
    nearest_ids,
)
from eostheory.suite import bundled_proofs

GOOD = """\
claims:
- id: p/a
  kind: lemma
  where: '1'
  says: a
  formula: x
  hypotheses: ''
  needs: []
  check: identity
- id: p/b
  kind: theorem
  where: '2'
  says: b
  formula: y
  hypotheses: h
  needs: [p/a]
  check: inequality
"""


def load(tmp_path, text):
    path = tmp_path / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    return load_catalogue(path)


def refusal(tmp_path, text):
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, text)
    return str(caught.value)


def test_a_list_is_loaded_in_its_order_with_every_field(tmp_path):
    catalogue = load(tmp_path, GOOD)
    assert isinstance(catalogue, Catalogue)
    assert catalogue.paper == "p"
    assert list(catalogue.entries) == ["p/a", "p/b"]
    entry = catalogue.entries["p/b"]
    assert (entry.kind, entry.where, entry.says, entry.formula) == ("theorem", "2", "b", "y")
    assert (entry.hypotheses, entry.needs, entry.check, entry.line) == (
        "h",
        ("p/a",),
        "inequality",
        10,
    )


@pytest.mark.parametrize("paper, size", [("damian23", 242), ("li22", 354), ("lyu22", 489)])
def test_the_lists_of_the_papers_are_complete(paper, size):
    catalogue = load_catalogue(bundled_proofs() / paper)
    assert catalogue.paper == paper
    assert len(catalogue.entries) == size


@pytest.mark.parametrize(
    "old, new, line, field, words",
    [
        ("kind: lemma", "kind: lema", 3, "kind", "'lema' is none of"),
        ("check: identity", "check: equality", 9, "check", "'equality' is none of"),
        ("  says: a\n", "", 2, "says", "missing"),
        ("  says: a\n", "  says: a\n  say: a\n", 6, "say", "unknown field; nearest: says"),
        ("  says: a\n", "  says: a\n  says: c\n", 6, "says", "given twice"),
        ("  says: a\n", "  says: [a]\n", 5, "says", "must be a text"),
        ("  says: a\n", "  says: ''\n", 5, "says", "is empty"),
        ("needs: []", "needs: p/b", 8, "needs", "must be a list"),
        ("needs: [p/a]", "needs: [[p/a]]", 16, "needs", "ids only"),
        ("needs: [p/a]", "needs: [p/a, p/a]", 16, "needs", "listed twice"),
        ("needs: [p/a]", "needs: [p/aa]", 10, "needs", "'p/aa', which the list lacks"),
        ("id: p/b", "id: pb", 10, "id", "not of the form paper/name"),
        ("id: p/b", "id: 'p/b c'", 10, "id", "not of the form paper/name"),
        ("id: p/b", "id: p/a", 10, "id", "already on line 2"),
        ("id: p/b", "id: q/b", 1, "id", "one list describes one paper"),
        ("claims:", "claim:", 1, "claim", "unknown"),
    ],
)
def test_a_wrong_list_is_refused_with_line_and_field(tmp_path, old, new, line, field, words):
    assert old in GOOD
    message = refusal(tmp_path, GOOD.replace(old, new, 1))
    assert message.startswith(f"{tmp_path / 'claims.yaml'}:{line}: field '{field}'")
    assert words in message


@pytest.mark.parametrize(
    "text, words",
    [
        ("claims: [", "broken YAML"),
        ("claims:\n- id: a\n - b", "broken YAML"),
        ("", "expected 'claims:'"),
        ("- a", "expected 'claims:'"),
        ("claims: []", "the list is empty"),
        ("claims: 3", "must be one list"),
        ("claims:\n- 3", "an entry must be a mapping"),
    ],
)
def test_a_text_that_is_no_list_is_refused_with_its_line(tmp_path, text, words):
    message = refusal(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'claims.yaml'}:")
    assert words in message


def test_a_cycle_in_needs_is_refused_with_the_whole_cycle(tmp_path):
    message = refusal(tmp_path, GOOD.replace("needs: []", "needs: [p/b]", 1))
    assert "field 'needs': cycle: p/a -> p/b -> p/a" in message


def test_a_claim_that_needs_itself_is_a_cycle(tmp_path):
    message = refusal(tmp_path, GOOD.replace("needs: []", "needs: [p/a]", 1))
    assert "cycle: p/a -> p/a" in message


def test_a_chain_of_thousands_of_needs_is_no_problem(tmp_path):
    head, tail = GOOD.split("- id: p/b")[0], "- id: p/b" + GOOD.split("- id: p/b")[1]
    texts = [head]
    for k in range(3000):
        before = "p/a" if k == 0 else f"p/c{k - 1}"
        texts.append(tail.replace("p/b", f"p/c{k}", 1).replace("[p/a]", f"[{before}]"))
    assert len(load(tmp_path, "".join(texts)).entries) == 3001


def test_a_missing_or_unreadable_list_is_refused(tmp_path):
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_catalogue(tmp_path)
    (tmp_path / "claims.yaml").write_bytes(b"claims: \xff")
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_catalogue(tmp_path)


def test_needs_may_point_into_other_papers_that_have_the_id(tmp_path):
    catalogue = load(tmp_path, GOOD.replace("needs: [p/a]", "needs: [q/z]"))
    check_outside_needs([catalogue], ["p/a", "p/b", "q/z"])
    with pytest.raises(CatalogueError, match=r":10: field 'needs': 'p/b' needs 'q/z'"):
        check_outside_needs([catalogue], ["p/a", "p/b"])


def test_a_cycle_through_two_papers_is_refused(tmp_path):
    (tmp_path / "q").mkdir()
    one = load(tmp_path, GOOD.replace("needs: []", "needs: [q/b]", 1))
    other = load(tmp_path / "q", GOOD.replace("p/", "q/").replace("needs: []", "needs: [p/a]", 1))
    with pytest.raises(CatalogueError, match="cycle: p/a -> q/b -> q/a -> p/a"):
        check_outside_needs([one, other], [*one.entries, *other.entries])


def test_the_nearest_ids_are_found_without_the_paper_in_any_case_and_with_typing_errors():
    known = ["lyu22/thm-B.7", "lyu22/thm-B.9", "damian23/eq-3"]
    assert nearest_ids("thm-B.7", known)[0] == "lyu22/thm-B.7"
    assert nearest_ids("LYU22/THM-b.7", known)[0] == "lyu22/thm-B.7"
    assert nearest_ids("lyu22/thmB.9", known)[0] == "lyu22/thm-B.9"
    assert nearest_ids("li22/eq-3", known)[0] == "damian23/eq-3"
    assert nearest_ids("zzzzzz", known) == []
