"""The papers' experiments: declared in one place each, run by one command, resumable."""

from eostheory.experiments.catalogue import UnknownExperiment, experiment, names
from eostheory.experiments.data import DataError
from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.results import Results
from eostheory.experiments.runner import Outcome, describe, run
from eostheory.experiments.session import OutputError, Session
from eostheory.experiments.settings import SettingError
from eostheory.training import CheckpointError, RecordError

__all__ = [
    "CheckpointError",
    "DataError",
    "Experiment",
    "Finding",
    "Outcome",
    "OutputError",
    "Plot",
    "RecordError",
    "Results",
    "Session",
    "SettingError",
    "UnknownExperiment",
    "describe",
    "experiment",
    "names",
    "run",
    "setting",
]
