"""Checkpoints of one's own training runs: whole or not there, the last and the best kept, resumed to the bit."""

from modelyard.registry.checkpoints.checkpoints import Checkpoints
from modelyard.registry.checkpoints.errors import CheckpointError, DamagedError, UnsaveableError
from modelyard.registry.checkpoints.reading import Loaded
from modelyard.registry.checkpoints.saved import Saved

__all__ = ["CheckpointError", "Checkpoints", "DamagedError", "Loaded", "Saved", "UnsaveableError"]
