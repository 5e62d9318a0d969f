"""Triton kernels: bit for bit the oracle in Triton's interpreter, IEEE operations in their PTX.

On a machine with a CUDA device, ``pytest -m gpu tests/trajectories`` runs the kernels there.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import sympy
import torch

from eostheory.trajectories import (
    Recurrence,
    gradient_descent,
    lower,
    predicted_dynamics,
    self_stabilisation_toy,
    simulate,
    three_dimensional_example,
)
from eostheory.trajectories import triton as backend
from eostheory.trajectories.program import TRANSCENDENTAL
from eostheory.trajectories.run import CHECK_INTERVAL
from eostheory.trajectories.triton_source import source

ROOT = Path(__file__).resolve().parents[2]
HAVE_TRITON = importlib.util.find_spec("triton") is not None
x, y = sympy.symbols("x y", real=True)
FIGURE = gradient_descent(three_dimensional_example(), weight_decay=True)
TOY = gradient_descent(self_stabilisation_toy())
EVERY_FUNCTION = Recurrence(
    "every function",
    (x, y),
    (
        sympy.Add(
            *(f(x / 9) for f in (sympy.exp, sympy.sin, sympy.cos, sympy.tan, sympy.asin)),
            *(f(y / 9) for f in (sympy.acos, sympy.atan, sympy.sinh, sympy.cosh, sympy.tanh)),
            *(f(x / 9) for f in (sympy.asinh, sympy.atanh, sympy.erf)),
            *(f(2 + x**2) for f in (sympy.acosh, sympy.log)),
            sympy.atan2(x, y),
            (2 + x**2) ** sympy.Rational(1, 3),
        ),
        sympy.Piecewise((x, x < y), (sympy.Min(y, 1), sympy.Or(x >= 2, sympy.Eq(y, 1))), (1, True)),
    ),
)


@pytest.mark.parametrize("rule", [FIGURE, TOY, EVERY_FUNCTION], ids=lambda r: r.name)
def test_the_source_is_a_module_with_a_kernel_and_the_same_every_time(rule):
    text = source(lower(rule))
    names = {n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)}
    assert {"step", "observe", "run"} <= names
    assert text == source(lower(rule))
    assert ("libdevice" in text) == (rule is EVERY_FUNCTION)


def test_every_operation_of_a_program_is_printed():
    operations = {i.operation for i in lower(EVERY_FUNCTION).body}
    assert set(TRANSCENDENTAL) <= operations
    text = source(lower(EVERY_FUNCTION))
    for name in TRANSCENDENTAL:
        assert re.search(rf"= (tl|libdevice)\.{name}\(", text)


def test_negation_keeps_the_sign_of_zero_and_constants_keep_every_digit():
    rule = Recurrence("digits", (x,), (-x * sympy.Float(0.1) + sympy.Rational(1, 3),))
    text = source(lower(rule))
    assert repr(1 / 3) in text
    assert repr(0.1) in text
    assert " = -" not in text


def test_a_name_from_a_user_cannot_leave_the_docstring():
    rule = Recurrence('"""\nimport os #', (x,), (x / 2,))
    module = ast.parse(source(lower(rule)))
    assert [type(n).__name__ for n in module.body[:3]] == ["Expr", "Import", "Import"]
    assert all(n.names[0].name != "os" for n in module.body[1:3])


def test_a_long_run_is_cut_where_lanes_are_looked_at_anyway():
    for every in (1, 7, 1000, 10**7):
        begin, stop, cuts = 5, 3 * 10**7, []
        while begin < stop:
            begin = backend.launch_end(begin, stop, every)
            cuts.append(begin)
        assert len(cuts) < 12
        assert all((t % every) % CHECK_INTERVAL == 0 for t in cuts[:-1])
        assert cuts[-1] == stop


