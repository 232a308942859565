"""Lets a service remove what is its own. Services keep no trash: what is gone is gone, and nothing takes it back."""

from __future__ import annotations

from modelyard.apply.disk import Disk
from modelyard.apply.hands import Hands, Owner
from modelyard.apply.journal import Ledger, Record

INTERRUPTED = "interrupted before it was made"


def place(hands: Hands, number: int) -> bytes | None:
    """Nowhere."""
    return None


def make(hands: Hands, intent: Record) -> Record:
    """Asks; without an answer the intent stays open until the service can be asked what it has."""
    answer = hands.owner.remove(hands.step(intent.step))
    if answer.gone:
        return hands.record("purged", intent.step, bytes=answer.freed, why=answer.why)
    return hands.record("intent" if answer.gone is None else "refused", intent.step, why=answer.why)


def settle(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str] | None:
    """By what the service still has."""
    present = owner.present(ledger.plan.steps[number])
    if present is None:
        return None
    return ("refused", INTERRUPTED) if present else ("purged", "")


def back(disk: Disk, ledger: Ledger, number: int) -> tuple[str, str]:
    """Never: a service's removal is no step that waits in the trash."""
    return "purged", "its service removed it for good"
