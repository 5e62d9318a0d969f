"""What a check is given: the loss, inputs to try, and what earlier checks found."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eostheory.check.finding import Outcome, Recipe
from eostheory.check.profiles import Profile
from eostheory.check.subject import Subject

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from eostheory.check.recorded import Pinned
    from eostheory.check.run import RealRun
    from eostheory.check.structure import Structure


@dataclass(eq=False)
class Context:
    """Everything that a check may use.

    Args:
        outcomes: what was found so far, by check.
        pinned: recorded inputs to run properties on, instead of drawn ones.
    """

    subject: Subject
    profile: Profile
    seed: int = 0
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    pinned: Pinned | None = None

    @property
    def loss(self) -> Callable[[Tensor], Tensor]:
        """The loss of a flat vector."""
        return self.subject.loss

    def generator(self, name: str) -> torch.Generator:
        """Random numbers of one use, the same in every order of the checks."""
        return torch.Generator().manual_seed(zlib.crc32(f"{self.seed}:{name}".encode()))

    @cached_property
    def structure(self) -> Structure:
        """Facts about the loss that several checks share, found when first asked for."""
        from eostheory.check.structure import Structure

        return Structure(self)

    @cached_property
    def run(self) -> RealRun:
        """Real runs that several checks share, made when first asked for."""
        from eostheory.check.run import RealRun

        return RealRun(self)

    def points(self) -> SearchStrategy[Recipe]:
        """Points of the domain, small and with few digits first."""
        return self._points

    def directions(self) -> SearchStrategy[Recipe]:
        """Unit vectors (D,), coordinate directions first."""
        return self._directions

    # Made once: bounds of a million coordinates take seconds.

    @cached_property
    def _points(self) -> SearchStrategy[Recipe]:
        from eostheory.check.inputs import points

        return points(self.subject)

    @cached_property
    def _directions(self) -> SearchStrategy[Recipe]:
        from eostheory.check.inputs import directions

        return directions(self.subject)

    def property(
        self, body: Callable[..., Any], *, name: str, examples: int | None = None, **inputs: Any
    ) -> Outcome:
        """Try ``body`` on drawn inputs.

        Args:
            body: called with the drawn values by name, recipes as their tensors; raises
                :class:`~eostheory.check.finding.Violated` or
                :class:`~eostheory.check.finding.Undecided`, or returns (None, or a number to
                report: the largest is shown as measured).
            name: of the check, which fixes the draws together with the seed.
            examples: instead of the profile's number.
            inputs: Hypothesis strategies by name.

        Returns:
            pass, fail with the shrunk inputs, or unknown where no input told.  Inputs at which
            the loss is not finite count as not telling.
        """
        from eostheory.check.property import run_property

        return run_property(self, body, name, examples, inputs)
