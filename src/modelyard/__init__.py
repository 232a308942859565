"""Everything machine-learning work leaves on a disk: what it is, what it takes, what may go."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.library import Registry as Registry
    from modelyard.registry.checkpoints import Checkpoints as Checkpoints
    from modelyard.registry.errors import RegistryError as RegistryError
    from modelyard.registry.errors import UnsafeError as UnsafeError

__version__ = "0.1.0"

LIBRARY = {
    "Registry": "modelyard.library",
    "Checkpoints": "modelyard.registry.checkpoints",
    "RegistryError": "modelyard.registry.errors",
    "UnsafeError": "modelyard.registry.errors",
}
"""What a program imports from here, and where it is. Imported when it is asked for: commands need none of it."""


def __getattr__(name: str) -> object:
    """One of them. AttributeError for any other name."""
    if name not in LIBRARY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(LIBRARY[name]), name)
