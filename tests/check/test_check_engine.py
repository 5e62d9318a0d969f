"""The engine of ``check_loss``: selection, needs, outcomes of every kind, and the report."""

import functools
import json
import os
import re
import subprocess
import sys
import warnings
from operator import methodcaller
from pathlib import Path

import hypothesis.strategies as st
import jsonschema
import pytest
import sympy
import torch
from torch import Tensor, nn

import eostheory.check
from eostheory.check import (
    Examination,
    InputError,
    Interrupted,
    UnknownCheck,
    check_loss,
    replay,
)
from eostheory.check.finding import Status, Undecided, Violated, passed, unknown
from eostheory.check.inputs import remake
from eostheory.check.plots import draw
from eostheory.check.recorded import ReplayError
from eostheory.check.registry import Check
from eostheory.check.text import render
from eostheory.numeric.events import BecameNaN
from eostheory.suite.errors import NothingSelected

SCHEMA = json.loads(
    (Path(eostheory.check.__file__).parent / "schema" / "loss-report-1.json").read_text("utf-8")
)


def bowl(w: Tensor) -> Tensor:
    return (w**2).sum() / 2


@pytest.fixture
def checks(monkeypatch):
    """A registry of our own, to which a test adds checks."""
    known: dict[str, Check] = {}

    def add(name, body, *needs, group="evaluation"):
        known[name] = Check(name, group, f"{name} holds.", needs, (), body)

    monkeypatch.setattr("eostheory.check.catalogue.all_checks", lambda: dict(known))
    monkeypatch.setattr(
        "eostheory.check.applicability.applicability", lambda ctx, outcomes=None: {}
    )
    add.known = known
    return add


def small(ctx):
    """Fails where the first coordinate exceeds 1.05."""

    def body(w):
        if float(w[0]) > 1.05:
            raise Violated(
                f"w[0] is {float(w[0]):g}", measured=float(w[0]), expected=1.05, coordinate=0
            )
        return float(w[0])

    return ctx.property(body, name="small", w=ctx.points())


def fine(ctx):
    return ctx.property(lambda w: None, name="fine", w=ctx.points())


def test_a_property_that_holds_passes_with_the_number_of_inputs(checks):
    checks("fine", fine)
    found = check_loss(bowl, size=2)["fine"]
    assert found.status is Status.PASS
    assert 40 <= found.examples <= 60
    assert found.message == f"holds on {found.examples} inputs"


def test_a_violation_is_shrunk_to_few_digits(checks):
    checks("small", small)
    report = check_loss(bowl, size=2)
    found = report["small"]
    assert found.status is Status.FAIL
    assert not report.ok
    assert report.exit_code == 1
    w = found.counterexample.inputs["w"]
    assert w.tensor.tolist() == [2.0, 0.0]
    assert w.code == "torch.tensor([2, 0], dtype=torch.float64)"
    assert found.measured == 2.0
    assert found.counterexample.details == {"coordinate": 0}


def test_the_same_seed_finds_the_same(checks):
    checks("small", small)
    texts = [check_loss(bowl, size=5, seed=3).as_dict()["findings"] for _ in range(2)]
    for found in texts:
        found[0].pop("seconds")
    assert texts[0] == texts[1]


def test_a_loss_of_many_parameters_shrinks_towards_the_start_in_few_calls(checks):
    calls = []

    def far(ctx):
        def body(w):
            calls.append(1)
            if float(torch.linalg.vector_norm(w - ctx.subject.start)) > 0.3:
                raise Violated("far away")

        return ctx.property(body, name="far", w=ctx.points())

    checks("far", far)
    found = check_loss(bowl, start=torch.ones(3000, dtype=torch.float64))["far"]
    code = found.counterexample.inputs["w"].code
    assert code.startswith("start + ")
    assert "strategies.direction(3000, seed=0)" in code
    assert len(calls) < 45


def test_a_loss_of_chance_does_not_confuse_the_search(checks):
    def chance(ctx):
        def body(w):
            if float(torch.rand(())) < 0.2:
                raise Violated("sometimes")

        return ctx.property(body, name="chance", w=ctx.points())

    checks("chance", chance)
    assert check_loss(bowl, size=2)["chance"].status is Status.FAIL


