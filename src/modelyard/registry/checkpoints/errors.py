"""What goes wrong with checkpoints: what cannot be saved, what is damaged, and what does not fit."""

from __future__ import annotations

from modelyard.registry.errors import RegistryError


class CheckpointError(RegistryError):
    """A checkpoint that cannot be had, or does not fit what it is loaded into."""


class UnsaveableError(CheckpointError):
    """A value that no file without code can hold; the message names its path."""


class DamagedError(CheckpointError):
    """A checkpoint whose files are not what was saved."""
