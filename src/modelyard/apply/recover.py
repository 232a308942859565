"""Settles what an interruption left open: each intent without a result is looked at where it would be."""

from __future__ import annotations

import os
from collections.abc import Callable

from modelyard.apply.disk import Disk
from modelyard.apply.journal import Journal, Record
from modelyard.apply.purge import purge
from modelyard.apply.trash import out_of_reach

LOST = "it is neither where it was nor in the trash"


def recover(disk: Disk, journal: Journal, now: Callable[[], str]) -> None:
    """Finishes or rolls back by what is on the disk. May be interrupted and run again."""
    ledger = journal.ledger
    known = [number for number in ledger.steps("intent", "undoing") if not _away(journal, number)]
    settled = [_settled(journal, number, now) for number in known]
    for record in settled:
        folder = os.path.dirname(bytes(ledger.plan.steps[record.step].path))
        if os.path.isdir(folder):
            disk.sync_folder(folder)
    if settled:
        journal.write(settled)
    if ledger.steps("purging"):
        purge(disk, journal, now)


def _away(journal: Journal, number: int) -> bool:
    """Whether neither place can be looked at, so that the step stays open until its drive is back."""
    path = bytes(journal.ledger.plan.steps[number].path)
    return out_of_reach(journal.ledger.places[number]) and not os.path.lexists(path)


def _settled(journal: Journal, number: int, now: Callable[[], str]) -> Record:
    ledger = journal.ledger
    here = os.path.lexists(bytes(ledger.plan.steps[number].path))
    there = os.path.lexists(ledger.places[number])
    if there:
        return Record("done", number, now())
    if ledger.states[number] == "undoing":
        return Record("undone", number, now()) if here else Record("failed", number, now(), why=LOST)
    if here:
        return Record("refused", number, now(), why="interrupted before it was made")
    return Record("failed", number, now(), why=LOST)
