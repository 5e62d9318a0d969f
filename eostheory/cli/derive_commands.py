"""What the commands of ``eostheory derive`` do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sympy
import typer

from eostheory import derive
from eostheory.cli.guard import fail
from eostheory.derive.grammar import parse_name, parse_relation
from eostheory.derive.result import Derived
from eostheory.derive.torch_code import Unsupported

_USAGE = 2


@dataclass(frozen=True)
class Show:
    """How to print: text unless one of these is chosen."""

    latex: bool = False
    json: bool = False
    torch: str = ""

    def __call__(self, *results: Derived) -> None:
        """Print the results."""
        if self.torch:
            self._torch(results)
        elif self.json:
            documents = [r.as_dict() for r in results]
            typer.echo(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))
        else:
            typer.echo("\n\n".join(r.latex() if self.latex else str(r) for r in results))

    def _torch(self, results: Sequence[Derived]) -> None:
        for result in results:
            if self.torch.partition("[")[0] in result.shown:
                typer.echo(result.to_torch(self.torch).source, nl=False)
                return
        known = ", ".join(k for r in results for k, _ in r.values())
        fail(f"no value {self.torch!r}; there are {known}", _USAGE)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """What a user can do wrong becomes a message and exit code 2."""
    try:
        yield
    except (derive.DerivationError, Unsupported) as reason:
        fail(str(reason), _USAGE)


@dataclass(frozen=True)
class Reader:
    """Reads formulas with the same positive symbols."""

    positive: frozenset[str]

    @staticmethod
    def of(positive: Sequence[str]) -> Reader:
        """From the values of ``--positive``, each a name or several with commas."""
        return Reader(frozenset(names(positive)))

    def __call__(self, text: str) -> sympy.Expr:
        """A formula."""
        return derive.parse(text, self.positive)

    def symbol(self, name: str) -> sympy.Symbol:
        """A symbol."""
        kind = {"positive": True} if name in self.positive else {"real": True}
        return sympy.Symbol(parse_name(name), **kind)

    def symbols(self, text: str) -> list[sympy.Symbol]:
        """Symbols between commas."""
        return [self.symbol(n) for n in names([text])]

    def conditions(self, texts: Sequence[str]) -> list[sympy.Basic]:
        """Inequalities."""
        return [parse_relation(t, self.positive) for t in texts]

    def table(self, texts: Sequence[str]) -> dict[sympy.Symbol, sympy.Expr]:
        """``NAME=VALUE`` settings, some of them perhaps with commas between them."""
        found: dict[sympy.Symbol, sympy.Expr] = {}
        for part in (p for text in texts for p in text.split(",")):
            name, equals, value = part.partition("=")
            if not equals:
                fail(f"{part!r} is no setting; write NAME=VALUE", _USAGE)
            symbol = self.symbol(name.strip())
            if symbol in found:
                fail(f"{name.strip()} is given twice", _USAGE)
            found[symbol] = self(value)
        return found


def names(texts: Sequence[str]) -> list[str]:
    """Names between commas, in order."""
    return [parse_name(n) for text in texts for n in text.split(",") if n.strip()]


def derive_loss(
    formula: str,
    params: str,
    at: Sequence[str],
    eta: str,
    top: str,
    dynamics: bool,
    positive: Sequence[str],
    given: Sequence[str],
    show: Show,
) -> None:
    """``eostheory derive loss``."""
    with guarded():
        read = Reader.of(positive)
        geometry = derive.loss(
            read(formula),
            read.symbols(params),
            at=read.table(at),
            eta=read(eta) if eta else None,
            given=read.conditions(given),
            top=read(top) if top else None,
        )
        more = (geometry.predicted_dynamics(), geometry.generalized_dynamics()) if dynamics else ()
        show(geometry, *more)


def derive_scheduler(
    update: str,
    state: str,
    gradient: str,
    rate: str,
    moment: str,
    eta: str,
    positive: Sequence[str],
    given: Sequence[str],
    show: Show,
) -> None:
    """``eostheory derive scheduler``."""
    with guarded():
        read = Reader.of(positive)
        result = derive.scheduler(
            read(update),
            state=read.symbol(state),
            gradient=read.symbol(gradient),
            rate=read(rate) if rate else None,
            moment=read(moment) if moment else None,
            eta=read.symbol(eta) if eta else None,
            given=read.conditions(given),
        )
        show(result)


def derive_batchnorm(
    inputs: str, targets: str, at: str, positive: Sequence[str], show: Show
) -> None:
    """``eostheory derive batchnorm``."""
    with guarded():
        read = Reader.of(positive)

        def row(text: str) -> list[sympy.Expr]:
            return [read(part) for part in text.split(",")]

        if not (inputs or targets or at):
            show(derive.batchnorm())
            return
        if not (inputs and targets):
            fail("give both --inputs and --targets, or neither", _USAGE)
        rows = [row(r) for r in inputs.split(";") if r.strip()]
        show(derive.batchnorm(rows, row(targets), at=row(at) if at else None))


def derive_network(depth: int, normalized: bool, show: Show) -> None:
    """``eostheory derive linear-net``."""
    with guarded():
        show(derive.linear_network(depth, normalized=normalized))


def derive_flow(
    formulas: Sequence[str],
    params: str,
    sphere: bool,
    field: bool,
    scale: bool,
    positive: Sequence[str],
    show: Show,
) -> None:
    """``eostheory derive flow``."""
    with guarded():
        read = Reader.of(positive)
        letters, exprs = read.symbols(params), [read(f) for f in formulas]
        if field:
            if sphere or scale:
                fail("--field goes with neither --sphere nor --scale", _USAGE)
            show(derive.vector_field(letters, exprs))
            return
        if len(exprs) != 1:
            fail("one loss was expected; --field reads the speeds of a vector field", _USAGE)
        if scale:
            show(derive.scale_invariance(exprs[0], letters))
        else:
            show(derive.flow(exprs[0], letters, sphere=sphere))


def derive_sharpness_flow(
    formula: str,
    params: str,
    at: Sequence[str],
    coords: str,
    sphere: bool,
    top: str,
    positive: Sequence[str],
    given: Sequence[str],
    show: Show,
) -> None:
    """``eostheory derive sharpness-flow``."""
    with guarded():
        read = Reader.of(positive)
        show(
            derive.sharpness_flow(
                read(formula),
                read.symbols(params),
                at=read.table(at),
                coords=read.symbols(coords),
                sphere=sphere,
                given=read.conditions(given),
                top=read(top) if top else None,
            )
        )
