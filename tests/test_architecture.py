"""The layers of the package, and the laws that its source keeps."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "eostheory"

BELOW = {
    "formula": set(),
    "symbolic": {"formula"},
    "numeric": {"formula"},
    "agree": {"formula", "numeric"},
    "claims": {"formula", "symbolic", "numeric", "agree"},
    "suite": {"formula", "symbolic", "numeric", "agree", "claims"},
    "report": {"formula", "claims", "suite"},
    "curvature": {"numeric"},
    "trajectories": {"numeric"},
    "training": {"numeric", "curvature"},
    "derive": {"formula", "symbolic", "numeric", "trajectories"},
    "strategies": {"numeric", "trajectories"},
    "check": {
        *("formula", "numeric", "claims", "suite"),
        *("curvature", "trajectories", "training", "derive", "strategies"),
    },
    "bench": {"numeric", "curvature", "trajectories", "training", "derive"},
    "experiments": {"numeric", "curvature", "trajectories", "training"},
    "cli": {"formula", "claims", "suite", "report", "derive", "bench", "check", "experiments"},
}
"""What each layer may import; symbolic and numeric never see each other."""

SOURCES = sorted(PACKAGE.rglob("*.py"))
# proof scripts, and the one that the template writes, stand above all layers
SCRIPTS = (PACKAGE / "_proofs", PACKAGE / "cli" / "new_paper")
LAYERED = [p for p in SOURCES if p.parent != PACKAGE and not any(map(p.is_relative_to, SCRIPTS))]


def imported_layers(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            parts = name.split(".")
            if parts[0] == "eostheory" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("path", LAYERED, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_layer_imports_only_layers_below_it(path):
    own = path.relative_to(PACKAGE).parts[0]
    assert own in BELOW, f"{own} is a layer that the architecture does not know"
    reached = {layer for layer in imported_layers(path) if layer in BELOW}
    assert reached <= BELOW[own] | {own}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_text_is_evaluated_and_nothing_is_unpickled(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            plain = isinstance(called, ast.Name)
            assert not (plain and name in {"eval", "exec"}), f"{path}:{node.lineno}"
            assert name not in {"sympify", "parse_expr"}, f"{path}:{node.lineno}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {a.name for a in node.names} | {getattr(node, "module", None)}
            assert not names & {"pickle", "dill", "cloudpickle"}, f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for_and_stays_short(path):
    text = path.read_text(encoding="utf-8")
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
    assert len(text.splitlines()) <= 420, f"{path} holds more than one idea"
