"""The engine tells a wrong statement, a wrong derivation and a wrong simulation apart."""

import functools
from fractions import Fraction

import pytest
from hypothesis import strategies as st

from eostheory.claims import Claim, ClaimError, Settings, judge
from eostheory.claims.catalogue import CatalogueEntry
from eostheory.claims.judge import WitnessError
from eostheory.formula import Equation, Inequality, as_expr, scalar, vector

x, y = scalar("x", positive=True), scalar("y", positive=True)
side, area = scalar("side", positive=True), scalar("area", positive=True)
NUMBERS = st.fractions(Fraction(1, 4), 8, max_denominator=16)


def entry(check="identity", claim_id="toy/square"):
    return CatalogueEntry(
        id=claim_id, paper="toy", kind="lemma", where="1", says="a square", formula="(x+y)^2",
        hypotheses="", needs=(), check=check,
    )  # fmt: skip


def derive_square(m):
    m.define(side, x + y)
    m.define(area, side * side)


def simulate_square(s):
    a, b = s.draw(NUMBERS, "x"), s.draw(NUMBERS, "y")
    side_length = float(a) + float(b)
    s.observe({x: a, y: b, side: Fraction(a) + Fraction(b), area: side_length * side_length})


RIGHT = Equation(area, x**2 + 2 * x * y + y**2)
WRONG = Equation(area, x**2 + 3 * x * y + y**2)
QUICK = Settings(profile="quick")


def verdict(**changes):
    arguments = {"statement": RIGHT, "derive": derive_square, "simulate": simulate_square}
    check = changes.pop("check", "identity")
    return judge(Claim("toy/square", **{**arguments, **changes}), entry(check), QUICK)


def test_two_agreeing_witnesses_prove_an_identity_and_kill_every_mutant():
    record = verdict()
    assert record["verdict"] == "proved"
    for score in record["mutants"].values():
        assert score["total"] >= 10
        assert score["killed"] == score["total"]
        assert not score["survivors"]


def test_a_wrong_coefficient_is_refuted_with_a_witness_and_its_correction_is_judged():
    record = verdict(statement=WRONG, corrected=RIGHT)
    assert record["verdict"] == "refuted"
    assert record["nature"] == "conclusion"
    assert record["witness"]["values"]
    assert record["corrected"]["verdict"] == "proved"
    assert record["mutants"]["derivation"]["killed"] > 0


def test_a_wrong_correction_is_seen():
    record = verdict(statement=WRONG, corrected=Equation(area, x**2 + y**2))
    assert record["corrected"]["verdict"] == "refuted"


def test_a_wrong_derivation_is_a_conflict():
    def wrong(m):
        m.define(side, x + 2 * y)
        m.define(area, side * side)

    assert verdict(derive=wrong)["verdict"] == "conflict"


def test_a_wrong_simulation_is_a_conflict():
    def wrong(s):
        a, b = s.draw(NUMBERS, "x"), s.draw(NUMBERS, "y")
        total = float(a) + float(b)
        s.observe({x: a, y: b, side: a + b, area: total * total * 1.001})

    assert verdict(simulate=wrong)["verdict"] == "conflict"


def test_a_simulation_that_raises_is_an_error_and_never_a_proof():
    def broken(s):
        raise ZeroDivisionError("made to fail")

    with pytest.raises(WitnessError, match="made to fail"):
        verdict(simulate=broken)


def test_numbers_alone_only_support_and_a_definition_is_assumed():
    assert verdict(derive=None)["verdict"] == "supported"
    assert verdict(check="definition")["verdict"] == "assumed"
    assert verdict(simulate=None)["verdict"] == "proved"


def test_what_the_paper_leaves_unsaid_is_named_and_the_statement_holds_under_it():
    def derive(m):
        m.assume(Inequality(x, ">", y), by="x exceeds y")

    def simulate(s):
        a, b = s.draw(NUMBERS, "x"), s.draw(NUMBERS, "y")
        if s.holds("x exceeds y") and a <= b:
            s.reject("x must exceed y")
        s.observe({x: a, y: b})

    record = verdict(
        statement=Inequality(x**2, ">", y**2),
        derive=derive,
        simulate=simulate,
        check="inequality",
        corrected_hypotheses={"x exceeds y": "x > y"},
    )
    assert record["verdict"] == "refuted"
    assert record["nature"] == "hypothesis"
    assert record["corrected"]["verdict"] == "proved"
    assert record["corrected"]["hypothesis"] == "x > y"


