"""The experiments that there are, by name; each is imported when it is asked for."""

from __future__ import annotations

import difflib
from importlib import import_module

from eostheory.experiments.experiment import Experiment

_MODULES = {
    "damian23/fig-2": "damian23.four_stages",
    "damian23/fig-3": "damian23.phase_portrait",
    "damian23/fig-4.mlp": "damian23.figure_4:MLP",
    "damian23/fig-4.cnn": "damian23.figure_4:CNN",
    "damian23/fig-4.transformer": "damian23.figure_4:TRANSFORMER",
    "damian23/fig-5": "damian23.several_eigenvalues",
    "lyu22/fig-1": "lyu22.low_rank",
    "lyu22/fig-2": "lyu22.vgg",
    "lyu22/fig-4": "lyu22.three_dimensions",
    "lyu22/fig-5": "lyu22.linear_regression",
    "lyu22/fig-7": "lyu22.observations",
    "lyu22/fig-9": "lyu22.resnet",
    "lyu22/fig-12": "lyu22.entrance",
    "li22/fig-1": "li22.four_phases",
    "li22/fig-2": "li22.output_layer",
    "li22/fig-3": "li22.assumptions",
    "li22/fig-4": "li22.linear_network",
    "li22/fig-11": "li22.gaussian",
    "li22/fig-12": "li22.anisotropic",
    "li22/fig-17": "li22.alignment",
    "li22/fig-20": "li22.gamma",
}
"""Module of each experiment, which defines ``EXPERIMENT`` or the name after the colon."""


class UnknownExperiment(KeyError):
    """No experiment of that name."""

    def __str__(self) -> str:
        return str(self.args[0])


def names() -> tuple[str, ...]:
    """All names, ``paper/figure``."""
    return tuple(_MODULES)


def experiment(name: str) -> Experiment:
    """The experiment of a name.

    Raises:
        UnknownExperiment: there is none; the message names the nearest.
    """
    if name not in _MODULES:
        near = difflib.get_close_matches(name, _MODULES, 1, 0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownExperiment(
            f"unknown experiment {name!r}{hint} 'eostheory run --list' shows all"
        )
    place, _, attribute = _MODULES[name].partition(":")
    module = import_module(f"eostheory.experiments.{place}")
    found = getattr(module, attribute or "EXPERIMENT")
    assert isinstance(found, Experiment)
    return found
