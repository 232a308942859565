"""Lets a service remove what is its own, or make a model of a file that it has.

Services keep no trash: what is gone is gone, and nothing takes it back. What was made is removed again by undoing.
"""

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
    step = hands.step(intent.step)
    if step.ask is not None and step.ask.make:
        why = hands.owner.make(step)
        return hands.record("refused" if why else "done", intent.step, why=why)
    answer = hands.owner.remove(step)
    if answer.gone:
        return hands.record("purged", intent.step, bytes=answer.freed, why=answer.why)
    return hands.record("intent" if answer.gone is None else "refused", intent.step, why=answer.why)


def settle(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str] | None:
    """By what the service still has."""
    step = ledger.plan.steps[number]
    present = owner.present(step)
    if present is None:
        return None
    if step.ask is not None and step.ask.make:
        gone = "undone" if ledger.states[number] == "undoing" else "refused"
        return ("done", "") if present else (gone, INTERRUPTED)
    return ("refused", INTERRUPTED) if present else ("purged", "")


def back(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str]:
    """Lets the service remove what it made; what it removed itself is no step that waits in the trash."""
    step = ledger.plan.steps[number]
    if step.ask is None or not step.ask.make:
        return "purged", "its service removed it for good"
    answer = owner.remove(step)
    return ("undone" if answer.gone else "done"), answer.why
