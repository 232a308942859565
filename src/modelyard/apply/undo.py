"""Takes steps back: everything from the trash to where it was, the last step first."""

from __future__ import annotations

import os
from collections.abc import Callable

from modelyard.apply.disk import Disk
from modelyard.apply.journal import Journal, Record

TAKEN = "something new is there; the removed one lies at {place}: move either of them and undo again"


def undo(disk: Disk, journal: Journal, now: Callable[[], str]) -> None:
    """Brings back what the plan removed and nobody purged. What is in the way stays, and so does what it hides."""
    ledger = journal.ledger
    numbers = [number for number in reversed(ledger.steps("done", "undoing")) if number in ledger.places]
    journal.write(Record("undoing", number, now()) for number in numbers)
    results = [_back(disk, journal, number, now) for number in numbers]
    for folder in sorted({os.path.dirname(bytes(ledger.plan.steps[number].path)) for number in numbers}):
        if os.path.isdir(folder):
            disk.sync_folder(folder)
    journal.write(results)


def _back(disk: Disk, journal: Journal, number: int, now: Callable[[], str]) -> Record:
    ledger = journal.ledger
    path, place = bytes(ledger.plan.steps[number].path), ledger.places[number]
    try:
        _with_folders(disk, os.path.dirname(path))
        disk.move(place, path)
    except FileExistsError:
        return Record("done", number, now(), why=TAKEN.format(place=os.fsdecode(place)))
    except OSError as error:
        if error.errno is not None and not os.path.lexists(place) and os.path.lexists(path):
            return Record("undone", number, now())  # it went back before an interruption
        return Record("done", number, now(), why=os.strerror(error.errno or 0))
    return Record("undone", number, now())


def _with_folders(disk: Disk, folder: bytes) -> None:
    """The folders above a path, for an owner may have removed those that became empty."""
    if not os.path.lexists(folder):
        _with_folders(disk, os.path.dirname(folder))
        disk.make_folder(folder)
