"""Takes steps back: everything to where and what it was, the last step first."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from modelyard.apply.acts import ACTS, cloning, copying, folders, swapping
from modelyard.apply.disk import Disk
from modelyard.apply.hands import NOBODY, Owner
from modelyard.apply.journal import Journal, Ledger, Record
from modelyard.apply.purge import tidy
from modelyard.plan import Do

CHANGED: Mapping[Do, Callable[[Ledger, int], str]] = {
    "copy": copying.changed,
    "clone": cloning.changed,
    "link": cloning.changed,
    "write": swapping.changed,
}
"""What tells whether somebody changed what a step made, so that it cannot be taken back."""
PURGED = "what it replaced was purged"
STOPPED = "a step that was made after it could not be taken back"


def undo(disk: Disk, journal: Journal, now: Callable[[], str], owner: Owner = NOBODY) -> None:
    """Brings back what the plan changed and nobody purged. What is in the way stays, and so does what it hides.

    Of a plan whose steps were made together nothing is taken back when something of it cannot be.
    """
    ledger = journal.ledger
    numbers = list(reversed(ledger.steps("done", "undoing")))
    if ledger.plan.together and (why := _never(ledger)):
        journal.write(Record("done", number, now(), why=why) for number in numbers)
        return
    journal.write(Record("undoing", number, now()) for number in numbers)
    results = []
    for number in numbers:
        event, why = ACTS[ledger.plan.steps[number].do].back(disk, ledger, number, owner)
        results.append(Record(event, number, now(), why=why))  # type: ignore[arg-type]
        if event == "undone":
            folders.unmake(disk, ledger, number)
        if ledger.plan.together and event != "undone":
            results += [Record("done", each, now(), why=STOPPED) for each in numbers[len(results) :]]
            break
    for folder in sorted({os.path.dirname(bytes(ledger.plan.steps[number].path)) for number in numbers}):
        if os.path.isdir(folder):
            disk.sync_folder(folder)
    journal.write(results)
    for folder in sorted({os.path.dirname(place) for place in ledger.places.values()}):
        tidy(disk, folder, ledger.plan.id)


def _never(ledger: Ledger) -> str:
    """Why such a plan cannot be taken back as a whole, empty when it can."""
    if ledger.steps("purging", "purged"):
        return PURGED
    for number in ledger.steps("done", "undoing"):
        changed = CHANGED.get(ledger.plan.steps[number].do)
        if changed and (why := changed(ledger, number)):
            return why
    return ""
