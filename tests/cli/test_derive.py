"""``eostheory derive``: output, errors and exit codes."""

import json
import subprocess
import sys

import pytest
import torch

from eostheory.cli.app import run as command

TOY = "(2/eta + sqrt(beta)*y)*x^2/2 - alpha/sqrt(beta)*y - z"
TOY_OPTIONS = ["--params", "x,y,z", "--at", "x=0,y=0", "--eta", "eta", "-p", "eta,alpha,beta"]


def derive(*arguments):
    return command(["derive", *arguments])


def test_help_is_light_and_documents_the_grammar(capsys):
    assert derive("--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    for word in ("loss", "scheduler", "batchnorm", "linear-net", "flow", "sharpness-flow"):
        assert word in text
    assert "sqrt exp log" in text
    assert "Multiplication is written" in text
    code = (
        "import sys\nfrom eostheory.cli.app import run\nrun(['derive', 'loss', '--help'])\n"
        "assert not {'torch', 'sympy', 'eostheory.derive'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_loss_as_text_latex_json_and_torch(capsys):
    assert derive("loss", TOY, *TOY_OPTIONS) == 0
    text = capsys.readouterr().out
    assert "alpha              = alpha" in text
    assert "[holds] the point is at the edge" in text
    assert derive("loss", TOY, *TOY_OPTIONS, "--latex") == 0
    assert r"\nabla S &= " in capsys.readouterr().out
    assert derive("loss", TOY, *TOY_OPTIONS, "--json") == 0
    assert json.loads(capsys.readouterr().out)["values"]["sharpness"]["text"] == "2/eta"
    assert derive("loss", TOY, *TOY_OPTIONS, "--torch", "gradient") == 0
    scope = {}
    exec(capsys.readouterr().out, scope)
    numbers = [torch.tensor(v, dtype=torch.float64) for v in (0.0, 0.0, 0.0, 2.0, 4.0)]
    assert scope["gradient"](*numbers).tolist() == [0.0, -1.0, -1.0]


def test_the_dynamics_come_with_it(capsys):
    assert derive("loss", TOY, *TOY_OPTIONS, "--dynamics", "--json") == 0
    documents = json.loads(capsys.readouterr().out)
    assert [d["what"] for d in documents] == [
        "geometry of the loss", "predicted dynamics", "generalized predicted dynamics",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["scheduler", "b*v + (1-b)*g^2", "--rate", "lr/sqrt(v)", "-p", "lr,b", "--given", "b<1"],
         "quasi_rmsprop     = holds"),
        (["batchnorm"], "[holds] H = 2 |w~|^2"),
        (["batchnorm", "--inputs", "3,1,0; 1,-1,2; 0,0,1", "--targets", "1,2,5"], "5043/416"),
        (["linear-net"], "gram_star"),
        (["linear-net", "--depth", "3", "--plain"], "W_2"),
        (["flow", "(x*y-1)^2", "--params", "x,y"], "invariant"),
        (["flow", "x*y", "a - b*x^2/2", "--field", "--params", "x,y", "-p", "x,a,b"], "2*a"),
        (["flow", "x/y", "--params", "x,y", "--scale"], "[holds] L(c w) = L(w)"),
        (["flow", "x/y", "--params", "x,y", "--sphere"], "speeds"),
        (["sharpness-flow", "(x*y-1)^2", "--params", "x,y", "--coords", "s", "--at", "x=s",
          "--at", "y=1/s", "-p", "s"], "speeds"),
    ],
    ids=lambda v: " ".join(v)[:40] if isinstance(v, list) else "",
)  # fmt: skip
def test_the_other_kinds(arguments, expected, capsys):
    assert derive(*arguments) == 0
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["loss", "x^2 + ", "--params", "x"], "^"),
        (["loss", "x^2", "--params", "2x"], "a name was expected"),
        (["loss", "x^2", "--params", "x", "--at", "x"], "write NAME=VALUE"),
        (["loss", "x^2", "--params", "x", "--at", "x=1,x=2"], "given twice"),
        (["loss", "x^2+y^2", "--params", "x,y"], "repeated"),
        (["loss", "x^2", "--params", "x", "--torch", "nothing"], "no value 'nothing'"),
        (["loss", "x^2", "--params", "x", "--torch", "epsilon"], "not derived"),
        (["loss", "x^2", "--params", "x", "--dynamics"], "eta"),
        (["scheduler", "v + g^2", "--rate", "2"], "does not depend"),
        (["batchnorm", "--inputs", "1,2"], "both"),
        (["linear-net", "--depth", "9"], "depth"),
        (["flow", "x", "y", "--params", "x,y"], "--field"),
        (["flow", "x", "--params", "x,y", "--field"], "2 coordinates"),
        (["flow", "x", "--params", "x", "--field", "--sphere"], "goes with neither"),
    ],
)
def test_mistakes_are_usage_errors(arguments, message, capsys):
    assert derive(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err
