"""Points and directions that print in few characters and can be made again.

A point of few coordinates is a list of few-digit numbers.  One of many is the start plus a step
of few-digit length in a direction that is known by a small seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from eostheory.numeric.losses import Draw
from eostheory.strategies.numbers import Strategy, count, number, plain, plain_numbers, shown

FEW = 16
"""Up to this many coordinates are drawn one by one."""

SEEDS = 999
"""The largest seed of a direction of many coordinates."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A drawn vector, and how to make it again.

    Args:
        tensor: (D,) float64.
        code: a Python expression for it, with ``torch``, ``strategies`` and ``start`` in scope.
        data: the same as JSON data, for :func:`rebuild`.
    """

    tensor: Tensor = field(repr=False)
    code: str
    data: Mapping[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        return self.code


def direction(size: int, seed: int) -> Tensor:
    """The unit vector (size,) of ``seed``, uniform on the sphere, the same everywhere."""
    count("size", size, 1)
    drawn = Draw(count("seed", seed, 0), "cpu").normal(size)
    found: Tensor = drawn / torch.linalg.vector_norm(drawn)
    return found


def basis(size: int, index: int) -> Tensor:
    """The coordinate direction (size,) with 1 at ``index``, which counts from 0."""
    if not 0 <= count("index", index, 0) < count("size", size, 1):
        raise ValueError(f"index = {index} of {size} coordinates, which are 0 to {size - 1}")
    e = torch.zeros(size, dtype=torch.float64)
    e[index] = 1.0
    return e


def unit(values: Sequence[float]) -> Tensor:
    """The unit vector along ``values``.

    Raises:
        ValueError: all of them are zero.
    """
    vector = torch.tensor([float(x) for x in values], dtype=torch.float64)
    length = torch.linalg.vector_norm(vector)
    if not float(length) > 0:
        raise ValueError(f"{values!r} has no direction: its length is {float(length)}")
    found: Tensor = vector / length
    return found


def _start(given: object, size: int | None = None) -> Tensor:
    if not isinstance(given, Tensor):
        raise TypeError(f"start = {given!r} is {type(given).__name__}, not a tensor")
    if given.dim() != 1 or not given.is_floating_point():
        raise ValueError(f"start is {given.dtype} of shape {tuple(given.shape)}, not (D,) float64")
    if size is not None and len(given) != size:
        raise ValueError(f"start has {len(given)} coordinates, size is {size}")
    if not bool(torch.isfinite(given).all()):
        raise ValueError("start is not finite")
    return given.detach().to("cpu", torch.float64)


def rebuild(data: Mapping[str, Any], start: Tensor | None = None) -> Tensor:
    """The vector (D,) that the ``data`` of a :class:`Drawn` describe.

    Args:
        start: what the point was drawn around, where it was.

    Raises:
        ValueError: they describe none.
    """
    kind = data.get("kind")
    if kind == "coordinates":
        return torch.tensor([float(x) for x in data["values"]], dtype=torch.float64)
    if kind == "unit":
        return unit(data["values"])
    if kind == "basis":
        return basis(data["size"], data["index"])
    if kind == "direction":
        return direction(data["size"], data["seed"])
    if kind == "around":
        origin = torch.zeros(data["size"], dtype=torch.float64)
        if data.get("start"):
            if start is None:
                raise ValueError("this point was drawn around a start: pass start=")
            origin = _start(start, data["size"])
        if data["radius"] == 0:
            return origin.clone()
        return origin + float(data["radius"]) * direction(data["size"], data["seed"])
    known = "coordinates, unit, basis, direction, around"
    raise ValueError(f"kind = {kind!r} of a vector; known: {known}")


def _drawn(code: str, around: Tensor | None = None, **data: Any) -> Drawn:
    return Drawn(rebuild(data, around), code, data)


def _of_values(values: Sequence[float]) -> Drawn:
    code = f"torch.tensor({shown(values)}, dtype=torch.float64)"
    return _drawn(code, kind="coordinates", values=list(values))


def _box(
    size: int, low: float | None, high: float | None, start: Tensor | None, spread: float | None
) -> list[tuple[float, float]]:
    """Bounds of each coordinate: where the start's surroundings and the box meet."""
    bottom = -math.inf if low is None else float(low)
    top = math.inf if high is None else float(high)
    if not bottom <= top:
        raise ValueError(f"no point is between low = {low!r} and high = {high!r}")
    middle = [0.0] * size if start is None else [float(x) for x in start]
    if spread is None:
        width = 2.0 if start is None else max(1.0, *(abs(x) for x in middle))
        bounded = start is None and (math.isfinite(bottom) or math.isfinite(top))
        if bounded and not (bottom <= 0 <= top):
            middle = [bottom + width if bottom > 0 else top - width] * size
        if start is None and math.isfinite(bottom) and math.isfinite(top):
            return [(bottom, top)] * size
    else:
        width = number("spread", spread)
        if width <= 0:
            raise ValueError(f"spread = {spread!r} is not positive")
    box = [(max(bottom, m - width), min(top, m + width)) for m in middle]
    for i, (least, most) in enumerate(box):
        if least > most:
            raise ValueError(
                f"coordinate {i} of start is {middle[i]}, and nothing within {width} of it is "
                f"between low = {low!r} and high = {high!r}"
            )
    return box


