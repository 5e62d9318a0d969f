"""Inputs that properties are tried on: points of the domain and directions, as recipes.

The points are those of :mod:`eostheory.strategies`: few-digit coordinates for up to
:data:`~eostheory.strategies.vectors.FEW` parameters, else the start plus a step along a direction
that a small number stands for, which shrinks to the start itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eostheory.check.finding import InputError, Recipe
from eostheory.check.subject import Domain, Subject

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from eostheory.strategies import Drawn

_RARE = 9

MANY = 4096
"""Tensors of more numbers are not written out, but described."""


def points(subject: Subject) -> SearchStrategy[Recipe]:
    """Points (D,) of the domain, the start among them; or the user's, with ``points=``.

    What lies outside of the domain is not drawn.
    """
    from hypothesis import strategies as st

    from eostheory.strategies import drawn_points
    from eostheory.strategies.vectors import FEW

    domain = subject.domain
    drawn: SearchStrategy[Recipe]
    if subject.points is not None:
        drawn = subject.points.map(lambda w: _of_user(w, subject))
    else:
        few = subject.size <= FEW
        around = subject.start if domain.center is not None or not few else None
        drawn = drawn_points(
            subject.size,
            around,
            domain.low,
            domain.high,
            spread=None if domain.center is None else domain.radius,
            hole=domain.hole,
        ).map(lambda point: _recipe(point, subject))
        if few:
            # now and then the start; a point of few digits counts as simpler
            drawn = st.tuples(st.integers(0, _RARE), drawn).map(
                lambda pair: start_itself(subject) if pair[0] == _RARE else pair[1]
            )
    return drawn.filter(lambda recipe: _inside(recipe, domain))


def directions(subject: Subject) -> SearchStrategy[Recipe]:
    """Unit vectors (D,): coordinate directions first."""
    from eostheory.strategies import drawn_directions

    return drawn_directions(subject.size).map(lambda drawn: _recipe(drawn, subject))


def start_itself(subject: Subject) -> Recipe:
    """The start of the real runs."""
    return Recipe(subject.start, "start", {"kind": "start"})


def written_out(w: Tensor) -> Recipe:
    """A tensor as its own numbers; one of very many is only described."""
    if w.numel() > MANY:
        data = {"kind": "described", "size": w.numel(), "sha256": fingerprint(w)}
        length = float(torch.linalg.vector_norm(w))
        return Recipe(w, f"...  # a point of {w.numel()} numbers, of length {length:.6g}", data)
    values = [float(x) for x in w.reshape(-1)]
    code = f"torch.tensor([{', '.join(map(repr, values))}], dtype=torch.float64)"
    if len(set(values)) == 1 and len(values) > 4:
        code = f"torch.full(({len(values)},), {values[0]!r}, dtype=torch.float64)"
    return Recipe(w, code, {"kind": "coordinates", "values": values})


def fingerprint(w: Tensor) -> str:
    """What tells one tensor from others."""
    import hashlib

    numbers = w.detach().to("cpu", torch.float64).contiguous().numpy()
    return hashlib.sha256(numbers.tobytes()).hexdigest()


def recipe(tensor: Tensor, subject: Subject) -> Recipe:
    """A recipe of any tensor: the start by its name, others as their numbers."""
    if tensor.shape == subject.start.shape and torch.equal(tensor, subject.start):
        return start_itself(subject)
    return written_out(tensor.detach())


def remake(data: Mapping[str, Any], subject: Subject) -> Recipe:
    """A recipe from its recorded ``data``.

    Raises:
        ValueError: data of no known kind.
    """
    from eostheory.strategies import rebuild

    if data.get("kind") == "start":
        return start_itself(subject)
    tensor = rebuild(data, subject.start).to(subject.start)
    return Recipe(tensor, _code(data) or written_out(tensor).code, dict(data))


def _code(data: Mapping[str, Any]) -> str:
    """How :mod:`eostheory.strategies` writes a vector of many coordinates; '' for others."""
    kind, size = data.get("kind"), data.get("size")
    if kind == "basis":
        return f"strategies.basis({size}, {data['index']})"
    if kind == "around" and not data["radius"]:
        return "start" if data.get("start") else f"torch.zeros({size}, dtype=torch.float64)"
    if kind in ("direction", "around"):
        turn = f"strategies.direction({size}, seed={data['seed']})"
        if kind == "direction":
            return turn
        origin = "start + " if data.get("start") else ""
        return f"{origin}{float(data['radius'])!r} * {turn}"
    return ""


def _recipe(drawn: Drawn, subject: Subject) -> Recipe:
    return Recipe(drawn.tensor.to(subject.start), drawn.code, drawn.data)


def _inside(point: Recipe, domain: Domain) -> bool:
    try:
        return point.tensor in domain
    except Exception as reason:  # of the user's function, which may raise anything
        raise InputError(
            f"domain= raises {type(reason).__name__} at {point.code}: {reason}; it must say True "
            "or False of every point"
        ) from reason


def _of_user(w: Any, subject: Subject) -> Recipe:
    """A point that the user's strategy drew, which may know its own code."""
    if all(hasattr(w, name) for name in ("tensor", "code", "data")):
        point, recipe = w.tensor, w
    else:
        point, recipe = w, None
    if not isinstance(point, Tensor):
        try:
            point = torch.as_tensor(point, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError) as reason:
            raise InputError(
                f"points= drew {type(point).__name__} {str(point)[:40]!r}, expected a tensor "
                f"({subject.size},)"
            ) from reason
    if point.shape != (subject.size,):
        raise InputError(
            f"points= drew a tensor of shape {tuple(point.shape)}, expected ({subject.size},)"
        )
    point = point.detach().to(subject.start)
    return written_out(point) if recipe is None else Recipe(point, recipe.code, recipe.data)