def test_inputs_that_do_not_tell_are_counted_apart(checks):
    def half(ctx):
        def body(w):
            if float(w[0]) > 0:
                raise Undecided("to the right")
            if float(w[1]) > 0:
                raise BecameNaN(3, "the loss")

        return ctx.property(body, name="half", w=ctx.points())

    def never(ctx):
        def body(w):
            raise Undecided("it is dark")

        return ctx.property(body, name="never", w=ctx.points())

    checks("half", half)
    checks("never", never)
    report = check_loss(bowl, size=2)
    assert report["half"].status is Status.PASS
    assert "did not tell (" in report["half"].message
    assert report["never"].status is Status.UNKNOWN
    assert "it is dark" in report["never"].message
    assert report.exit_code == 0
    assert report.exit_code_for(strict=True) == 3


def test_a_point_without_a_finite_loss_does_not_violate_a_property(checks):
    def corner(w):
        return torch.where(w[0] > 1, w[0] / 0.0, bowl(w))

    checks("small", small, group="structure")
    assert check_loss(corner, size=2)["small"].status is Status.PASS


def test_what_needs_a_failure_is_not_applicable_and_not_run(checks):
    def never(ctx):
        raise AssertionError("was run")

    checks("small", small)
    checks("above", never, "small")
    checks("top", never, "above", group="structure")
    report = check_loss(bowl, size=2)
    assert report["above"].message == "needs small, which failed"
    assert report["top"].message == "needs above, which is not applicable"
    assert [f.check for f in report.failures] == ["small"]


def test_needs_of_selected_checks_are_run_and_not_reported(checks):
    checks("small", small)
    checks("fine", fine)
    checks("above", fine, "fine")
    report = check_loss(bowl, size=2, checks="above")
    assert [f.check for f in report.findings] == ["above"]
    assert [f.check for f in report.also_run] == ["fine"]
    assert report.ok


def test_names_groups_and_globs_select(checks):
    for name in ("one-a", "one-b", "two"):
        checks(name, fine, group="structure" if name == "two" else "evaluation")

    def names(**given):
        return Examination(bowl, size=2, **given).names

    assert names() == ["one-a", "one-b", "two"]
    assert names(checks=["structure", "one-b"]) == ["one-b", "two"]
    assert names(checks="one-*") == ["one-a", "one-b"]
    assert names(exclude=["one-*"]) == ["two"]
    with pytest.raises(UnknownCheck, match="no check or group 'one-c'; nearest: one-"):
        names(checks="one-c")
    with pytest.raises(UnknownCheck, match=r"exclude: no check or group 'structur'; .*structure"):
        names(exclude="structur")
    with pytest.raises(NothingSelected, match="no check is left"):
        names(checks="two", exclude="structure")
    with pytest.raises(TypeError, match="checks has 3"):
        names(checks=[3])


def test_expected_failures_turn_the_verdict_around(checks):
    checks("small", small)
    checks("fine", fine)
    report = check_loss(bowl, size=2, expected_failures={"small": "the box is larger"})
    assert report.ok
    assert "expected to fail: the box is larger" in str(report)
    report = check_loss(bowl, size=2, exclude="small", expected_failures={"fine": "I thought so"})
    assert report["fine"].unexpected
    assert report.exit_code == 1
    with pytest.raises(UnknownCheck, match="no check 'smal'; nearest: small"):
        check_loss(bowl, size=2, expected_failures={"smal": "x"})
    with pytest.raises(ValueError, match="give the reason"):
        check_loss(bowl, size=2, expected_failures={"small": " "})
    with pytest.raises(TypeError, match="a mapping of names"):
        check_loss(bowl, size=2, expected_failures=["small"])


def test_a_check_that_breaks_down_is_unknown_and_an_error_of_ours(checks):
    # functions of the engine's own that cannot be called so
    checks("broken", functools.partial(remake, {}))
    checks("inside", methodcaller("property", remake, name="inside", w=st.integers()))
    checks("fine", fine)
    report = check_loss(bowl, size=2)
    for name in ("broken", "inside"):
        assert report[name].status is Status.UNKNOWN
        assert "internal error" in report[name].message
        assert "Error" in report[name].error
    assert report["fine"].status is Status.PASS
    assert report.exit_code == 4
    assert "internal error in broken" in str(report)


