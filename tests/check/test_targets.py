"""From the name of a loss to the arguments of check_loss; what can be wrong with it is said."""

import sys

import pytest

from eostheory.check.targets import TargetError, arguments_of, load, name_of, place_of


@pytest.fixture(autouse=True)
def own_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


LOSSES = """
import functools
import sympy

x, y = sympy.symbols("x y")
expression = x**2 + y**2

def loss(w):
    return (w**2).sum()

def scaled(scale, w):
    return scale * (w**2).sum()

double = functools.partial(scaled, 2.0)
by_default = lambda w, scale=3.0: scale * (w**2).sum()
declared = {"loss": loss, "size": 3}
number = 3.0

def factory():
    return {"loss": loss, "start": [1.0, 2.0]}

def factory_of_factories():
    return factory

def broken():
    raise RuntimeError("the data set is missing")

class Kept:
    @staticmethod
    def inner(w):
        return w.sum()
"""


@pytest.mark.parametrize("place", ["losses.py", "./losses.py", "losses"])
@pytest.mark.parametrize(
    "name, keys",
    [
        ("loss", {"loss"}),
        ("double", {"loss"}),
        ("by_default", {"loss"}),
        ("expression", {"loss"}),
        ("declared", {"loss", "size"}),
        ("factory", {"loss", "start"}),
        ("Kept.inner", {"loss"}),
    ],
)
def test_a_name_may_stand_for_a_loss_an_expression_a_mapping_or_a_factory(
    tmp_path, place, name, keys
):
    write(tmp_path / "losses.py", LOSSES)
    target = load(f"{place}:{name}")
    assert target.text == f"{place}:{name}"
    assert set(target.arguments) == keys


def test_a_module_of_a_package_in_the_current_folder_is_found(tmp_path):
    write(tmp_path / "mine" / "__init__.py", "")
    write(tmp_path / "mine" / "deep.py", "from mine import deeper\nloss = deeper.loss\n")
    write(tmp_path / "mine" / "deeper.py", "def loss(w):\n    return w.sum()\n")
    assert load("mine.deep:loss").arguments["loss"].__name__ == "loss"


def test_a_file_sees_its_neighbours_and_two_files_of_one_name_are_two(tmp_path):
    for folder, value in (("a", 1), ("b", 2)):
        write(tmp_path / folder / "one.py", f"def loss(w):\n    return {value}\n")
    write(tmp_path / "a" / "neighbour.py", "VALUE = 7\n")
    write(tmp_path / "a" / "two.py", "import neighbour\ndef loss(w):\n    return neighbour.VALUE\n")
    assert load(str(tmp_path / "a" / "one.py") + ":loss").arguments["loss"](None) == 1
    assert load("b/one.py:loss").arguments["loss"](None) == 2
    assert load("a/two.py:loss").arguments["loss"](None) == 7
    assert load("b/one.py:loss").arguments["loss"] is load("./b/one.py:loss").arguments["loss"]
    # a loss that was found this way can be found again
    assert place_of(load("a/two.py:loss").arguments["loss"].__module__) == "a/two.py"
    assert place_of("math") is None


@pytest.mark.parametrize(
    "text, words",
    [
        ("losses", "'losses' is no target; expected package.module:function or path.py:function"),
        (":loss", "is no target"),
        ("losses:", "is no target"),
        ("nowhere:loss", "no module 'nowhere' in"),
        ("losses.deep:loss", "no module 'losses.deep' in"),
        ("nowhere.py:loss", "nowhere.py: no such file"),
        ("folder/:loss", "folder/: is a folder"),
        ("losses:los", "losses has no 'los'; nearest: loss"),
        ("losses.py:zzz", "losses.py has no 'zzz'; it defines loss, scaled"),
        ("losses:Kept.outer", "Kept in losses has no 'outer'"),
        ("losses:number", "losses:number is a float, no loss"),
        ("losses:sympy", "losses:sympy is the module sympy, no loss"),
        ("losses:scaled", "losses:scaled needs 2 arguments (scale, w); a loss takes one"),
        ("losses:factory_of_factories", "returns a function that takes no argument; no loss"),
        ("losses:broken", "losses:broken() fails: RuntimeError: the data set is missing"),
        ("missing:loss", "missing cannot be imported: ModuleNotFoundError: No module named 'thi"),
        ("typo.py:loss", "typo.py cannot be imported: SyntaxError: "),
        ("raises:loss", "raises cannot be imported: ValueError: no data ("),
        ("leaves.py:loss", "leaves.py cannot be imported: SystemExit: 3"),
    ],
)
def test_a_wrong_target_is_named_with_what_is_wrong(tmp_path, text, words):
    write(tmp_path / "losses.py", LOSSES)
    write(tmp_path / "folder" / "x.py", "")
    write(tmp_path / "missing.py", "import this_is_not_installed\n")
    write(tmp_path / "typo.py", "def loss(w:\n    return 1\n")
    write(tmp_path / "raises.py", "\nraise ValueError('no data')\n")
    write(tmp_path / "leaves.py", "raise SystemExit(3)\n")
    with pytest.raises(TargetError) as caught:
        load(text)
    assert words in str(caught.value)


def test_the_line_of_the_users_file_is_told(tmp_path):
    path = write(tmp_path / "raises.py", "\n\nraise ValueError('no data')\n")
    with pytest.raises(TargetError, match=r"ValueError: no data \(.*raises\.py, line 3\)"):
        load(f"{path}:loss")
    # and a failed import is not remembered
    write(path, "def loss(w):\n    return 1\n")
    assert "loss" in load(f"{path}:loss").arguments


def test_what_is_no_loss_is_refused_with_the_remedy():
    import torch

    net = torch.nn.Linear(2, 1)
    with pytest.raises(TargetError, match=r'"criterion": torch\.nn\.MSELoss\(\)'):
        arguments_of(net, "net")
    with pytest.raises(TargetError, match=r"make\(\) is a module without data"):
        arguments_of(lambda: net, "make")
    with pytest.raises(TargetError, match="a tensor, no loss"):
        arguments_of(torch.zeros(2))
    with pytest.raises(TargetError, match=r"a mapping without 'loss' .it has 'size'"):
        arguments_of({"size": 2})
    with pytest.raises(TargetError, match=r"the key 'sise'.*nearest: size"):
        arguments_of({"loss": abs, "sise": 2})


def test_losses_are_called_by_their_names():
    def ring(w):
        return w

    assert name_of(ring) == "ring"
    assert name_of(lambda w: w) == "lambda"
    assert name_of({"loss": ring}) == "ring"
    assert name_of({"loss": ring, "name": "my ring"}) == "my ring"
    assert name_of({"size": 2}) in ("loss", "NoneType")
