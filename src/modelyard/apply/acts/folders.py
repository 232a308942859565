"""The folders above a new file: made where they are missing, and taken away again while nothing else is in them."""

from __future__ import annotations

import os

from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger


def missing(folder: bytes) -> bytes | None:
    """The highest folder that has to be made for this one to be there; None where it is."""
    if os.path.lexists(folder):
        return None
    return missing(os.path.dirname(folder)) or folder


def make(disk: Disk, folder: bytes) -> None:
    """Makes the folder and those above it that are missing."""
    if not os.path.lexists(folder):
        make(disk, os.path.dirname(folder))
        disk.make_open_folder(folder)


def unmake(disk: Disk, ledger: Ledger, number: int) -> None:
    """Takes away the folders that were made for a step; what is not empty stays."""
    first, folder = ledger.folders.get(number), os.path.dirname(bytes(ledger.plan.steps[number].path))
    while first is not None and (folder + b"/").startswith(first + b"/"):
        try:
            disk.remove_folder(folder)
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = os.path.dirname(folder)