def test_a_loss_that_raises_is_no_error_of_ours(checks):
    def picky(w):
        if float(w[0]) > 0.5:
            raise RuntimeError("not there")
        return bowl(w)

    checks("value", lambda ctx: ctx.property(
        lambda w: float(ctx.loss(w)), name="value", w=ctx.points()))  # fmt: skip
    checks("once", lambda ctx: unknown(str(ctx.loss(ctx.subject.start + 9))))
    report = check_loss(picky, start=[0.0, 0.0])
    assert report["value"].status is Status.PASS
    assert "RuntimeError: not there" in report["value"].message
    assert report["once"].status is Status.UNKNOWN
    assert report.exit_code == 0


def test_an_interrupt_keeps_what_was_found(checks):
    def stop(ctx):
        raise KeyboardInterrupt

    checks("fine", fine)
    checks("stop", stop)
    with pytest.raises(Interrupted) as caught:
        check_loss(bowl, size=2)
    report = caught.value.report
    assert [f.check for f in report.findings] == ["fine"]
    assert report.interrupted
    assert report.exit_code == 130
    assert "interrupted" in str(report)


def test_points_of_many_digits_are_rounded_in_the_text_and_whole_in_the_lines(checks):
    from eostheory.check.finding import Counterexample, failed
    from eostheory.check.inputs import recipe

    def odd(ctx):
        long = recipe(torch.full((40,), 1 / 3, dtype=torch.float64), ctx.subject)
        few = recipe(torch.tensor([1 / 3, 2.0], dtype=torch.float64), ctx.subject)
        return failed("odd", counterexample=Counterexample({"w": few, "t": long}))

    checks("odd", odd)
    report = check_loss(bowl, size=2)
    assert "w  [0.333333, 2], rounded" in str(report)
    assert "t  40 numbers: 0.333333, 0.333333" in str(report)
    data = report.as_dict()["findings"][0]["replay"]["inputs"]
    assert data["w"]["values"] == [1 / 3, 2.0]
    assert len(data["t"]["values"]) == 40


def test_progress_is_told_before_and_after_each_check(checks):
    checks("fine", fine)
    checks("small", small)
    told = []
    check_loss(bowl, size=2, progress=lambda *event: told.append(event))
    assert [(d, t, n, f and str(f.status)) for d, t, n, f in told] == [
        (0, 2, "fine", None),
        (1, 2, "fine", "pass"),
        (1, 2, "small", None),
        (2, 2, "small", "fail"),
    ]


def test_chance_of_the_user_is_left_as_it_was(checks):
    checks("fine", fine)
    torch.manual_seed(5)
    expected = float(torch.rand(()))
    torch.manual_seed(5)
    check_loss(lambda w: bowl(w) * torch.rand(()), size=2)
    assert float(torch.rand(())) == expected


def test_the_report_in_json_follows_its_schema_and_hides_no_infinity(checks):
    def odd(ctx):
        series = {"step": [0.0, 1.0, 2.0], "loss": [1.0, float("inf"), float("nan")]}
        return passed("<b>&", measured=float("-inf"), tolerance=float("nan"), series=series)

    checks("odd", odd, group="prediction")
    checks("small", small)
    report = check_loss(bowl, size=2, name="<bowl>")
    data = json.loads(report.to_json())
    jsonschema.validate(data, SCHEMA)
    found = {f["check"]: f for f in data["findings"]}
    assert found["odd"]["measured"] == "-inf"
    assert found["odd"]["tolerance"] == "nan"
    assert found["odd"]["series"]["loss"] == [1.0, "inf", "nan"]
    assert found["small"]["replay"]["check"] == "small"


def test_the_fragment_of_html_is_escaped_and_draws_the_curves(checks, tmp_path):
    steps = [float(k) for k in range(50)]
    series = {"step": steps, "loss": [2.0**-k for k in steps], "a & b": steps}
    checks("odd", lambda ctx: passed("1 < 2 & 3", series=series), group="prediction")
    checks("small", small)
    report = check_loss(bowl, size=2, name="<bowl>")
    page = report.html()
    assert page.startswith('<section class="loss-report"')
    assert "<bowl>" not in page
    assert "1 &lt; 2 &amp; 3" in page
    assert page.count("<svg") == 1
    assert "a &amp; b" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    place = report.plot("odd").save(tmp_path / "odd.svg")
    assert place.read_text("utf-8").startswith("<svg")
    with pytest.raises(ValueError, match="recorded no curves"):
        report.plot("small")
    with pytest.raises(KeyError, match="nearest: small"):
        report.plot("smal")


