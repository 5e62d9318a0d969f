"""The linear program behind a contradiction: exact weights, and squares that the dual asks for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from eostheory.symbolic.products import Term
from eostheory.symbolic.smt import ONE, Monomial, Polynomial, Sign, product, times

_ROOTS, _ROUNDS = 24, 100


class Program:
    """The linear program: non-negative weights of a vanishing sum with a strict term."""

    def __init__(self, terms: list[Term]) -> None:
        self.terms = list(terms)
        self.rows: dict[Monomial, int] = {}
        for term in terms:
            for mono in term.value:
                self.rows.setdefault(mono, len(self.rows))
        self.last = len(self.rows)

    def table(self) -> Any:
        """One row per monomial and one for the strict terms; one column per term."""
        from scipy.sparse import coo_matrix

        entries = [
            (self.rows[mono], j, float(c))
            for j, term in enumerate(self.terms)
            for mono, c in term.value.items()
        ]
        entries += [(self.last, j, 1.0) for j, term in enumerate(self.terms) if term.strict]
        i, j, c = zip(*entries, strict=True)
        return coo_matrix((c, (i, j)), shape=(self.last + 1, len(self.terms))).tocsr()

    def target(self) -> Any:
        """The right-hand side."""
        import numpy as np

        return np.eye(1, self.last + 1, self.last)[0]

    def weights(self, deadline: float) -> list[Fraction] | None:
        """Exact weights, None when there are none or time is up."""
        import numpy as np
        from scipy.optimize import linprog

        # a small price on every term keeps the identity short; simplex returns a vertex
        prices = np.array([1.0 + len(t.factors) + 2 * len(t.square) for t in self.terms])
        answer = linprog(
            prices,
            A_eq=self.table(),
            b_eq=self.target(),
            method="highs-ds",
            options={"time_limit": max(0.01, deadline - time.process_time())},
        )
        if answer.status != 0:
            return None
        return self.exact([k for k, weight in enumerate(answer.x) if weight > 1e-11])

    def functional(self, deadline: float) -> dict[Monomial, float] | None:
        """A functional on polynomials that is <= 0 on every term; None when there is none."""
        import numpy as np
        from scipy.optimize import linprog
        from scipy.sparse import hstack, identity

        table, slack = self.table(), identity(self.last + 1, format="csr")
        prices = np.concatenate([np.zeros(len(self.terms)), np.ones(2 * (self.last + 1))])
        wide = hstack([table, slack, -slack], format="csr")
        answer = linprog(
            prices,
            A_eq=wide,
            b_eq=self.target(),
            method="highs",
            options={"time_limit": max(0.01, deadline - time.process_time())},
        )
        if answer.status != 0 or answer.fun < 1e-9:
            return None
        return {mono: float(answer.eqlin.marginals[row]) for mono, row in self.rows.items()}

    def squares(self, known: list[Sign], deadline: float) -> list[Fraction] | None:
        """Weights after adding squares, of whole polynomials, that the dual asks for."""
        pool: list[tuple[tuple[int, ...], Polynomial]] = [((), {ONE: Fraction(1)})]
        pool += [((i,), k.poly) for i, k in enumerate(known) if k.relation != "=="]
        for _ in range(_ROUNDS):
            functional = self.functional(deadline)
            if functional is None or time.process_time() > deadline:
                return None
            before = len(self.terms)
            for chosen, value in pool:
                for root in asked(functional, value, list(self.rows)):
                    grown = times(value, times(root, root))
                    if all(mono in self.rows for mono in grown):
                        self.terms.append(Term(chosen, ONE, root, grown, False))
            if len(self.terms) == before:
                return None
            weights = self.weights(deadline)
            if weights is not None:
                return weights
        return None

    def exact(self, chosen: list[int]) -> list[Fraction] | None:
        """The exact weights on the columns of a vertex."""
        from flint import fmpq, fmpq_mat

        terms = [self.terms[k] for k in chosen]
        monomials = sorted({mono for term in terms for mono in term.value})
        row = {mono: n for n, mono in enumerate(monomials)}
        table = fmpq_mat(len(row) + 1, len(chosen) + 1)
        for n, term in enumerate(terms):
            for mono, c in term.value.items():
                table[row[mono], n] = fmpq(c.numerator, c.denominator)
            table[len(row), n] = fmpq(int(term.strict))
        table[len(row), len(chosen)] = fmpq(1)
        reduced, rank = table.rref()
        if rank != len(chosen):
            return None
        weights = [Fraction(0)] * len(self.terms)
        for n in range(rank):
            pivot = next(k for k in range(len(chosen) + 1) if reduced[n, k] != 0)
            if pivot == len(chosen):
                return None  # no exact solution on this support
            value = reduced[n, len(chosen)]
            weights[chosen[pivot]] = Fraction(int(value.p), int(value.q))
        return weights if min(weights) >= 0 else None


def asked(
    functional: dict[Monomial, float], value: Polynomial, known: list[Monomial]
) -> Iterator[Polynomial]:
    """Roots of squares on which, times ``value``, the functional is positive."""
    import numpy as np

    def at(a: Monomial, b: Monomial) -> float | None:
        total = 0.0
        for mono, c in value.items():
            entry = functional.get(product(mono, product(a, b)))
            if entry is None:
                return None
            total += float(c) * entry
        return total

    basis = [m for m in known if at(m, m) is not None][:_ROOTS]
    if ONE not in basis and at(ONE, ONE) is not None:
        basis.append(ONE)
    if len(basis) < 2:
        return
    entries = [[at(a, b) or 0.0 for b in basis] for a in basis]
    values, vectors = np.linalg.eigh(np.array(entries))
    for eigenvalue, vector in zip(values[::-1], vectors.T[::-1], strict=True):
        if eigenvalue <= 1e-9:
            return
        for size in (1, 3, 12, 1000):
            scaled = vector / vector[np.argmax(np.abs(vector))]
            rational = [Fraction(float(x)).limit_denominator(size) for x in scaled]
            yield {m: c for m, c in zip(basis, rational, strict=True) if c}
