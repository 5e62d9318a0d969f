"""The papers' experiments: declared in one place each, run by one command, resumable."""

from eostheory.experiments.catalogue import UnknownExperiment, experiment, names
from eostheory.experiments.data import DataError
from eostheory.experiments.device import DeviceError
from eostheory.experiments.distributed import DistributedError, Processes, processes
from eostheory.experiments.experiment import Experiment, Finding, Plot, setting
from eostheory.experiments.parallel import ProcessLost
from eostheory.experiments.results import Results
from eostheory.experiments.runner import Outcome, describe, run
from eostheory.experiments.session import OutputError, Session
from eostheory.experiments.settings import SettingError
from eostheory.numeric.events import NumericEvent, OutOfMemory
from eostheory.training import CheckpointError, RecordError

__all__ = [
    "CheckpointError",
    "DataError",
    "DeviceError",
    "DistributedError",
    "Experiment",
    "Finding",
    "NumericEvent",
    "OutOfMemory",
    "Outcome",
    "OutputError",
    "Plot",
    "ProcessLost",
    "Processes",
    "RecordError",
    "Results",
    "Session",
    "SettingError",
    "UnknownExperiment",
    "describe",
    "experiment",
    "names",
    "processes",
    "run",
    "setting",
]