def drawn_points(
    size: int,
    start: Tensor | None = None,
    low: float | None = None,
    high: float | None = None,
    *,
    spread: float | None = None,
    hole: float = 0.0,
    contains: Callable[[Tensor], bool] | None = None,
) -> Strategy[Drawn]:
    """Points as :func:`points` draws them, each with the code and the data that make it again."""
    count("size", size, 1)
    origin = None if start is None else _start(start, size)
    box = _box(size, low, high, origin, spread)
    if number("hole", hole) < 0:
        raise ValueError(f"hole = {hole!r} is negative")
    farthest = math.sqrt(sum(max(abs(a), abs(b)) ** 2 for a, b in box))
    if farthest < hole:
        raise ValueError(f"no point of the box is as long as hole = {hole!r}")
    lows, highs = torch.tensor(box, dtype=torch.float64).T
    drawn = _few(box) if size <= FEW else _many(size, origin, box, hole)

    def inside(point: Drawn) -> bool:
        if hole > 0 and float(torch.linalg.vector_norm(point.tensor)) < hole:
            return False
        if not bool(((point.tensor >= lows) & (point.tensor <= highs)).all()):
            return False
        return contains is None or bool(contains(point.tensor))

    if size <= FEW and hole == 0 and contains is None:
        return drawn
    return drawn.filter(inside)


def _few(box: Sequence[tuple[float, float]]) -> Strategy[Drawn]:
    """Half of the points are plain throughout, where kinks and poles like to be."""
    plainest = [st.sampled_from(plain_numbers(a, b)[:9]) for a, b in box]
    generic = [plain(a, b) for a, b in box]
    return st.one_of(st.tuples(*plainest), st.tuples(*generic)).map(_of_values)


def _many(
    size: int, start: Tensor | None, box: Sequence[tuple[float, float]], hole: float
) -> Strategy[Drawn]:
    origin = torch.zeros(size, dtype=torch.float64) if start is None else start
    widths = [min(b - x, x - a) for x, (a, b) in zip(origin.tolist(), box, strict=True)]
    if min(widths) < 0:
        raise ValueError(
            "many coordinates are drawn around a start, and zero is outside of the box: pass start="
        )
    # A random direction has entries of some 1/sqrt(D), the largest about sqrt(2 log D / D).
    spread = max(min(widths), 0.0) * math.sqrt(size / (2 * math.log(2 * size)))
    radius = min(max(1.0, float(torch.linalg.vector_norm(origin))), spread)
    least = hole if start is None else 0.0
    radii = [x for x in plain_numbers(0.0, max(radius, least)) if x >= least] or [least]
    name = "" if start is None else "start"

    def make(radius: float, seed: int) -> Drawn:
        length = shown([radius])[1:-1]
        step = f"{length} * strategies.direction({size}, seed={seed})"
        code = f"{name} + {step}" if name else step
        if radius == 0:
            code, seed = name or f"torch.zeros({size}, dtype=torch.float64)", 0
        data = {"size": size, "radius": radius, "seed": seed, "start": bool(name)}
        return _drawn(code, origin, kind="around", **data)

    return st.builds(make, st.sampled_from(radii), st.integers(0, SEEDS))


def points(
    size: int,
    start: Tensor | None = None,
    low: float | None = None,
    high: float | None = None,
    *,
    spread: float | None = None,
    hole: float = 0.0,
    contains: Callable[[Tensor], bool] | None = None,
) -> Strategy[Tensor]:
    """Points (size,), float64.

    Up to :data:`FEW` coordinates are few-digit numbers and shrink to 0, 1, -1, halves, tenths; more
    are ``start + radius * direction(size, seed)`` and shrink to the start.

    Args:
        start: (size,), what to stay near; None for the origin.
        low, high: bounds of every coordinate; None for none.
        spread: how far a coordinate may be from the start; None for ``max(1, |start|_inf)``, and
            without a start for 2 where low and high do not say.
        hole: points shorter than this are left out (0 is no point of a scale-invariant loss).
        contains: further condition on a point.

    Raises:
        TypeError, ValueError: arguments that are none, or that no point meets.
    """
    drawn = drawn_points(size, start, low, high, spread=spread, hole=hole, contains=contains)
    return drawn.map(lambda point: point.tensor)


def drawn_directions(size: int) -> Strategy[Drawn]:
    """Directions as :func:`directions` draws them, each with the code and the data for it."""
    count("size", size, 1)
    axes = st.integers(0, size - 1).map(lambda i: _axis(size, i))
    if size > FEW:
        return axes | st.integers(0, SEEDS).map(
            lambda s: _drawn(
                f"strategies.direction({size}, seed={s})", kind="direction", size=size, seed=s
            )
        )

    def along(values: tuple[float, ...]) -> Drawn:
        if sum(map(bool, values)) == 1 and max(values) > 0:
            return _axis(size, values.index(max(values)))
        return _drawn(f"strategies.unit({shown(values)})", kind="unit", values=list(values))

    return axes | st.tuples(*[plain(-1.0, 1.0)] * size).filter(any).map(along)


def _axis(size: int, index: int) -> Drawn:
    code = f"strategies.basis({size}, {index})"
    return _drawn(code, kind="basis", size=size, index=index)


def directions(size: int) -> Strategy[Tensor]:
    """Unit vectors (size,), float64; they shrink to the coordinate directions.

    Raises:
        TypeError, ValueError: ``size`` is no positive integer.
    """
    return drawn_directions(size).map(lambda drawn: drawn.tensor)
