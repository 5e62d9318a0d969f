"""A derivation: definitions, hypotheses as relations, and decisions about statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from eostheory.formula import (
    Equation,
    Expr,
    FormSymbol,
    Inequality,
    OrderBound,
    Predicate,
    ShapeError,
    Statement,
    Symbol,
    forms_of,
    symbols_of,
    vector,
)
from eostheory.formula.core import Dim
from eostheory.symbolic import lemmas, relations
from eostheory.symbolic.decision import Decision, Rigor
from eostheory.symbolic.derivatives import directional, riesz, strip
from eostheory.symbolic.equations import decide_equation
from eostheory.symbolic.instances import Supply
from eostheory.symbolic.lift import Lift
from eostheory.symbolic.lower import Kernel
from eostheory.symbolic.scalars import Poly, Undefined
from eostheory.symbolic.witnesses import undefined_statement

if TYPE_CHECKING:
    import sympy

Table = Mapping[Any, Any]


class Model:
    """The derivation's interpretation of the symbols of a statement.

    Args:
        withheld: names of hypotheses to leave out; everything tagged by them is ignored.

    ``patience`` (seconds) is how long one search of a solver may take.  ``generic`` says that the
    generators range over *everything* that the relations and assumptions allow, so that random
    instances may refute; set it to False when more is known about them than is declared (only
    example() refutes then).  ``thorough`` tries a sum of squares where the solver gives up; lemmas
    always do.
    """

    def __init__(self, withheld: frozenset[str] = frozenset()) -> None:
        self.withheld = frozenset(withheld)
        self.kernel = Kernel()
        self.lift = Lift(self.kernel.field, self.kernel.words)
        self.patterns: set[Symbol] = set()
        self.relations: list[tuple[Expr, Expr, str]] = []
        self.assumptions: list[tuple[Inequality, str]] = []
        self.facts: list[tuple[Inequality, str]] = []
        self.learned: dict[Inequality, Poly] = {}
        self.lemmas: dict[str, tuple[frozenset[str], Rigor]] = {}
        self.bounds: list[tuple[Expr, str]] = []
        self.landaus: set[Symbol] = set()
        self.unbounded: set[Symbol] = set()
        self.predicates: dict[str, Callable[..., Decision]] = {}
        self.steps: list[tuple[str, str]] = []
        self.rests_on: list[str] = []
        self.examples: list[Callable[[], Table]] = []
        self.patience = 1.0
        self.thorough = False
        self.generic = True
        self.kernel.signs.oracle = self._ask
        self.seen: dict[Expr, None] = {}
        self._fresh = count()
        self._supply: Supply | None = None
        self._covered: tuple[set[Symbol], set[FormSymbol]] = (set(), set())

    # ------------------------------------------------------------------ the derivation
    def define(self, symbol: Symbol, value: Expr | sympy.Expr) -> Expr:
        """``symbol := value``, in other symbols; returns the symbol.

        Raises:
            ValueError: for a second definition or a circular one.
            ShapeError: when the shapes differ.
        """
        expr = value if isinstance(value, Expr) else self.from_sympy(value)
        if symbol in self.kernel.definitions:
            raise ValueError(f"{symbol.name} is defined already, as "
                             f"{self.kernel.definitions[symbol]}")  # fmt: skip
        if symbol.shape != expr.shape:
            raise ShapeError(f"{symbol.name} has shape {symbol.shape}, its value {expr.shape}")
        self._refuse_cycle(symbol, expr)
        self.kernel.definitions[symbol] = expr
        self.kernel.forget()
        self._supply = None
        return symbol

    def _refuse_cycle(self, symbol: Symbol, expr: Expr) -> None:
        seen: set[Symbol] = set()
        todo = list(symbols_of(expr))
        while todo:
            current = todo.pop()
            if current == symbol:
                raise ValueError(f"the definition of {symbol.name} refers to itself")
            if current not in seen:
                seen.add(current)
                if current in self.kernel.definitions:
                    todo.extend(symbols_of(self.kernel.definitions[current]))

    def from_sympy(self, value: sympy.Expr) -> Expr:
        """A sympy scalar as a formula; symbols are matched by name with those known."""
        from eostheory.symbolic.convert import from_sympy

        known = {s.name: s for s in self.kernel._traits if s.shape == ()}
        for symbol, expr in self.kernel.definitions.items():
            known |= {s.name: s for s in (symbol, *symbols_of(expr)) if s.shape == ()}
        return from_sympy(value, known)

    def relation(self, lhs: Expr, rhs: Expr | int, by: str) -> None:
        """The hypothesis ``by`` as a rewriting rule ``lhs -> rhs``.

        ``lhs`` must come down to one word (``H @ v``, ``P @ P``), one form of vectors
        (``T(v, v)``, with pattern vectors ``T(phi, x)``) or one product of scalars
        (``dot(g, w)``, ``norm2(v)``).
        """
        if by not in self.withheld:
            relations.add(self, lhs, rhs, by)
            self._supply = None

    def fully_symmetric(self, form: FormSymbol, by: str = "") -> None:
        """``form`` is a derivative tensor: <T(a, b), c> is symmetric in a, b and c too."""
        if by not in self.withheld or not by:
            self.kernel.words.symmetric_forms[form] = by
            self.kernel.forget()

    def any_vector(self, dim: Dim) -> Symbol:
        """A pattern that stands for every vector of size ``dim`` in a relation on forms."""
        pattern = vector(f"any_{next(self._fresh)}", dim, latex="x")
        self.patterns.add(pattern)
        return pattern

    def assume(self, condition: Inequality, by: str = "") -> None:
        """Restrict the domain of the generators."""
        if by and by in self.withheld:
            return
        self.assumptions.append((condition, by))
        self.kernel.forget()
        self._supply = None
        relations.learn(self, condition, by)
        relations.learn_again(self)

    def lemma(
        self,
        name: str,
        statement: Inequality,
        given: Sequence[Inequality] = (),
        where: Mapping[Expr, Expr] | None = None,
    ) -> Decision:
        """Prove an intermediate bound and keep it as a fact, tagged by what it rests on.

        Args:
            name: shown in the narrative; unique.
            statement: the bound; a fact from now on, if it holds.
            given: the only bounds that the proof may use (each is proved here first), so that the
                solver sees a small problem.  Everything known is used when nothing is given.
            where: fresh letters of ``statement`` and ``given`` -> the formulas they stand for.

        Returns:
            The answer; nothing is kept unless it is ``holds``.
        """
        return lemmas.prove(self, name, statement, given, where or {})

    def example(self, table: Table | Callable[[], Table]) -> None:
        """An exact instance of the derivation, to refute false statements with.

        Its values are ints, Fractions, sympy numbers, or nested tuples of them; forms are given
        as a callable of exact vectors.  It must satisfy every relation and assumption.
        """
        self.examples.append(table if callable(table) else lambda: table)
        self._supply = None

    def supply(self) -> Supply:
        """The checked instances of this derivation."""
        if self._supply is None:
            self._supply = Supply(self)
        return self._supply

    def bound(self, monomial: Expr, by: str = "") -> None:
        """``monomial = O(1)``, for order bookkeeping."""
        if not by or by not in self.withheld:
            self.bounds.append((monomial, by))

    def landau(self, name: str, shape: tuple[Dim, ...] = ()) -> Symbol:
        """A bounded unknown: a remainder O(X) is written ``landau * X``."""
        symbol = Symbol(name, shape, rf"O_{{\mathrm{{{name}}}}}")
        if symbol in self.landaus:
            raise ValueError(f"the remainder {name} exists already")
        self.landaus.add(symbol)
        return symbol

    def predicate(self, name: str, decide: Callable[..., Decision]) -> None:
        """The decision procedure of ``Predicate(name, ...)``; it receives the arguments."""
        self.predicates[name] = decide

    def step(self, text: str, latex: str = "") -> None:
        """A line of narrative."""
        self.steps.append((text, latex))

    def uses(self, claim_id: str) -> None:
        """The derivation rests on another claim."""
        self.rests_on.append(claim_id)

    def taylor(
        self, name: str, z: Expr, order: int, letter: str = "", small: Expr | None = None
    ) -> Expr:
        """``1/(1+z)``, ``sqrt(1+z)``, ``1/sqrt(1+z)``, ``log(1+z)`` or ``exp(z)`` for small ``z``.

        The terms below ``z**order`` plus a remainder letter times ``z**order``.  The letter is
        bounded where ``|z| <= 1/2``.  Give ``small``, a quantity that tends to zero: unless the
        bounds make ``z = O(small)``, nothing is known about the letter; and the hypotheses that
        make it so count as used wherever the letter occurs.
        """
        from eostheory.symbolic.taylor import expand

        return expand(self, name, z, order, letter, small).value

    # --------------------------------------------------------------------- calculation
    def normal(self, expr: Expr) -> Expr:
        """The normal form in the generators, as a formula."""
        value = self.kernel.lower(expr)
        if isinstance(value, Poly):
            value = self.kernel.powers.canonical(value)
        return self.lift.formula(value, expr.shape)

    def derived(self, symbol: Symbol) -> Expr | None:
        """The value of a symbol that is defined or rewritten by a relation, None for a free one."""
        normal = self.normal(symbol)
        return None if normal == symbol else normal

    def differentiate(self, expr: Expr, wrt: Symbol, direction: Expr) -> Expr:
        """``d/ds expr(wrt + s * direction)`` at ``s = 0``; ``wrt`` is a free symbol."""
        return directional(self.kernel, expr, wrt, direction)

    def gradient(self, expr: Expr, wrt: Symbol) -> Expr:
        """The gradient of a scalar with respect to a scalar, vector or matrix symbol."""
        if expr.shape != ():
            raise ShapeError(f"gradient of {expr} of shape {expr.shape}: a scalar was expected")
        if wrt.shape == ():
            return self.differentiate(expr, wrt, relations.number(1))
        along = Symbol(f"along_{next(self._fresh)}", wrt.shape, traits=wrt.traits)
        letter = next(iter(self.kernel.words.of_symbol(along).terms))[0]
        linear = self.kernel.scalar(directional(self.kernel, expr, wrt, along))
        return self.lift.formula(riesz(self.kernel, linear, letter), wrt.shape)

    def hessian(self, expr: Expr, wrt: Symbol) -> Expr:
        """The Hessian of a scalar with respect to a vector symbol."""
        if expr.shape != () or len(wrt.shape) != 1:
            raise ShapeError("the Hessian is of a scalar with respect to a vector")
        first = Symbol(f"along_{next(self._fresh)}", wrt.shape)
        letter = next(iter(self.kernel.words.of_symbol(first).terms))[0]
        slope = directional(self.kernel, expr, wrt, first)
        second = Symbol(f"along_{next(self._fresh)}", wrt.shape)
        other = next(iter(self.kernel.words.of_symbol(second).terms))[0]
        twice = self.kernel.scalar(directional(self.kernel, slope, wrt, second))
        linear = riesz(self.kernel, twice, letter)
        return self.lift.formula(strip(self.kernel, linear, other), (*wrt.shape, *wrt.shape))

    # ------------------------------------------------------------------------ decisions
    def decide(self, statement: Statement, refute: bool = True) -> Decision:
        """Judge a statement; never raises for a statement that merely makes no sense.

        With ``refute=False`` no counterexample is searched: what does not hold is undecided.
        """
        return lemmas.unfold(self, self._decide(statement, refute))

    def _decide(self, statement: Statement, refute: bool) -> Decision:
        if refute:
            self._note_symbols(statement)
        try:
            match statement:
                case Equation():
                    return decide_equation(self, statement, refute)
                case Inequality():
                    from eostheory.symbolic.inequalities import decide_inequality

                    return decide_inequality(self, statement, refute)
                case OrderBound():
                    from eostheory.symbolic.orders import decide_order

                    return decide_order(self, statement, refute)
                case Predicate():
                    return self._decide_predicate(statement)
        except Undefined as error:
            if not refute:
                return Decision("undecided", tried=(f"undefined: {error}",))
            return undefined_statement(self, statement, str(error))
        except RecursionError:
            return Decision("undecided", method="normal form", tried=("the relations loop",))
        raise TypeError(f"no statement: {statement!r}")

    def is_order(self, expr: Expr, order: Expr) -> bool:
        """Whether ``expr = O(order)`` follows from the bounds; without certificate or witness."""
        from eostheory.symbolic.orders import facts_for

        return facts_for(self, expr, order) is not None

    def _note_symbols(self, statement: Statement) -> None:
        """Instances must cover every generator of the statements; a new one makes new instances."""
        exprs = (
            statement.args if isinstance(statement, Predicate) else (statement.lhs, statement.rhs)
        )
        symbols, forms = self.free(*exprs)
        if not (symbols <= self._covered[0] and forms <= self._covered[1]):
            self._covered = (self._covered[0] | symbols, self._covered[1] | forms)
            self.seen.update(dict.fromkeys(exprs))
            self._supply = None

    def _decide_predicate(self, statement: Predicate) -> Decision:
        procedure = self.predicates.get(statement.name)
        if procedure is None:
            return Decision("undecided", tried=(f"no procedure for {statement.name!r}",))
        return procedure(*statement.args)

    def satisfiable(self) -> bool | None:
        """Whether the assumptions can be met; None when unknown."""
        from eostheory.symbolic.inequalities import satisfiable

        return satisfiable(self)

    def _ask(self, poly: Poly) -> tuple[str, frozenset[str]]:
        from eostheory.symbolic.inequalities import oracle

        return oracle(self, poly)

    def free(self, *exprs: Expr) -> tuple[set[Symbol], set[FormSymbol]]:
        """The generators that formulas come down to."""
        symbols: set[Symbol] = set()
        forms: set[FormSymbol] = set()
        todo = list(exprs)
        seen: set[Symbol] = set()
        while todo:
            expr = todo.pop()
            forms |= forms_of(expr)
            for symbol in symbols_of(expr):
                definition = self.kernel.definitions.get(symbol)
                if definition is None:
                    symbols.add(symbol)
                elif symbol not in seen:
                    seen.add(symbol)
                    todo.append(definition)
        return symbols, forms


__all__ = ["Model", "Undefined"]