def test_runs_over_the_same_abscissa_are_curves_of_their_own():
    points = [(3.0, 1.0), (2.0, 2.0), (1.0, 3.0), (3.0, 2.0), (2.0, 4.0), (1.0, 6.0)]
    drawn = draw([("order", points)], "eta", "two runs")
    assert len(re.findall(r'<path d="M[^"V]*L[^"V]*" fill="none"', drawn)) == 2


def test_the_printed_report_names_every_check_and_shows_the_case(checks):
    checks("small", small)
    checks("fine", fine)
    text = str(check_loss(bowl, size=2))
    assert "✗ small" in text
    assert "✓ fine" in text
    assert "w           torch.tensor([2, 0], dtype=torch.float64)" in text
    assert max(map(len, text.splitlines())) <= 110


def test_in_short_nothing_is_said_twice_and_in_full_every_check_has_its_line(checks):
    checks("small", small)
    for name in ("one", "two"):
        checks(name, fine)
        checks(f"{name}-after", fine, "small")
    report = check_loss(bowl, size=2)
    short, full = str(report), report.text(full=True)
    assert "✓ one, two: hold on 60 inputs" in short
    assert "· one-after, two-after: need small, which failed" in short
    assert "✗ small  see below" in short
    assert short.count("w[0] is 2") == 1
    for name in ("one", "two"):
        assert f"✓ {name} " in full
        assert f"· {name}-after " in full


def entry(verdict, hypothesis=None, message="", code=None, claim=None):
    point = None if code is None else {"code": code, "data": {}}
    return {
        "verdict": verdict,
        "hypothesis": hypothesis,
        "message": message,
        "point": point,
        "verdict_of_claim": claim,
    }


def test_theorems_are_told_by_paper_and_what_stands_in_their_way_once(checks):
    checks("small", small)
    document = check_loss(bowl, size=2).as_dict()
    told = document["findings"][0]["message"]
    document["applicability"] = {
        "damian23/lemma-2": entry("applies"),
        "damian23/thm-1": entry("applies"),
        "damian23/lemma-4": entry("applies", claim="refuted"),
        "lyu22/thm-4.2": entry("fails", "scale-invariant", "L(2 w) is off", "w = 1"),
        "li22/thm-3": entry("fails", "linear with BN", "L(2 w) is off", "w = 1"),
        "lyu22/lemma-1": entry("fails", "not small", f"small failed: {told}", "w = 2"),
        "lyu22/thm-C.2": entry("unknown", "data", "how they were drawn"),
    }
    text = render(document)
    assert " theorems: 3 apply, 3 do not apply, 1 undecided" in text
    assert "  damian23: 3 apply\n   ✓ thm-1, lemma-2\n" in text
    assert "   ✓ only as corrected; false as printed, see ERRATA.md: lemma-4" in text
    assert "   ✗ scale-invariant, linear with BN: L(2 w) is off\n       at w = 1\n" in text
    assert "       for lyu22 thm-4.2; li22 thm-3\n" in text
    assert "   ✗ not small: small failed, see above\n       for lyu22 lemma-1\n" in text
    assert "   ? data: how they were drawn\n" in text
    for paper in ("damian23", "lyu22", "li22"):
        assert f"\n  {paper}\n" in render(document, full=True)


def test_a_loss_that_warns_is_heard_once(checks):
    def warns(w):
        warnings.warn("beware", UserWarning, stacklevel=2)
        return (w**2).sum()

    checks("fine", lambda ctx: ctx.property(ctx.loss, name="fine", w=ctx.points()))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        check_loss(warns, size=2)
    assert [str(w.message) for w in heard] == ["beware"]


# From here on with the real checks.


