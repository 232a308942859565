"""Compiles with Numba, into the folder that it keeps for what it compiled."""

import sys
from importlib import import_module


def compiled(folder: str) -> int:
    """A function of a module of one's own, compiled once for all later runs."""
    sys.path.insert(0, folder)
    return int(import_module("mine").double(21))
