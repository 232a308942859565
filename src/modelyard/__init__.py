"""Everything machine-learning work leaves on a disk: what it is, what it takes, what may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.library import Registry as Registry
    from modelyard.registry.checkpoints import Checkpoints as Checkpoints

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Registry and Checkpoints, imported when they are asked for: commands need neither."""
    if name == "Registry":
        from modelyard.library import Registry

        return Registry
    if name == "Checkpoints":
        from modelyard.registry.checkpoints import Checkpoints

        return Checkpoints
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