class Wrong(torch.autograd.Function):
    """The sum of cubes, with one coordinate of the gradient one per cent too large."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x**3).sum()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        factor = torch.ones_like(x)
        factor[1] = 1.01
        return grad * 3 * x**2 * factor


def wrong(w: Tensor) -> Tensor:
    return Wrong.apply(w)


def test_lines_that_reproduce_a_function_run_and_show_the_error(capsys):
    report = check_loss(wrong, size=3, profile="quick", checks="gradient")
    lines = report["gradient"].counterexample.python
    # a target is known only to who imported this file by a name
    head = "loss = ...  # wrong, the function that was checked"
    assert head in lines or "import wrong as loss" in lines
    kept = [
        s for s in lines.splitlines() if not s.startswith(("loss =", "from tests", "from test"))
    ]
    run_lines("\n".join(kept), {"loss": wrong})
    shown, _, differences = capsys.readouterr().out.partition(", ")
    assert "1.01" not in differences
    assert shown != differences


def test_a_loss_of_a_file_of_this_folder_is_not_imported_as_a_package(tmp_path, monkeypatch):
    from eostheory.check.targets import load

    (tmp_path / "mine.py").write_text("def loss(w):\n    return w\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    arguments = load("mine.py:loss").arguments
    report = check_loss(**arguments, size=2, target="mine.py:loss", checks="evaluates")
    case = report["evaluates"].counterexample
    assert case is not None
    assert "from mine.py" not in case.python
    assert "loss = load('mine.py:loss')" in case.python


def test_lines_that_reproduce_a_formula_stand_alone(capsys):
    x, y = sympy.symbols("x y", positive=True)
    formula = sympy.log(x) ** 2 + sympy.sqrt(y) * x
    report = check_loss(formula, scale_invariant=True, profile="quick", checks="scale-invariant")
    lines = report["scale-invariant"].counterexample.python
    run_lines(lines, {})
    assert "tensor(" in capsys.readouterr().out


def run_lines(lines, names):
    """Run printed lines, as a reader would who pastes them."""
    exec(compile(lines, "<printed>", "exec"), names)


def test_a_case_is_judged_again_on_the_recorded_inputs(tmp_path):
    report = check_loss(wrong, size=3, profile="quick", checks="gradient")
    case = report.as_dict()["findings"][0]["replay"]
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case), encoding="utf-8")
    again = replay(path, wrong)
    assert again.status is Status.FAIL
    assert again.message == report["gradient"].message
    assert replay(case, lambda w: (w**3).sum()).status is Status.PASS


def test_a_case_of_a_formula_needs_nothing_else():
    x, y = sympy.symbols("x y", positive=True)
    formula = sympy.log(x) ** 2 + sympy.sqrt(y) * x
    report = check_loss(formula, scale_invariant=True, profile="quick", checks="scale-invariant")
    data = json.loads(report.to_json())
    jsonschema.validate(data, SCHEMA)
    again = replay(data["findings"][0])
    assert again.status is Status.FAIL
    assert again.message == report["scale-invariant"].message


def test_broken_cases_are_told(tmp_path):
    report = check_loss(lambda w: wrong(w), size=3, profile="quick", checks="gradient")
    case = report.as_dict()["findings"][0]["replay"]
    with pytest.raises(ReplayError, match="pass it"):
        replay({**case, "target": None})
    with pytest.raises(ReplayError, match="schema"):
        replay({**case, "schema": "other"}, wrong)
    with pytest.raises(ReplayError, match="lacks inputs"):
        replay({k: v for k, v in case.items() if k != "inputs"}, wrong)
    with pytest.raises(ReplayError, match="cannot be read"):
        replay(tmp_path / "none.json", wrong)
    (tmp_path / "no.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReplayError, match="no JSON"):
        replay(tmp_path / "no.json", wrong)
    with pytest.raises(ReplayError, match="input w of the case has 1 numbers"):
        replay({**case, "inputs": {"w": {"kind": "coordinates", "values": [1.0]}}}, wrong)


X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
Y = torch.randn(8, 1, generator=torch.Generator().manual_seed(1))


def test_a_module_with_dropout_is_a_finding_that_says_what_to_do():
    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(), nn.Linear(2, 1))
    report = check_loss(
        network, (X, Y), criterion=nn.MSELoss(), profile="quick", checks=["evaluation", "gradient"]
    )
    assert [f.check for f in report.failures] == ["deterministic"]
    assert "module.eval()" in report["deterministic"].message


def test_a_module_whose_data_do_not_fit_is_a_finding():
    report = check_loss(
        nn.Linear(4, 1), (X, Y), criterion=nn.MSELoss(), profile="quick", checks="evaluation"
    )
    assert [f.check for f in report.failures] == ["evaluates"]
    assert "shapes cannot be multiplied" in report["evaluates"].message


def test_a_loss_that_always_raises_is_a_finding():
    def impossible(w):
        raise RuntimeError("no way")

    report = check_loss(impossible, size=2, profile="quick", checks=["evaluation", "derivatives"])
    assert [f.check for f in report.failures] == ["evaluates"]
    assert "no way" in report["evaluates"].message
    assert report.exit_code == 1
    jsonschema.validate(report.as_dict(), SCHEMA)


def test_a_loss_beyond_the_range_of_its_numbers_is_no_error_of_ours(capfd):
    """Nor do the linear algebra libraries complain on standard output."""

    def steep(w):
        return torch.exp(400 * w).sum()

    report = check_loss(steep, size=2, profile="quick", checks=["finite", "simple-top-eigenvalue"])
    assert report["simple-top-eigenvalue"].status is Status.UNKNOWN
    assert "multiply the loss by a constant" in report["simple-top-eigenvalue"].message
    assert report.exit_code == 1  # it overflows in a corner
    check_loss(lambda w: (w @ w) * float("nan"), size=2, profile="quick")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (lambda w: torch.ones(2) @ w, "given a float64 tensor of shape (2,) on the CPU"),
        (lambda w: None, "returns None: is a return missing"),
        (lambda w: float(w.detach() @ w.detach()), "not a tensor"),
        (lambda w: (w @ w)[None], ".squeeze()"),
    ],
)
def test_first_mistakes_are_told_with_their_remedy(loss, told):
    report = check_loss(loss, size=2, profile="quick", checks="evaluates")
    assert told in report["evaluates"].message


def test_every_need_of_every_check_exists_and_comes_before_it():
    from eostheory.check.catalogue import all_checks

    known = list(all_checks().values())
    names = [check.name for check in known]
    groups = ["evaluation", "derivatives", "smoothness", "structure", "prediction"]
    for place, check in enumerate(known):
        assert set(check.needs) <= set(names[:place]), check.name
        assert check.group in groups
        assert check.summary


def test_every_claim_that_a_check_names_is_listed():
    from eostheory.check.catalogue import all_checks
    from eostheory.suite import load_library

    listed = load_library().entries
    for check in all_checks().values():
        assert set(check.claims) <= set(listed), check.name


def test_points_and_domains_that_do_not_work_end_the_examination():
    with pytest.raises(InputError, match=r"points= drew a tensor of shape \(2,\), expected \(3,\)"):
        check_loss(bowl, size=3, points=[torch.zeros(2)], checks="evaluates")
    with pytest.raises(InputError, match="points= drew str"):
        check_loss(bowl, size=3, points=st.just("here"), checks="evaluates")

    def picky(w):
        if float(w[0]) > 1:
            raise IndexError("too far")
        return True

    with pytest.raises(InputError, match="domain= raises IndexError at torch"):
        check_loss(bowl, start=[0.0, 0.0], domain=picky, checks="evaluates")


LOSSES = """
import torch

