"""A declared chart ``t -> w`` of the manifold of minimizers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from eostheory.check.subject import Subject


def chart_arity(subject: Subject) -> int | None:
    """The smallest k for which the declared chart takes t of shape (k,); None if there is none."""
    chart, like = subject.declared.manifold, subject.start
    if chart is None:
        return None
    for k in range(1, len(like) + 1):
        try:
            w = chart(torch.full((k,), 0.7, dtype=like.dtype, device=like.device))
        except Exception:  # of the user's chart, which wants another k
            continue
        if isinstance(w, Tensor) and w.shape == like.shape:
            return k
    return None


def chart_points(subject: Subject, count: int, seed: int) -> list[Tensor]:
    """Finite points (D,) of the declared chart in the domain, at random t."""
    chart, arity, like = subject.declared.manifold, chart_arity(subject), subject.start
    found: list[Tensor] = []
    if chart is None or arity is None:
        return found
    draw = torch.Generator().manual_seed(seed)
    for _ in range(20 * count):
        t = 2 * torch.rand(arity, generator=draw, dtype=torch.float64).to(like) - 1
        try:
            w = chart(t).detach()
        except Exception:  # of the user's chart; the check of the manifold says so
            continue
        if bool(torch.isfinite(w).all()) and w in subject.domain:
            found.append(w)
        if len(found) == count:
            break
    return found


def jacobian_of(chart: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    """(D, k), the derivative of the chart at t; zero where it does not depend on t."""
    leaf = t.detach().clone().requires_grad_(True)
    w = chart(leaf)
    rows = []
    for entry in w:
        row = None
        if entry.requires_grad:
            (row,) = torch.autograd.grad(entry, leaf, retain_graph=True, allow_unused=True)
        rows.append(torch.zeros_like(t) if row is None else row)
    return torch.stack(rows)
