"""Lines of Python that show a violation again: the loss, the inputs, and what to look at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eostheory.check.finding import Recipe

if TYPE_CHECKING:
    from eostheory.check.context import Context
    from eostheory.check.subject import Subject

_MANY = 32
"""Tensors of more numbers are read from the recorded case instead of being printed."""

_SLOPE = (
    "w.requires_grad_()",
    "(g,) = torch.autograd.grad(loss(w), w, create_graph=True)",
)

LINES: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "evaluates": (frozenset("w"), ("print(loss(w))",)),
    "pure": (frozenset("w"), ("before = w.clone()", "loss(w)", "print(w - before)")),
    "deterministic": (frozenset("w"), ("print(loss(w), loss(w))",)),
    "differentiable": (frozenset("w"), ("print(loss(w.requires_grad_()).requires_grad)",)),
    "finite": (
        frozenset("w"),
        ("value = loss(w.requires_grad_())", "print(value, torch.autograd.grad(value, w))"),
    ),
    "gradient": (
        frozenset("w"),
        (
            "(g,) = torch.autograd.grad(loss(w.requires_grad_()), w)",
            "h, e = 1e-5, strategies.basis({size}, {coordinate})",
            "with torch.no_grad():",
            "    print(g[{coordinate}], (loss(w + h * e) - loss(w - h * e)) / (2 * h))",
        ),
    ),
    "hessian": (
        frozenset("wu"),
        (
            "slope = torch.func.grad(loss)",
            "product = torch.autograd.functional.vhp(loss, w, u)[1]",
            "h = 1e-5",
            "print(product - (slope(w + h * u) - slope(w - h * u)) / (2 * h))",
        ),
    ),
    "third-derivative": (
        frozenset("wu"),
        (
            "def curvature(w):  # u . Hess u",
            "    (g,) = torch.autograd.grad(loss(w), w, create_graph=True)",
            "    (p,) = torch.autograd.grad(g @ u, w, create_graph=True)",
            "    return p @ u",
            "",
            "w.requires_grad_()",
            "(third,) = torch.autograd.grad(curvature(w), w)",
            "h = 1e-4",
            "print(third @ u, (curvature(w + h * u) - curvature(w - h * u)) / (2 * h))",
        ),
    ),
    "scale-invariant": (frozenset("wc"), ("print(loss(c * w) - loss(w))",)),
    "gradient-degree": (
        frozenset("wc"),
        (
            "slope = lambda w: torch.autograd.grad(loss(w.requires_grad_()), w)[0]",
            "print(slope(c * w.clone()) * c - slope(w), slope(w) @ w)",
        ),
    ),
    "hessian-degree": (
        frozenset("wcu"),
        (
            "product = lambda w: torch.autograd.functional.vhp(loss, w, u)[1]",
            "print(product(c * w) * c**2 - product(w))",
        ),
    ),
    "hessian-radial": (
        frozenset("w"),
        (
            "(g,) = torch.autograd.grad(loss(w.requires_grad_()), w)",
            "print(torch.autograd.functional.vhp(loss, w.detach(), w.detach())[1] + g)",
        ),
    ),
}
"""What to look at, by check: the inputs that the lines use, and the lines."""


def reproduce(
    context: Context, name: str, inputs: Mapping[str, Any], details: Mapping[str, Any]
) -> str:
    """Lines that show again what the check ``name`` found on ``inputs``.

    For the checks in :data:`LINES` they need torch only; for the others they run the check again.
    """
    subject = context.subject
    known = LINES.get(name)
    kinds = {v.data.get("kind") for v in inputs.values() if isinstance(v, Recipe)}
    fits = known is not None and known[0] <= set(inputs) and "described" not in kinds
    tail: list[str] = []
    if known is not None and fits:
        facts = {"size": subject.size, "coordinate": details.get("coordinate", "")}
        if not any("{coordinate}" in line for line in known[1]) or facts["coordinate"] != "":
            tail = [
                line.format(**facts) if "{size}" in line or "{coordinate}" in line else line
                for line in known[1]
            ]
    wanted = inputs if tail else {}
    given = [f"{key} = {_code(key, value)}" for key, value in wanted.items()]
    if not tail:
        tail = [_whole(context, name)]
    body = "\n".join([*given, *tail])
    head = ["import torch"] if "torch." in body or subject.kind == "module" else []
    if "eostheory.check_loss" in body:
        head.append("import eostheory")
    if "json." in body:
        head.insert(0, "import json")
    if "strategies." in body:
        head.append("from eostheory import strategies")
    loss = _loss_lines(subject)
    imports = [line for line in loss if line.startswith(("import ", "from "))]
    rest = [line for line in loss if line not in imports]
    start = _start_lines(subject) if _mentions_start(body) else []
    if any("torch." in line for line in (*start, *rest)) and "import torch" not in head:
        head.insert(0, "import torch")
    if (
        any("strategies." in line for line in start)
        and "from eostheory import strategies" not in head
    ):
        head.append("from eostheory import strategies")
    return "\n".join([*head, *imports, "", *rest, *start, body]).replace("\n\n\n", "\n\n")


def _code(key: str, value: Any) -> str:
    if not isinstance(value, Recipe):
        return repr(value)
    if value.data.get("kind") == "coordinates" and len(value.data["values"]) > _MANY:
        return (
            f'torch.tensor(json.load(open("case.json"))["inputs"]["{key}"]["values"], '
            "dtype=torch.float64)  # the case: finding.replay of the report in JSON"
        )
    return f"{value.code}.clone()" if value.code == "start" else value.code


def _mentions_start(body: str) -> bool:
    return re.search(r"\bstart\b(?!=)", body.replace("start=start", "start")) is not None


def _loss_lines(subject: Subject) -> list[str]:
    """Lines after which ``loss`` is the loss of a flat tensor."""
    target = subject.target
    if subject.expression is not None:
        return _formula_lines(subject)
    if subject.kind == "module":
        lines = ["from eostheory.numeric.objective import module_objective"]
        if target is None:
            return [
                *lines,
                "# your module, its criterion and data",
                "loss, start = module_objective(module, criterion, inputs, targets, probe=False)",
            ]
        return [
            *lines,
            "from eostheory.check.targets import load",
            f"given = load({target!r}).arguments",
            'inputs, targets = given["data"]',
            'network = given["loss"], given["criterion"], inputs, targets',
            "loss, start = module_objective(*network, probe=False)",
        ]
    if target is None:
        return [f"loss = ...  # {subject.name}, the function that was checked"]
    module, _, name = target.rpartition(":")
    plain = name.isidentifier() and all(part.isidentifier() for part in module.split("."))
    if plain and subject.direct and not module.endswith(".py"):  # pl.py is a file of this folder
        return [f"from {module} import {name}" + (" as loss" if name != "loss" else "")]
    return [
        "from eostheory.check.targets import load",
        f'loss = load({target!r}).arguments["loss"]',
    ]


def _formula_lines(subject: Subject) -> list[str]:
    from sympy.printing.pycode import SymPyPrinter

    assert subject.expression is not None
    expression, variables = subject.expression
    printer = SymPyPrinter({"fully_qualified_modules": True})
    lines = ["import sympy", "from eostheory.derive.torch_code import lower"]
    names = ", ".join(map(str, variables)) + ("," if len(variables) == 1 else "")
    text = re.sub(r"sympy\.(?:[a-z_]+\.)+(\w+\()", r"sympy.\1", printer.doprint(expression))
    lines.append(f"{names} = sympy.symbols({names!r}, seq=True)")
    lines.append(f"loss = lower({text}, [{names}]).at")
    return lines


def _start_lines(subject: Subject) -> list[str]:
    if subject.start_code is not None:
        return [f"start = {subject.start_code}"]
    return [] if subject.kind == "module" else ["start = ...  # the start that was given"]


def _whole(context: Context, name: str) -> str:
    """A call that runs the check again on the whole."""
    subject = context.subject
    given = ["loss", "start=start"]
    for key in ("learning_rate", "weight_decay"):
        if getattr(subject, key) is not None:
            given.append(f"{key}={getattr(subject, key)!r}")
    if subject.declared.scale_invariant is not None:
        given.append(f"scale_invariant={subject.declared.scale_invariant}")
    given.append(f"checks={name!r}")
    if context.profile.name != "default":
        given.append(f"profile={context.profile.name!r}")
    if context.seed:
        given.append(f"seed={context.seed}")
    more = {
        "domain": subject.domain.declared,
        "points": subject.points is not None,
        "manifold": subject.declared.manifold is not None,
        "hessian": subject.declared.hessian is not None,
    }
    missing = ", ".join(f"{key}=" for key, is_given in more.items() if is_given)
    note = f"  # and {missing} as given" if missing else ""
    return f"print(eostheory.check_loss({', '.join(given)})){note}"
