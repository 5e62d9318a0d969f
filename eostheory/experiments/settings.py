"""Settings from text: checked names, types and bounds."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

from eostheory.experiments.experiment import Experiment


class SettingError(ValueError):
    """A setting that an experiment does not have, or a value that it cannot take."""


def chosen(
    experiment: Experiment,
    assignments: Sequence[str] = (),
    *,
    variant: str = "",
    values: Mapping[str, Any] | None = None,
) -> Any:
    """The settings of a run.

    Args:
        assignments: texts ``name=value``; the last one of a name counts.
        variant: a named set of changes, applied first.
        values: settings as Python values, applied between the two.

    Raises:
        SettingError: unknown variant or name, or a value of the wrong type or out of bounds; the
            message says what is allowed.
    """
    changes: dict[str, Any] = {}
    if variant:
        if variant not in experiment.variants:
            known = ", ".join(experiment.variants) or "none"
            raise SettingError(f"{experiment.name} has no variant {variant!r}; it has: {known}")
        changes |= experiment.variants[variant]
    changes |= values or {}
    hints = get_type_hints(experiment.settings)
    known_names = [f.name for f in experiment.fields()]
    for name in changes:
        _known(experiment, name, known_names)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise SettingError(f"{assignment!r} is no setting; write name=value")
        _known(experiment, name, known_names)
        changes[name] = parsed(text.strip(), hints[name], name)
    settings = experiment.settings(**changes)
    for field in experiment.fields():
        _bounded(field, getattr(settings, field.name))
    return settings


def listed(experiment: Experiment, texts: Sequence[str]) -> dict[str, list[Any]]:
    """The values by name of texts ``name=value,value``; values of tuples are parted by ``;``.

    A name alone stands for the values that the experiment gives for its sweep.

    Raises:
        SettingError: unknown name, no value, or one of the wrong type.
    """
    hints = get_type_hints(experiment.settings)
    found: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        _known(experiment, name, [f.name for f in experiment.fields()])
        if not equals and name in experiment.sweep:
            found[name] = list(experiment.sweep[name])
            continue
        mark = ";" if get_origin(hints[name]) is tuple else ","
        pieces = [piece.strip() for piece in values.split(mark) if piece.strip()]
        if not pieces:
            raise SettingError(f"{text!r} gives {name} no values; write {name}=1,2,3")
        found[name] = [parsed(piece, hints[name], name) for piece in pieces]
    return found


def _known(experiment: Experiment, name: str, known: Sequence[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise SettingError(
            f"{experiment.name} has no setting {name!r}{hint} It has: {', '.join(known)}"
        )


def parsed(text: str, kind: Any, name: str) -> Any:
    """``text`` as a value of the annotated type: int, float, bool, str, or a tuple of one type."""
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        pieces = [piece for piece in text.strip("()[]").split(",") if piece.strip()]
        return tuple(parsed(piece.strip(), item, name) for piece in pieces)
    if kind is str:
        return text
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
        if kind is int:
            value = float(text)
            if value != int(value):
                raise ValueError
            return int(value)
        return float(text)
    except (ValueError, KeyError, OverflowError):
        expected = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise SettingError(f"{name} is {text!r}, expected {expected}") from None


def _bounded(field: dataclasses.Field[Any], value: Any) -> None:
    about = field.metadata
    for one in value if isinstance(value, tuple) else (value,):
        if about["choices"] and one not in about["choices"]:
            raise SettingError(
                f"{field.name} is {one!r}, expected one of {', '.join(about['choices'])}"
            )
        if isinstance(one, bool | str):
            continue
        if not math.isfinite(one):
            raise SettingError(f"{field.name} is {one!r}, expected a finite number")
        if about["least"] is not None and one < about["least"]:
            raise SettingError(f"{field.name} is {one!r}, expected at least {about['least']}")
        if about["most"] is not None and one > about["most"]:
            raise SettingError(f"{field.name} is {one!r}, expected at most {about['most']}")


def as_json(settings: Any) -> dict[str, Any]:
    """Settings as JSON holds them."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(settings).items()
    }


def from_json(experiment: Experiment, document: Mapping[str, Any]) -> Any:
    """Settings from what :func:`as_json` wrote.

    Raises:
        SettingError: they are not of this experiment.
    """
    values = {n: tuple(v) if isinstance(v, list) else v for n, v in document.items()}
    return chosen(experiment, values=values)
