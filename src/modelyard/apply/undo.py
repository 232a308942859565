"""Takes steps back: everything to where and what it was, the last step first."""

from __future__ import annotations

import os
from collections.abc import Callable

from modelyard.apply.acts import ACTS
from modelyard.apply.disk import Disk
from modelyard.apply.hands import NOBODY, Owner
from modelyard.apply.journal import Journal, Record
from modelyard.apply.purge import tidy


def undo(disk: Disk, journal: Journal, now: Callable[[], str], owner: Owner = NOBODY) -> None:
    """Brings back what the plan changed and nobody purged. What is in the way stays, and so does what it hides."""
    ledger = journal.ledger
    numbers = list(reversed(ledger.steps("done", "undoing")))
    journal.write(Record("undoing", number, now()) for number in numbers)
    results = []
    for number in numbers:
        event, why = ACTS[ledger.plan.steps[number].do].back(disk, ledger, number, owner)
        results.append(Record(event, number, now(), why=why))  # type: ignore[arg-type]
    for folder in sorted({os.path.dirname(bytes(ledger.plan.steps[number].path)) for number in numbers}):
        if os.path.isdir(folder):
            disk.sync_folder(folder)
    journal.write(results)
    for folder in sorted({os.path.dirname(place) for place in ledger.places.values()}):
        tidy(disk, folder, ledger.plan.id)
