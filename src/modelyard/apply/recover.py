"""Settles what an interruption left open: each intent without a result is looked at where it would be."""

from __future__ import annotations

import os
from collections.abc import Callable

from modelyard.apply import purge
from modelyard.apply.acts import ACTS, folders
from modelyard.apply.disk import Disk
from modelyard.apply.hands import Owner
from modelyard.apply.journal import Journal, Record
from modelyard.apply.together import whole


def recover(disk: Disk, journal: Journal, now: Callable[[], str], owner: Owner) -> None:
    """Finishes or rolls back by what is on the disk. May be interrupted and run again."""
    ledger = journal.ledger
    settled = []
    for number in ledger.steps("intent", "undoing"):
        found = ACTS[ledger.plan.steps[number].do].settle(disk, ledger, number, owner)
        if found is not None and found[0] in ("refused", "undone"):
            folders.unmake(disk, ledger, number)
        if found is not None:
            settled.append(Record(found[0], number, now(), why=found[1]))  # type: ignore[arg-type]
    for record in settled:
        folder = os.path.dirname(bytes(ledger.plan.steps[record.step].path))
        if os.path.isdir(folder):
            disk.sync_folder(folder)
    if settled:
        journal.write(settled)
    if ledger.steps("purging"):
        purge.settle(disk, journal, now)
    whole(disk, journal, now)