def test_a_dropped_hypothesis_that_matters_is_used_and_one_that_does_not_is_unused():
    def derive(m):
        m.assume(Inequality(x, ">=", y), by="longer")
        m.assume(Inequality(x, ">=", 1 + y * 0), by="long")

    record = verdict(
        statement=Inequality(x, ">=", y),
        derive=derive,
        simulate=None,
        check="inequality",
        hypotheses={"longer": "x >= y", "long": "x >= 1"},
    )
    assert record["verdict"] == "proved"
    assert record["hypotheses_used"] == ["longer"]
    assert record["hypotheses_unused"] == ["long"]


def test_hypotheses_that_nothing_meets_make_a_claim_vacuous():
    def derive(m):
        m.assume(Inequality(x, ">", y), by="a")
        m.assume(Inequality(y, ">", x), by="b")

    record = verdict(
        statement=Inequality(x, ">", 2 * y), derive=derive, simulate=None, check="inequality",
        hypotheses={"a": "", "b": ""},
    )  # fmt: skip
    assert record["verdict"] == "vacuous"


def test_the_same_seed_gives_the_same_record():
    first, second = verdict(), verdict()
    for record in (first, second):
        record.pop("seconds")
    assert first == second


@pytest.mark.parametrize(
    "arguments",
    [
        {"statement": RIGHT},
        {"statement": {}, "derive": derive_square},
        {"statement": RIGHT, "derive": derive_square, "waive": {"sign": " "}},
        {
            "statement": {"a": RIGHT, "b": Equation(vector("x", 2), vector("z", 2))},
            "derive": derive_square,
        },
        {
            "statement": RIGHT,
            "derive": derive_square,
            "hypotheses": {"h": ""},
            "corrected_hypotheses": {"h": ""},
        },
    ],
)
def test_a_claim_that_contradicts_itself_is_refused(arguments):
    with pytest.raises(ClaimError, match="toy/square"):
        Claim("toy/square", **arguments)


def test_a_survivor_needs_a_written_waiver_and_a_waiver_needs_a_survivor():
    # |x| <= 2 is not tight at x <= 1, so doubling the left side changes nothing
    def derive(m):
        m.assume(Inequality(x, "<=", as_expr(1)))

    def judged(waive):
        claim = Claim(
            "toy/square", Inequality(x, "<=", as_expr(2)), derive=derive, waive=waive
        )  # fmt: skip
        return judge(claim, entry("inequality"), Settings(profile="thorough"))

    loose = {"left x x2": "the bound is not tight", "left x sign": "x is positive"}
    record = judged({**loose, "right 2 x2": "never needed"})
    survivors = {s["mutant"]: s["reason"] for s in record["mutants"]["derivation"]["survivors"]}
    assert survivors["left x x2"] == "the bound is not tight"
    assert any("right 2 x2" in item["text"] for item in record["evidence"])
    unwaived = judged({})["mutants"]["derivation"]
    assert {s["mutant"] for s in unwaived["survivors"] if s["reason"] is None} >= {"left x x2"}


@pytest.mark.parametrize(
    "silent",
    [lambda s: s.reject("never admissible"), lambda s: s.observe({x: 1, y: 1})],
    ids=["every instance rejected", "the symbols never observed"],
)
def test_a_simulation_that_has_nothing_to_say_is_no_agreement(silent):
    assert verdict(simulate=silent)["verdict"] == "undecided"


def test_a_part_that_both_find_false_does_not_hide_a_contradiction_on_another():
    def derive(m):
        derive_square(m)
        m.assume(Inequality(x, ">", y))

    def simulate(s, larger_first):
        a, b = s.draw(NUMBERS, "x"), s.draw(NUMBERS, "y")
        a, b = (a + b, b) if larger_first else (b, a + b)
        s.observe({x: a, y: b, side: a + b, area: (a + b) * (a + b)})

    parts = {"false for both": WRONG, "true as derived": Inequality(x, ">", y)}
    for larger_first, expected in ((True, "refuted"), (False, "conflict")):
        run = functools.partial(simulate, larger_first=larger_first)
        assert verdict(statement=parts, derive=derive, simulate=run)["verdict"] == expected
