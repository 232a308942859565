"""Plans whose steps are made together or not at all: what was made of a half plan is taken back."""

from __future__ import annotations

from collections.abc import Callable

from modelyard.apply.acts import copying
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Journal, Ledger, State
from modelyard.apply.undo import undo

MADE = ("done", "purging", "purged")
OPEN: tuple[State, ...] = ("intent", "undoing")


def is_half(ledger: Ledger) -> bool:
    """Whether some of the steps of such a plan are made and others are not, or notes of its copies are left."""
    if not ledger.plan.together:
        return False
    made = [state in MADE for state in ledger.states]
    return any(made) and not all(made)


def is_whole(ledger: Ledger) -> bool:
    """Whether every step of a plan is made."""
    return all(state in MADE for state in ledger.states)


def whole(disk: Disk, journal: Journal, now: Callable[[], str]) -> None:
    """Takes a half plan back; of a whole one the notes go that only its making needed."""
    ledger = journal.ledger
    if not ledger.plan.together or ledger.steps(*OPEN):
        return
    if is_half(ledger):
        undo(disk, journal, now)
    elif is_whole(ledger):
        copying.finished(disk, ledger)
