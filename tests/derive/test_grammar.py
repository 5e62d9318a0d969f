"""The grammar of formulas: what it reads, what it refuses, and where it points."""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from eostheory import derive
from eostheory.derive.grammar import FUNCTIONS, parse_name, parse_relation

x, y = sympy.symbols("x y", real=True)


@pytest.mark.parametrize(
    "text, value",
    [
        ("x + 2*y", x + 2 * y),
        ("-x^2", -(x**2)),
        ("2^3^2", 512),
        ("2^-1", sympy.Rational(1, 2)),
        ("x**2/y - 1", x**2 / y - 1),
        ("0.1*x", x / 10),
        (".5", sympy.Rational(1, 2)),
        ("1 - 2 - 3", -4),
        ("8/4/2", 1),
        ("sqrt(x^2 + 1)", sympy.sqrt(x**2 + 1)),
        ("|x - y|", sympy.Abs(x - y)),
        ("exp(-x)*log(2)", sympy.exp(-x) * sympy.log(2)),
        ("x^(1/3)", sympy.cbrt(x)),
        ("+x--y", x + y),
        ("sinh(x)", (sympy.exp(x) - sympy.exp(-x)) / 2),
        ("2*pi", 2 * sympy.pi),
        ("sigmoid(0)", sympy.Rational(1, 2)),
        ("θ_1*θ_1", sympy.Symbol("θ_1", real=True) ** 2),
    ],
)
def test_formulas(text, value):
    assert sympy.simplify(derive.parse(text) - value) == 0


def test_positive_names():
    assert derive.parse("sqrt(a^2)", ("a",)) == sympy.Symbol("a", positive=True)
    assert derive.parse("sqrt(a^2)") == sympy.Abs(sympy.Symbol("a", real=True))


@pytest.mark.parametrize(
    "text, reason, place",
    [
        ("", "expected", 0),
        ("x +", "expected", 3),
        ("2x", "multiplication", 1),
        ("(x + 1", "to close column 1", 6),
        ("x)", "unexpected", 1),
        ("foo(x)", "unknown function foo", 0),
        ("sin", "is a function", 0),
        ("sin(x, y)", "takes 1", 0),
        ("x $ y", "unexpected character", 2),
        ("1.2.3", "no number", 0),
        ("x^100", "beyond 64", 2),
        ("x^(1/100)", "beyond 64", 2),
        ("x^pi", "exponent", 2),
        ("1/0", "division by zero", 2),
        ("0^-1", "not defined", 0),
        ("sqrt(-1)", "no real", 0),
        ("log(0)", "no real", 0),
        ("x.__class__", "unexpected", 1),
        ("'x'", "unexpected character", 0),
        ("x; y", "unexpected character", 1),
        ("x = y", "unexpected", 2),
        ("9" * 50, "digits", 0),
        ("(" * 100 + "x" + ")" * 100, "nested", None),
        ("x+" * 3000 + "x", "characters", 0),
        ("((9^64)^64)^64", "too large", None),
        ("((9*x)^64)^64", "too large", None),
    ],
)
def test_mistakes_are_located(text, reason, place):
    with pytest.raises(derive.FormulaError, match=reason) as caught:
        derive.parse(text)
    if place is not None:
        assert caught.value.place == place
    assert str(caught.value).endswith("^")


def test_relations_and_names():
    assert parse_relation("x + 1 >= 2*y") == sympy.GreaterThan(x + 1, 2 * y, evaluate=False)
    with pytest.raises(derive.FormulaError, match="one of"):
        parse_relation("x + 1")
    assert parse_name(" eta_2 ") == "eta_2"
    for bad in ("2x", "x y", "", "sin", "pi"):
        with pytest.raises(derive.FormulaError):
            parse_name(bad)


ATOMS = st.one_of(st.integers(0, 99).map(str), st.sampled_from(["x", "y"]), st.just("0.25"))
TREES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({''.join(t)})"),
        inner.map(lambda t: f"-{t}"),
        st.tuples(inner, st.integers(1, 3)).map(lambda t: f"({t[0]})^{t[1]}"),
    ),
    max_leaves=8,
)


def python_value(text, table):
    return eval(text.replace("^", "**").replace("0.25", "Fraction(1, 4)"), table)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_valid_formulas_mean_what_python_says(text):
    from fractions import Fraction

    value = derive.parse(text)
    number = value.subs({x: sympy.Rational(2, 3), y: sympy.Rational(-3, 5)})
    expected = python_value(text, {"Fraction": Fraction, "x": Fraction(2, 3), "y": Fraction(-3, 5)})
    expected = Fraction(expected)
    assert number == sympy.Rational(expected.numerator, expected.denominator)


@settings(max_examples=400, deadline=None)
@given(st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from([*"+-*/^()|,.=<> xy12", "**", "sqrt(", "log(", "exp("]),
             max_size=25).map("".join),
))  # fmt: skip
def test_any_text_is_a_formula_or_a_located_error(text):
    value = read(text)
    if isinstance(value, derive.FormulaError):
        assert 0 <= value.place <= len(text)
    else:
        assert isinstance(value, sympy.Expr)
        assert not value.has(sympy.I, sympy.nan, sympy.zoo)


def read(text):
    try:
        return derive.parse(text)
    except derive.FormulaError as error:
        return error


def test_every_function_reads():
    for name in FUNCTIONS:
        assert derive.parse(f"{name}(x)").has(x)