def test_tensors_on_the_cpu_are_refused_with_a_remedy(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(ValueError, match=r"to\('cuda'\), or use backend='llvm'"):
        simulate(FIGURE, [0.3, 1.3, 1.2], [0.5, 0.08], 5, backend="triton")


def test_without_triton_the_error_says_how_to_go_on(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install triton"):
        backend.load("never imported")


def test_a_generated_module_is_kept_and_a_changed_file_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv("EOSTHEORY_CACHE_DIR", str(tmp_path))
    text = "value = 1\n"
    path = backend._written(text, "kept")
    assert path.parent == tmp_path / "triton"
    assert path.read_text(encoding="utf-8") == text
    path.write_text("value = 2\n", encoding="utf-8")
    assert backend._written(text, "kept").read_text(encoding="utf-8") == text
    assert [p.name for p in path.parent.iterdir()] == ["kept.py"]


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("EOSTHEORY_CACHE_DIR", str(blocked))
    assert backend._written("value = 1\n", "elsewhere").is_file()


if HAVE_TRITON:

    def test_kernels_in_the_interpreter_are_the_oracle_bit_for_bit(tmp_path):
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("triton_interpreted.py"))],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TRITON_INTERPRET": "1"},
        )
        assert done.returncode == 0, done.stderr
        cases = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(cases) == 9
        assert [c for c in cases if c["differs"] or c["resumed"]] == []
        seen = set().union(*(c.get("status", ()) for c in cases))
        assert seen == {0, 1, 2, 3}

    def ptx(rule, fma):
        """What the kernel of a rule is compiled to for an H100, without one."""
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource
        from triton.compiler import compile as compile_triton

        kernel = backend.load(source(lower(rule))).run
        pointers = dict.fromkeys(("state", "parameters", "records", "limit"), "*fp64")
        numbers = dict.fromkeys(("lanes", "first", "last", "every"), "i32")
        signature = {**pointers, "status": "*i8", "at": "*i64", **numbers, "BLOCK": "constexpr"}
        module = ASTSource(kernel, signature, constexprs={"BLOCK": 32})
        options = {"enable_fp_fusion": fma, "num_warps": 1}
        compiled = compile_triton(module, target=GPUTarget("cuda", 90, 32), options=options)
        found = re.findall(
            r"\b(fma|sqrt|div|mul|add|sub|rcp|rsqrt)((?:\.\w+)*)\.f64", compiled.asm["ptx"]
        )
        return Counter("".join(f) for f in found), compiled.asm["ptx"]

    def test_the_machine_code_rounds_every_operation_and_fuses_none(tmp_path, monkeypatch):
        monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
        found, _ = ptx(FIGURE, False)
        # .rn on products and sums forbids later stages to contract them; no approximations
        assert set(found) <= {"mul.rn", "add.rn", "sub.rn", "div.rn", "sqrt.rn"}
        assert {"mul.rn", "div.rn", "sqrt.rn"} <= set(found)

    def test_constants_reach_the_machine_as_doubles_and_fusing_is_an_option(tmp_path, monkeypatch):
        monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
        rule = Recurrence("digits", (x,), (x * sympy.Float(0.1) + sympy.Rational(1, 3),))
        fused, text = ptx(rule, True)
        assert fused["fma.rn"] > 0
        assert "0d3FB999999999999A" in text
        assert "0d3FD5555555555555" in text
        assert ".f32" not in text

    @pytest.mark.slow
    def test_every_function_compiles_for_the_device(tmp_path, monkeypatch):
        monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
        found, _ = ptx(EVERY_FUNCTION, False)
        assert found["div.rn"] > 0


# -------------------------------------------------------------------------- on a device
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("size", [1, 33, 10_000])
def test_a_device_gives_the_bits_of_the_cpu(size):
    generator = torch.Generator().manual_seed(size)
    unit = torch.rand(5, size, generator=generator, dtype=torch.float64)
    start = torch.stack([0.5 + unit[0] / 2, unit[1] / 2 - 0.2, unit[2]])
    given = torch.stack([0.05 + unit[3] / 2, unit[4] / 10])
    on_cpu = simulate(FIGURE, start, given, 20_000, every=1000, backend="llvm")
    on_device = simulate(FIGURE, start.cuda(), given.cuda(), 20_000, every=1000)
    resumed = simulate(FIGURE, start.cuda(), given.cuda(), 7_000, every=1000).resume(13_000)
    for name in ("records", "state", "status", "at"):
        assert torch.equal(getattr(on_device, name).cpu(), getattr(on_cpu, name))
    assert torch.equal(resumed.state, on_device.state)
    assert torch.equal(resumed.records, on_device.records[7:])


@pytest.mark.gpu
@gpu
def test_a_device_flags_what_the_cpu_flags():
    half = Recurrence("half", (x,), (x * y,), (y,))
    factors = torch.tensor([0.5, 1.0, 0.0625, 2.0, -0.5, 0.0], dtype=torch.float64)
    start = torch.full((1, 6), 1.5, dtype=torch.float64)
    for every in (1, 400, 3000):
        one = simulate(half, start, [factors], 3000, every=every, backend="eager")
        two = simulate(half, start.cuda(), [factors.cuda()], 3000, every=every)
        assert torch.equal(one.status, two.status.cpu())
        assert torch.equal(one.at, two.at.cpu())


@pytest.mark.gpu
@gpu
def test_functions_on_a_device_agree_to_rounding():
    start = torch.tensor([[0.3], [-0.4]], dtype=torch.float64)
    one = simulate(EVERY_FUNCTION, start, (), 1, backend="eager")
    two = simulate(EVERY_FUNCTION, start.cuda(), (), 1)
    assert torch.allclose(one.state, two.state.cpu(), rtol=1e-13, atol=0)


@pytest.mark.gpu
@gpu
def test_fused_operations_are_an_option_on_a_device():
    rule, start = predicted_dynamics(), torch.tensor([0.1, 0.0], dtype=torch.float64).cuda()
    given = [0.01, 1.0, 1.0]
    exact = simulate(rule, start, given, 50)
    fused = simulate(rule, start, given, 50, fma=True)
    assert torch.allclose(exact.records, fused.records, rtol=1e-9, atol=1e-12)
