"""From what a user has (a function, a module with data, a formula) to the subject of the checks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from eostheory.check.property import marked
from eostheory.check.starts import choose_start, looks_scale_invariant, read_start
from eostheory.check.subject import Declarations, Domain, LossFunction, Subject
from eostheory.numeric.objective import Objective, module_objective

HOLE = 0.1
"""Scale-invariant losses are looked at from this distance to 0 on."""

_REFUSALS = (ValueError, TypeError, RuntimeError, ArithmeticError)


def make_subject(
    loss: Any,
    data: Any = None,
    *,
    criterion: Callable[[Any, Any], Tensor] | None = None,
    size: int | None = None,
    start: Any = None,
    variables: Sequence[Any] | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    domain: Any = None,
    points: Any = None,
    scale_invariant: bool | None = None,
    manifold: Callable[[Tensor], Tensor] | None = None,
    hessian: Callable[[Tensor], Tensor] | None = None,
    name: str | None = None,
    target: str | None = None,
) -> Subject:
    """The subject that :func:`~eostheory.check.engine.check_loss` describes; same arguments.

    A callable with attributes ``size`` (or ``dim``), ``start``, ``name`` and ``declarations`` (a
    mapping of arguments) has them as defaults.

    Raises:
        TypeError, ValueError: arguments that describe no loss; each names the value, what was
            expected and what to do.
    """
    given = {
        "scale_invariant": scale_invariant,
        "manifold": manifold,
        "hessian": hessian,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "domain": domain,
    }
    defaults = getattr(loss, "declarations", None)
    if isinstance(defaults, Mapping):
        given = {k: defaults.get(k) if v is None else v for k, v in given.items()}
    _demand_flag("scale_invariant", given["scale_invariant"])
    for key in ("manifold", "hessian"):
        if given[key] is not None and not callable(given[key]):
            raise TypeError(f"{key} is {_kind(given[key])}, expected a function of a tensor")
    rate = _number("learning_rate", given["learning_rate"], zero=False)
    decay = _number("weight_decay", given["weight_decay"], zero=True)
    made = _Made.of(loss, data, criterion, size, start, variables)
    place = _domain(given["domain"], made)
    invariant = given["scale_invariant"]
    if invariant is None:
        invariant = looks_scale_invariant(made.call, made.size, made.start)
    if invariant and not isinstance(given["domain"], Domain):
        place = _with(place or Domain(), hole=HOLE)
    first, code = made.start, made.start_code
    if first is None:
        searched = place or Domain()
        if place is None or not place.declared:
            searched = _with(searched, low=-2.0, high=2.0)
        first, code = choose_start(made.call, made.size, searched)
    elif place is not None and place.declared and first not in place:
        raise ValueError(f"the start {_short(first)} lies outside of the domain: give another one")
    if place is None or not place.declared:
        place = _undeclared(place or Domain(), made.start, first)
    own = _target(loss)
    if made.objective is None:
        call = marked(made.call)
        objective = Objective.of(call, made.size, device=first.device)
    else:
        chunks = tuple(marked(chunk) for chunk in made.objective.chunks)
        call = objective = dataclasses.replace(made.objective, chunks=chunks)
    return Subject(
        name=name or made.name,
        kind=made.kind,
        loss=call,
        objective=objective,
        size=made.size,
        start=first,
        domain=place,
        declared=Declarations(given["scale_invariant"], given["manifold"], given["hessian"]),
        learning_rate=rate,
        weight_decay=decay,
        points=_points(points),
        expression=made.expression,
        target=target or own,
        direct=own is not None and target in (None, own),
        refusal=made.refusal,
        **made.network,
        start_code=code,
    )


class _Made:
    """What the three kinds of losses have in common."""

    def __init__(self, kind: str, name: str, call: LossFunction, size: int) -> None:
        self.kind, self.name, self.call, self.size = kind, name, call, size
        self.start: Tensor | None = None
        self.start_code: str | None = None
        self.objective: Objective | None = None
        self.expression: tuple[Any, tuple[Any, ...]] | None = None
        self.refusal: str | None = None
        self.network: dict[str, Any] = {}
        self.condition: Callable[[Tensor], bool] | None = None

    @classmethod
    def of(
        cls, loss: Any, data: Any, criterion: Any, size: Any, start: Any, variables: Any
    ) -> _Made:
        if _is_formula(loss):
            _unwanted("a formula", data=data, criterion=criterion)
            return _of_formula(loss, size, start, variables)
        _unwanted("a loss that is no formula", variables=variables)
        if isinstance(loss, nn.Module) and (
            data is not None or any(True for _ in loss.parameters())
        ):
            return _of_module(loss, data, criterion, size, start)
        _unwanted("a function of a flat tensor", data=data, criterion=criterion)
        if isinstance(loss, type):
            raise TypeError(f"loss is the class {loss.__name__} itself: pass {loss.__name__}(...)")
        if not callable(loss):
            raise TypeError(
                f"loss is {_kind(loss)}, expected a function of a flat tensor, a torch.nn.Module "
                "with data= and criterion=, or a sympy expression"
            )
        return _of_function(loss, size, start)


def _of_function(loss: Any, size: Any, start: Any) -> _Made:
    name = _name_of(loss)
    own = getattr(loss, "size", getattr(loss, "dim", None))
    if start is None and size in (None, own):
        start = getattr(loss, "start", None)
        size = own if isinstance(own, int) else size
    if size is None and start is None:
        raise ValueError(
            f"neither size= nor start= is given for {name}: pass size=D, the number of entries of "
            "the flat tensor that it takes, or start=, a tensor (D,) where runs begin"
        )
    size, first, code = read_start(size, start)
    made = _Made("function", name, loss, size)
    made.start, made.start_code = first, code
    if isinstance(loss, Objective):
        if loss.size != size:
            raise ValueError(f"the objective has {loss.size} parameters, the start has {size}")
        made.objective = loss
        made.kind = "function" if loss.layout is None else "module"
    return made


def _name_of(loss: Any) -> str:
    import functools

    while isinstance(loss, functools.partial):
        loss = loss.func
    name = getattr(loss, "name", None) or getattr(loss, "__name__", None)
    return str(name).strip("<>") if isinstance(name, str) else type(loss).__name__


def _of_module(module: nn.Module, data: Any, criterion: Any, size: Any, start: Any) -> _Made:
    # Compiled code has no second derivatives, and says the same with more noise.
    module = getattr(module, "_orig_mod", module)
    kind = type(module).__name__
    if data is None or criterion is None:
        lacking = "data=(inputs, targets)" if data is None else "criterion=, torch.nn.MSELoss() say"
        raise ValueError(f"the module {kind} is no loss by itself: pass {lacking}")
    if not callable(criterion):
        raise TypeError(f"criterion is {_kind(criterion)}, expected criterion(outputs, targets)")
    pair = isinstance(data, tuple | list) and len(data) == 2 and not _is_batch(data[0])
    inputs, targets = data if pair else (data, None)
    if isinstance(inputs, Tensor) and targets is None:
        raise ValueError("data is one tensor, expected (inputs, targets)")
    refusal = None
    try:
        objective, first = module_objective(module, criterion, inputs, targets, device="cpu")
    except _REFUSALS as reason:
        refusal = str(reason)
        objective, first = module_objective(
            module, criterion, inputs, targets, device="cpu", probe=False
        )
    made = _Made("module", kind, objective, objective.size)
    made.objective, made.refusal, made.start = objective, refusal, first
    given = {"module": module, "criterion": criterion, "inputs": inputs, "targets": targets}
    made.network = given
    if start is not None or size is not None:
        _, begun, made.start_code = read_start(
            objective.size if size is None else size, first if start is None else start
        )
        if begun is not None and begun.shape != first.shape:
            raise ValueError(f"{kind} has {len(first)} parameters, size or start says {len(begun)}")
        made.start = begun
    return made


def _of_formula(expression: Any, size: Any, start: Any, variables: Any) -> _Made:
    import sympy

    from eostheory.derive.torch_code import Unsupported, lower

    if not isinstance(expression, sympy.Expr):
        raise TypeError(f"the formula is {_kind(expression)}, expected a sympy expression")
    free = expression.free_symbols
    ordered = tuple(sorted(free, key=_natural)) if variables is None else tuple(variables)
    for symbol in ordered:
        if not isinstance(symbol, sympy.Symbol):
            raise TypeError(f"variables= has {symbol!r} ({_kind(symbol)}), expected sympy symbols")
    if unbound := sorted(str(s) for s in free - set(ordered)):
        raise ValueError(
            f"the formula has {', '.join(unbound)} beside its variables "
            f"{', '.join(map(str, ordered))}: substitute numbers with .subs, or list them too"
        )
    if not ordered:
        raise ValueError(f"the formula {expression} has no variable: pass variables=")
    if size is not None and size != len(ordered):
        raise ValueError(f"size is {size}, but there are {len(ordered)} variables: leave it out")
    try:
        function = lower(expression, list(ordered), "loss")
    except Unsupported as reason:
        raise ValueError(f"{reason}: write the loss as a function of a torch tensor") from reason
    if isinstance(start, Mapping):
        by_name = {str(k): v for k, v in start.items()}
        if lacking := [str(s) for s in ordered if str(s) not in by_name]:
            raise ValueError(f"start= lacks {', '.join(lacking)}")
        start = [float(by_name[str(s)]) for s in ordered]
    _, first, code = read_start(len(ordered), start)
    text = str(expression)
    made = _Made("sympy", text if len(text) <= 40 else text[:39] + "…", function.at, len(ordered))
    made.start, made.start_code = first, code
    made.expression = (expression, ordered)
    signs = [(i, s.is_positive) for i, s in enumerate(ordered) if s.is_positive or s.is_negative]
    if signs:
        made.condition = lambda w: all(bool(w[i] > 0) == positive for i, positive in signs)
    return made


def _natural(symbol: Any) -> list[tuple[int, str]]:
    import re

    parts = re.findall(r"\d+|\D+", str(symbol))
    return [(int(p), "") if p.isdigit() else (-1, p) for p in parts]


def _domain(given: Any, made: _Made) -> Domain | None:
    """What the user declared; None where nothing was."""
    if given is None:
        return None if made.condition is None else Domain(contains=made.condition)
    if isinstance(given, Domain):
        found = given
    elif isinstance(given, tuple | list) and len(given) == 2:
        low, high = (_bound(x) for x in given)
        found = Domain(low, high, made.condition)
    elif callable(given):
        found = Domain(contains=given)
    else:
        raise TypeError(
            f"domain is {_kind(given)}, expected (low, high), a function of a point that says "
            "whether it is inside, or a Domain"
        )
    if not found.low < found.high:
        raise ValueError(f"domain is empty: low is {found.low}, high is {found.high}")
    return _with(found, declared=True)


def _undeclared(place: Domain, given: Tensor | None, start: Tensor) -> Domain:
    from eostheory.strategies.vectors import FEW

    if given is None and len(start) <= FEW:
        return _with(place, low=-2.0, high=2.0)
    return _with(place, center=start, radius=max(1.0, float(start.abs().max())))


def _with(domain: Domain, **changes: Any) -> Domain:
    return dataclasses.replace(domain, **changes)


def _points(given: Any) -> Any:
    """A Hypothesis strategy from what the user gave as ``points``."""
    if given is None:
        return None
    from hypothesis import strategies as st

    if isinstance(given, st.SearchStrategy):
        return given
    if isinstance(given, Tensor | list | tuple):
        listed = list(given)
        if not listed:
            raise ValueError("points= is empty")
        return st.sampled_from(listed)
    if callable(given):
        return st.integers(0, 9999).map(lambda k: given(torch.Generator().manual_seed(k)))
    raise TypeError(
        f"points is {_kind(given)}, expected a Hypothesis strategy of tensors (D,), tensors, or a "
        "function of a torch.Generator"
    )


def _target(loss: Any) -> str | None:
    """``module:name`` (``path.py:name``) where importing that gives ``loss``."""
    import sys

    from eostheory.check.targets import place_of

    module, name = getattr(loss, "__module__", None), getattr(loss, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{place_of(module) or module}:{name}" if found is loss else None


def _is_formula(loss: Any) -> bool:
    import sys

    sympy = sys.modules.get("sympy")  # who has a formula has imported it
    return sympy is not None and isinstance(loss, sympy.Basic | sympy.MatrixBase)


def _is_batch(value: Any) -> bool:
    return isinstance(value, tuple | list)


def _unwanted(what: str, **given: Any) -> None:
    for key, value in given.items():
        if value is not None:
            raise ValueError(f"{key}= is given, but the loss is {what}, which takes none")


def _demand_flag(key: str, value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"{key} is {value!r} ({_kind(value)}), expected True, False or None")


def _number(key: str, value: Any, *, zero: bool) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{key} is {_kind(value)}, expected a number")
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{key} is {value}, expected a {'' if zero else 'positive '}number")
    return float(value)


def _bound(value: Any) -> float:
    if value is None:
        raise TypeError("a bound of domain= is None: write -math.inf or math.inf")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a bound of domain= is {_kind(value)}, expected a number")
    return float(value)


def _short(w: Tensor) -> str:
    return str([round(float(x), 4) for x in w[:4]])[:-1] + (", ...]" if len(w) > 4 else "]")


def _kind(value: Any) -> str:
    return "None" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
