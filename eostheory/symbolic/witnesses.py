"""Exact refutations: a statement evaluated on checked instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eostheory.formula import Equation, Expr, Inequality, Statement
from eostheory.symbolic.decision import Decision
from eostheory.symbolic.exact import Instance, InstanceError
from eostheory.symbolic.scalars import Undefined

if TYPE_CHECKING:
    from eostheory.symbolic.model import Model

_BAD = {">": {"-", "0"}, ">=": {"-"}, "<": {"+", "0"}, "<=": {"+"}, "!=": {"0"}}


def refute(
    model: Model, statement: Equation | Inequality
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """An exact counterexample and what was tried.

    A statement about remainder letters is never refuted: their values are not ours to choose.
    """
    symbols, _ = model.free(statement.lhs, statement.rhs)
    if symbols & model.landaus:
        return None, ("instances: the statement holds remainder letters, whose values are unknown",)
    tried: list[str] = []
    instances = model.supply().instances()
    for instance, _, origin in instances:
        try:
            witness = violation(statement, instance)
        except (InstanceError, Undefined) as error:
            tried.append(f"{origin}: {error}")
            continue
        if witness is not None:
            witness["how"] = f"exact {origin}"
            witness["values"] = named_values(model, instance, statement)
            return witness, tuple(tried)
        tried.append(f"{origin}: the statement holds there, or cannot be told apart exactly")
    if not instances:
        tried += model.supply().failed or ["no instance: give one with example()"]
    return None, tuple(dict.fromkeys(tried))


def violation(statement: Equation | Inequality, instance: Instance) -> dict[str, Any] | None:
    """Both sides, when the instance violates the statement exactly."""
    left, right = instance.evaluate(statement.lhs), instance.evaluate(statement.rhs)
    if isinstance(statement, Equation):
        broken = instance.compare(left, right) == "differ"
    else:
        broken = instance.sign(left - right) in _BAD[statement.relation]
    if not broken:
        return None
    return {"lhs": instance.text(left), "rhs": instance.text(right)}


def undefined_statement(model: Model, statement: Statement, reason: str) -> Decision:
    """Judge a statement one of whose sides has no real value where its hypotheses hold.

    It fails on an instance where exactly one side has a value.
    """
    tried = [f"undefined: {reason}"]
    if isinstance(statement, Equation | Inequality):
        for instance, _, origin in model.supply().instances():
            try:
                values = [_value(instance, side) for side in (statement.lhs, statement.rhs)]
            except InstanceError as error:
                tried.append(f"{origin}: {error}")
                continue
            if (values[0] is None) != (values[1] is None):
                left, right = ("no real value" if v is None else instance.text(v) for v in values)
                witness = {
                    "lhs": left,
                    "rhs": right,
                    "how": "no real value",
                    "values": named_values(model, instance, statement),
                }
                return Decision("fails", "proved", f"no real value on an exact {origin}", {},
                                witness, tried=tuple(tried))  # fmt: skip
        tried += model.supply().failed or ["no instance tells the sides apart"]
    return Decision("undecided", method="normal form", tried=tuple(tried))


def _value(instance: Instance, side: Expr) -> Any:
    try:
        return instance.evaluate(side)
    except Undefined:
        return None


def named_values(
    model: Model, instance: Instance, statement: Equation | Inequality
) -> dict[str, Any]:
    """The values that the statement rests on, by name."""
    symbols, forms = model.free(statement.lhs, statement.rhs)
    named = {s.name: instance.text(instance.evaluate(s)) for s in symbols}
    named |= {f.name: instance.text(instance.forms[f]) for f in forms if f in instance.forms}
    return dict(sorted(named.items()))
