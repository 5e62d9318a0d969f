"""Which claims a user means by ids, globs, papers, kinds and expressions."""

import pytest

from eostheory.claims.catalogue import CatalogueEntry
from eostheory.suite import ExpressionError, Selection, select, split_targets


def make(name, kind="lemma", says="text"):
    paper = name.partition("/")[0]
    return CatalogueEntry(name, paper, kind, "Sec. 2", says, "x", "", (), "identity")


ENTRIES = {
    e.id: e
    for e in (
        make("p/eq-1", "equation", "the drift of the flow"),
        make("p/eq-2", "equation", "the gradient"),
        make("p/thm-1", "theorem", "Drift transitions"),
        make("q/eq-1", "equation", "the Hessian"),
    )
}


def chosen(**conditions):
    return select(ENTRIES, Selection(**conditions))


def test_nothing_asked_is_everything():
    assert chosen() == list(ENTRIES)


@pytest.mark.parametrize(
    "conditions, expected",
    [
        ({"patterns": ("p/eq-1",)}, ["p/eq-1"]),
        ({"patterns": ("p",)}, ["p/eq-1", "p/eq-2", "p/thm-1"]),
        ({"patterns": ("*/eq-1",)}, ["p/eq-1", "q/eq-1"]),
        ({"patterns": ("q/eq-1", "p/thm-*")}, ["p/thm-1", "q/eq-1"]),
        ({"patterns": ("*/eq-?",), "papers": ("q",)}, ["q/eq-1"]),
        ({"kinds": ("theorem",)}, ["p/thm-1"]),
        ({"expression": "drift"}, ["p/eq-1", "p/thm-1"]),
        ({"expression": "drift and not theorem"}, ["p/eq-1"]),
        ({"expression": "hessian or gradient"}, ["p/eq-2", "q/eq-1"]),
        ({"expression": "equation and (hessian or DRIFT)"}, ["p/eq-1", "q/eq-1"]),
        ({"expression": "not equation"}, ["p/thm-1"]),
    ],
)
def test_conditions_select_in_the_order_of_the_lists(conditions, expected):
    assert chosen(**conditions) == expected


@pytest.mark.parametrize("text", ["and", "a and", "(a", "a b", "a )", "not", "()"])
def test_an_expression_that_cannot_be_read_is_refused(text):
    with pytest.raises(ExpressionError, match="-k"):
        chosen(expression=text)


def test_a_target_is_a_folder_if_it_exists_or_is_written_like_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    paths, patterns = split_targets(["mine", "./other", "sub/", "p/eq-1", "p/eq-*", "lyu22"])
    assert [str(p) for p in paths] == ["mine", "other", "sub"]
    assert patterns == ["p/eq-1", "p/eq-*", "lyu22"]