def cubes(w):
    return Wrong.apply(w)

def network():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
    x = torch.ones(4, 2)
    return {"loss": module, "data": (x, x), "criterion": torch.nn.MSELoss()}

class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x**3).sum()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 3.03 * x**2
"""


@pytest.mark.parametrize("name", ["cubes", "network"])
def test_a_case_with_a_target_is_judged_again_from_nothing(tmp_path, name, capsys):
    from eostheory.check.targets import load

    path = tmp_path / "losses_of_mine.py"
    path.write_text(LOSSES, encoding="utf-8")
    target = f"{path}:{name}"
    arguments = dict(load(target).arguments)
    if name == "cubes":
        arguments["size"] = 3
    report = check_loss(
        **arguments, target=target, profile="quick", checks=["evaluation", "gradient"]
    )
    (found,) = report.failures
    case = json.loads(report.to_json())["findings"]
    (case,) = [f["replay"] for f in case if f["status"] == "fail"]
    assert replay(case).status is Status.FAIL
    run_lines(found.counterexample.python, {})
    assert "tensor(" in capsys.readouterr().out


ALONE = """
import sys, torch
from eostheory.check import Examination

def wall(w):
    return (w**2).sum() + torch.where(w.sum() > 1.3, torch.inf, 0.0)

if len(sys.argv) > 1:
    import other
print(Examination(wall, size=4).finding("finite").counterexample.inputs)
"""


@pytest.mark.slow
def test_draws_do_not_depend_on_what_else_is_imported_and_leave_nothing_behind(tmp_path):
    (tmp_path / "alone.py").write_text(ALONE, encoding="utf-8")
    (tmp_path / "other.py").write_text("x = [1.7, 12, 345, -0.25, 0.75]\n", encoding="utf-8")
    root = Path(eostheory.check.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    said = [
        subprocess.run(
            [sys.executable, "-W", "error", "alone.py", *more],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for more in ([], ["other"])
    ]
    assert said[0] == said[1]
    assert "torch" in said[0]
    assert not (tmp_path / ".hypothesis").exists()
