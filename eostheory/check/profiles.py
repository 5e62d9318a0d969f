"""How hard a loss is looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """Budgets, as counts so that a verdict does not depend on the machine.

    Args:
        examples: inputs per property on a small loss.
        steps: steps of gradient descent in a real run on a small loss.
    """

    name: str
    examples: int
    steps: int

    def inputs(self, size: int) -> int:
        """Inputs per property for a loss of ``size`` parameters: fewer where each costs more."""
        if size <= 64:
            return self.examples
        return max(5, self.examples // (4 if size <= 1000 else 10))


PROFILES = {
    "quick": Profile("quick", 20, 300),
    "default": Profile("default", 60, 1000),
    "thorough": Profile("thorough", 400, 5000),
}


def profile_named(name: str) -> Profile:
    """The profile of that name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in PROFILES:
        raise ValueError(f"profile is {name!r}, expected one of {', '.join(PROFILES)}")
    return PROFILES[name]
