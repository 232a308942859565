"""Functions of modules that are imported when they are called: each knows formats that most files do not have."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def late(module: str, function: str) -> Callable[..., Any]:
    """A function of a module of this room."""

    def call(*arguments: object) -> Any:
        return getattr(import_module(f"modelyard.safety.{module}"), function)(*arguments)

    return call
