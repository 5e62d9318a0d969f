"""The one lowering: from a recurrence to a straight-line program of IEEE arithmetic.

No expression is simplified or expanded, so the work is linear in its size and the result is the
formula as it was written: the caller decides its shape.  Each expression is lowered in
:mod:`~eostheory.trajectories.expressions`; here sections become a program, what leads to nothing
is left out, and what is ready late is used late.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from eostheory.trajectories.builder import Builder, latest_first_needed
from eostheory.trajectories.expressions import Section, Unsupported
from eostheory.trajectories.program import Instruction, Program
from eostheory.trajectories.recurrence import Recurrence


@lru_cache(maxsize=512)
def lower(recurrence: Recurrence) -> Program:
    """The program of a recurrence; the same recurrence gives the same list on every machine.

    Raises:
        ValueError: a function without a counterpart in IEEE arithmetic or the mathematics
            library, a constant that is not a finite real number, or an expression nested too
            deeply.
    """
    state, parameters = recurrence.state, recurrence.parameters
    builder = Builder(len(state), len(parameters))
    given = {s: i for i, s in enumerate((*state, *parameters))}
    steps = [*(e for _, e in recurrence.locals), *recurrence.update]
    records = [e for _, e in recurrence.record]
    constants = set(parameters)
    for symbol, expression in recurrence.locals:
        if expression.free_symbols <= constants:
            constants.add(symbol)
    try:
        step = Section(builder, given, constants, steps)
        for symbol, expression in recurrence.locals:
            step.known[symbol] = step.value(expression)
        following = [step.value(e) for e in recurrence.update]
        body = builder.open_section()
        record = Section(builder, given, constants, records)
        observations = [record.value(e) for e in records]
        observed = builder.open_section()
    except RecursionError as error:
        raise ValueError(
            f"{recurrence.name}: an expression is nested too deeply; name its parts in locals"
        ) from error
    except Unsupported as error:
        raise ValueError(f"{recurrence.name}: {error}") from None
    body, needed = _alive(body, following)
    observed, more = _alive(observed, observations)
    hoisted, inputs = _alive(builder.hoisted, needed | more)
    used = needed | more | inputs
    return Program(
        name=recurrence.name,
        state=tuple(map(str, state)),
        parameters=tuple(map(str, parameters)),
        observables=recurrence.observables,
        constants={i: c for i, c in builder.constants.items() if i in used},
        hoisted=tuple(hoisted),
        body=tuple(latest_first_needed(body)),
        observed=tuple(latest_first_needed(observed)),
        next=tuple(following),
        observations=tuple(observations),
    )


def compilable(recurrence: Recurrence) -> Recurrence:
    """The recurrence; its program is kept, and what cannot be compiled is said now, not when run.

    Raises:
        ValueError: as :func:`lower`.
    """
    lower(recurrence)
    return recurrence


def _alive(code: list[Instruction], wanted: Iterable[int]) -> tuple[list[Instruction], set[int]]:
    """The instructions that lead to what is wanted, and every value that they or it use."""
    needed, kept = set(wanted), []
    for instruction in reversed(code):
        if instruction.target in needed:
            needed.update(instruction.operands)
            kept.append(instruction)
    return kept[::-1], needed
