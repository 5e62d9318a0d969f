"""The suite from Python."""

import subprocess
import sys

import pytest

import eostheory
from eostheory.suite import UnknownClaim


def test_one_claim_is_judged_in_this_process():
    record = eostheory.judge("damian23/sec4.fixed-point", profile="quick")
    assert record["verdict"] == "proved"
    assert record["mutants"]["derivation"]["total"] == 0
    assert eostheory.judge("damian23/sec4.fixed-point", profile="quick", mutate=True)["mutants"][
        "derivation"
    ]["killed"]


def test_a_refuted_claim_brings_lines_that_reproduce_it():
    record = eostheory.judge("damian23/appB.gradient", profile="quick")
    assert record["verdict"] == "refuted"
    output = subprocess.run(
        [sys.executable, "-c", record["python"]], capture_output=True, text=True, check=True
    ).stdout
    assert "grad_L_t" in output


@pytest.mark.parametrize("claim_id", ["damian23/lemma-33", "li22/fig-15"])
def test_an_unknown_or_open_claim_is_an_error(claim_id):
    with pytest.raises(UnknownClaim, match=claim_id):
        eostheory.judge(claim_id)


def test_every_public_name_exists_and_importing_the_package_is_light():
    for name in eostheory.__all__:
        assert getattr(eostheory, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'certainly'"):
        eostheory.certainly
    code = "import eostheory, sys; print(sorted({'torch', 'sympy', 'rich'} & set(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "[]"
