"""Mathematics and plots of the companion: readable, and harmless whatever the input."""

import time
from xml.etree import ElementTree

import pytest

from eostheory.report.axes import fit
from eostheory.report.mathml import inline, math
from eostheory.report.plain import plain_math
from eostheory.report.plots import figure
from eostheory.suite import load_library

ODD = [
    r"\text{<script>alert(1)</script>}",
    r"\text{&lt;script&gt;}",
    r"\href{javascript:alert(1)}{x}",
    r"\unknown x",
    r"\frac{a",
    "x^{",
    r"\left( a",
    "a & b",
    r"\begin{aligned}a&=b\\c&=d\end{aligned}",
    r"\Big\{\tfrac12\Big\|x\Big\|_2\Big\}\tag{3}",
    "\x00",
    "\\",
    "",
]


@pytest.mark.parametrize("latex", ODD)
def test_odd_formulas_give_well_formed_and_harmless_markup(latex):
    markup = math(latex)
    tree = ElementTree.fromstring(f"<p>{markup}</p>".replace("\x00", ""))
    assert not {"script", "a"} & {node.tag for node in tree.iter()}
    assert not any(name.startswith(("on", "href")) for node in tree.iter() for name in node.attrib)


@pytest.mark.parametrize("latex", [r"\unknown x", r"\frac{a", "x^{", r"\left( a"])
def test_a_formula_that_cannot_be_converted_is_shown_as_its_source(latex):
    assert math(latex) == f'<code class="tex">{latex}</code>'


def test_a_formula_that_can_be_converted_is_mathematics():
    assert "<mfrac>" in math(r"\frac{1}{2}")
    assert "<mtable" in math(r"\begin{aligned}a&=b\\c&=d\end{aligned}")


def test_a_long_formula_may_break_before_its_relations_but_not_inside_groups():
    markup = math(r"\frac{a=b}{c} = (d = e) + f + g + h + i + j + k + l + m + n \le o + p + q + r")
    assert markup.count("<math>") == 3


def test_nearly_every_formula_of_the_papers_is_converted_and_quickly(samples):
    formulas = [claim["formula"] for claim in samples.full_report()["claims"]]
    assert len(formulas) == len(load_library().entries) > 1000
    start = time.process_time()
    shown = [math(formula) for formula in formulas]
    assert time.process_time() - start < 30
    assert sum("<code" in markup for markup in shown) <= 5


def test_long_words_in_a_formula_are_set_as_prose_and_subscripts_are_left_alone():
    markup = math(r"\text{the median over all draws <1>}: x_\text{a long subscript}, y")
    assert "the median over all draws &lt;1&gt;" in markup.replace("<span>", "")
    assert "<mtext>the median" not in markup
    assert "<code" not in markup


def test_prose_keeps_its_mathematics_and_escapes_the_rest():
    shown = inline("if $x^2$ < 3 & <b>")
    assert "<msup>" in shown
    assert shown.endswith(" &lt; 3 &amp; &lt;b&gt;")
    assert inline(r"m\ge 2c_1n^2/\lambda_r^2") == "m ≥ 2c₁n²/λ_r²"
    assert inline("h_t and C^2 as written") == "h_t and C^2 as written"


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\tfrac12\eta^2", "1/2η²"),
        (r"\lambda_1(\nabla^2\mathcal{L}(w))", "λ₁(∇²L(w))"),
        (r"\frac{a+b}{c}", "(a+b)/c"),
        (r"x \le y", "x ≤ y"),
        (r"\unknown{x}", r"\unknown{x}"),
    ],
)
def test_latex_reads_as_a_line_of_text(latex, text):
    assert plain_math(latex) == text


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize(
    "values",
    [[1.0], [0.0], [], [5.0, 5.0], [-3, 4], [1e-300, 1e300], [1e-9, 1.1e-9], [2, 2 + 1e-13]],
)
def test_axes_hold_any_values_and_have_readable_ticks(values, scale):
    axis = fit(values, 0, 300, scale)
    ticks = axis.ticks()
    assert len(ticks) <= 13
    for value in values:
        place = axis.place(value)
        assert place is None or 0 <= place <= 300
    for value, text in ticks:
        assert text
        assert -1 <= axis.place(value) <= 301


def test_points_that_cannot_be_drawn_interrupt_the_line_and_are_counted():
    nan = float("nan")
    drawn = figure(
        {"yscale": "log", "series": [{"label": "a", "x": [1, 2, 3, 4, 5], "y": [1, 2, nan, 4, -5]}]}
    )
    assert "2 points could not be drawn" in drawn
    ElementTree.fromstring(drawn)


def test_a_plot_without_data_says_so():
    assert "No data was recorded" in figure({"title": "t", "series": [{"x": [], "y": []}]})


def test_text_of_a_plot_is_escaped():
    drawn = figure(
        {"title": "<x>", "xlabel": "<y>", "series": [{"label": "<z>", "x": [1], "y": [1]}]}
    )
    ElementTree.fromstring(drawn)
    assert "<x>" not in drawn
    assert "<z>" not in drawn


def test_a_plot_of_very_many_points_stays_small():
    n = 200_000
    drawn = figure({"series": [{"x": list(range(n)), "y": [k % 7 for k in range(n)]}]})
    assert len(drawn) < 60_000
