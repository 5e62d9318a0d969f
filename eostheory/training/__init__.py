"""Training dynamics of real models: gradient descent and its flows, measured and recorded."""

from __future__ import annotations

from eostheory.training.checkpoint import CheckpointError, digest
from eostheory.training.record import Recorder, RecordError, Records, read_records

__all__ = ["CheckpointError", "RecordError", "Recorder", "Records", "digest", "read_records"]
