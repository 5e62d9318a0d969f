"""From ``package.module:function`` or ``path.py:function`` to the arguments of ``check_loss``.

What the name may stand for:

- a callable with one required argument: the loss, of a flat tensor;
- a sympy expression, or anything else that ``check_loss`` takes as its loss;
- a mapping of keyword arguments of ``check_loss``, among them ``loss``;
- a callable without required arguments: it is called, and returns one of the above.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

_FILES: dict[str, str] = {}
"""Where modules that were loaded from a file came from, by the name they got."""
_FORM = "expected package.module:function or path.py:function"


class TargetError(ValueError):
    """A target that gives no loss; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True, eq=False)
class Target:
    """A loss that can be imported again.

    Args:
        text: as it was written.
        arguments: keyword arguments of ``check_loss``, ``loss`` among them.
    """

    text: str
    arguments: Mapping[str, Any] = field(repr=False)


def load(text: str) -> Target:
    """Import what ``text`` names.

    A file is loaded under a name of its own, with its folder on the path, as ``python path.py``
    would; for a module the current folder is on the path, as with ``python -m``.

    Raises:
        TargetError: there is no such module or name, its import fails, or it is no loss.
    """
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise TargetError(f"{text!r} is no target; {_FORM}")
    is_file = place.endswith(".py") or "/" in place or "\\" in place
    module = _from_file(place) if is_file else _from_module(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise TargetError(_no_such_name(place, module, found, part))
        found = getattr(found, part)
    return Target(text, arguments_of(found, text))


def arguments_of(value: object, text: str = "the loss") -> dict[str, Any]:
    """Keyword arguments of ``check_loss`` from a loss, a mapping, or a factory of one of them.

    Args:
        text: how messages call it.

    Raises:
        TargetError: it needs two arguments or more, or a factory fails or returns no loss.
    """
    if _is_factory(value):
        made = _call(value, text)
        if _is_factory(made):
            raise TargetError(f"{text}() returns {_kind(made)} that takes no argument; no loss")
        return _arguments(made, f"{text}()")
    return _arguments(value, text)


def place_of(module: str) -> str | None:
    """The file, as it was written, from which a module of this name was loaded; or None."""
    return _FILES.get(module)


def name_of(value: object) -> str:
    """How a loss, a mapping or a factory is called in ids and reports, without calling it."""
    if isinstance(value, Mapping):
        return str(value.get("name") or name_of(value.get("loss")))
    for source in (value, type(value)):
        for key in ("name", "__name__"):
            found = getattr(source, key, None)
            if isinstance(found, str) and found:
                return "lambda" if found == "<lambda>" else found
    return "loss"


def _arguments(value: object, text: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        if "loss" not in value:
            keys = ", ".join(map(repr, value)) or "nothing"
            raise TargetError(f"{text} is a mapping without 'loss' (it has {keys})")
        _known_keywords(value, text)
        return dict(value)
    if value is None or isinstance(value, str | bytes | int | float | list | set | ModuleType):
        raise TargetError(
            f"{text} is {_kind(value)}, no loss: it must be a function of a flat tensor, a sympy "
            "expression, or a function without arguments that returns a dict of keyword arguments "
            "of check_loss"
        )
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        raise TargetError(f"{text} is a tensor, no loss: name the function that computes it")
    if torch is not None and isinstance(value, torch.nn.Module) and [*value.parameters()]:
        raise TargetError(
            f"{text} is a module without data; write a function without arguments that returns "
            '{"loss": module, "data": (inputs, targets), "criterion": torch.nn.MSELoss()}'
        )
    required = _required(value)
    if required is not None and len(required) > 1:
        raise TargetError(
            f"{text} needs {len(required)} arguments ({', '.join(required)}); a loss takes one "
            "flat tensor: give the others a value with functools.partial or a lambda"
        )
    return {"loss": value}


def _known_keywords(given: Mapping[str, Any], text: str) -> None:
    from eostheory.check.engine import check_loss

    known = list(inspect.signature(check_loss).parameters)
    for key in given:
        if key not in known:
            raise TargetError(
                f"{text} has the key {key!r}, which is no argument of check_loss"
                f"{_nearest(str(key), known)}"
            )


def _is_factory(value: object) -> bool:
    return callable(value) and _required(value) == []


def _required(value: object) -> list[str] | None:
    """Names of the arguments that a callable must be given; None where that is not known."""
    if not callable(value):
        return None
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return None
    return [
        p.name
        for p in parameters
        if p.default is p.empty and (p.kind in positional or p.kind is p.KEYWORD_ONLY)
    ]


def _call(factory: Any, text: str) -> object:
    try:
        return factory()
    except Exception as problem:  # of the user's function, which may raise anything
        raise TargetError(f"{text}() fails: {_last_line(problem)}") from problem


def _from_module(place: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as problem:
        missing = problem.name or ""
        if place == missing or place.startswith(f"{missing}."):
            raise TargetError(
                f"no module {missing!r} in {here} or on Python's path; {_FORM}"
            ) from problem
        raise _import_error(place, problem) from problem
    except (Exception, SystemExit) as problem:
        raise _import_error(place, problem) from problem


def _from_file(place: str) -> ModuleType:
    path = Path(place).expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise TargetError(f"{place}: {what}; {_FORM}")
    path = path.resolve()
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # the same file is the same module; two files of one name are two
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{place}: no Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _FILES[name] = place
    try:
        spec.loader.exec_module(module)
    except BaseException as problem:
        del sys.modules[name]
        if isinstance(problem, Exception | SystemExit):
            raise _import_error(place, problem) from problem
        raise
    return module


def _import_error(place: str, problem: BaseException) -> TargetError:
    return TargetError(f"{place} cannot be imported: {_last_line(problem)}")


def _last_line(problem: BaseException) -> str:
    """The exception in one line, with the line of the user's file that raised it."""
    text = "".join(traceback.format_exception_only(problem)).strip().splitlines()[-1]
    if isinstance(problem, SyntaxError):
        return f"{text} ({problem.filename}, line {problem.lineno})"
    frames = [
        f
        for f in traceback.extract_tb(problem.__traceback__)
        if not f.filename.startswith("<frozen") and f.filename != __file__
    ]
    if not frames:
        return text
    own = [f for f in frames if "site-packages" not in f.filename]
    frame = (own or frames)[-1]
    return f"{text} ({frame.filename}, line {frame.lineno})"


def _no_such_name(place: str, module: ModuleType, owner: object, name: str) -> str:
    public = [n for n in vars(owner) if not n.startswith("_")] if hasattr(owner, "__dict__") else []
    own = [n for n in public if _defined_in(getattr(owner, n, None), module)]
    called = getattr(owner, "__name__", None) or _kind(owner)
    where = place if owner is module else f"{called} in {place}"
    has = f"; it defines {', '.join(own[:8])}" if own else "; it defines no function"
    return f"{where} has no {name!r}{_nearest(name, public) or has}"


def _defined_in(value: object, module: ModuleType) -> bool:
    return getattr(value, "__module__", None) == module.__name__ and callable(value)


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), 3, 0.6)
    return f"; nearest: {', '.join(found)}" if found else ""


def _kind(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, ModuleType):
        return f"the module {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
