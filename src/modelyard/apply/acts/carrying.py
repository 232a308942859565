"""Renames a thing into the trash, or to another place on its file system."""

from __future__ import annotations

import os
from collections.abc import Iterator

from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.hands import Hands, Owner, words
from modelyard.apply.journal import Ledger, Record
from modelyard.apply.trash import ELSEWHERE, out_of_reach
from modelyard.plan import Path
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

LOST = "it is neither where it was nor where it went"
INTERRUPTED = "interrupted before it was made"
TAKEN = "something new is there; the removed one lies at {place}: move either of them and undo again"


def place(hands: Hands, number: int) -> bytes | None:
    """A name in the trash, or where the step says."""
    step = hands.step(number)
    return bytes(step.other) if step.other else next(hands.trash.places(bytes(step.path), number), None)


def make(hands: Hands, intent: Record) -> Record:
    """Renames, into another trash when the first is on another device after all."""
    path, number = bytes(hands.step(intent.step).path), intent.step
    error: OSError | None = None
    for where in _places(hands, intent):
        try:
            hands.disk.move(path, where)
        except OSError as caught:
            error = caught
            if caught.errno not in ELSEWHERE:
                break
        else:
            return hands.record("done", number, place=Path.of(where))
    return hands.record("failed", number, why=words(error) if error else "no place for it")


def _places(hands: Hands, intent: Record) -> Iterator[bytes]:
    """The place of the intent, then others, each in the journal before it is used."""
    assert intent.place is not None
    step, number = hands.step(intent.step), intent.step
    tried = {bytes(intent.place)}
    yield bytes(intent.place)
    while step.do == "remove":
        hands.trash.known.clear()
        other = next((each for each in hands.trash.places(bytes(step.path), number) if each not in tried), None)
        if other is None:
            return
        tried.add(other)
        hands.journal.write([hands.record("intent", number, place=Path.of(other))])
        yield other


def looked_again(hands: Hands, record: Record, tree: Tree) -> Record:
    """What lies there now must be what was expected; what slipped in between goes back."""
    assert record.place is not None
    number, where = record.step, bytes(record.place)
    path, seen = bytes(hands.step(number).path), marks.take(where, tree)
    why = marks.drift(hands.step(number).expect, seen, moved=True)
    if not why:
        assert seen is not None
        hands.moved.add((seen.device, seen.inode))
        return hands.record("done", number, place=Path.of(where), mark=seen)
    try:
        hands.disk.move(where, path)
    except OSError as error:
        told = f"{why} while it was taken away, and it cannot go back: {words(error)}; it lies at its place"
        return hands.record("done", number, place=Path.of(where), why=told, mark=seen)
    return hands.record("refused", number, why=f"{why} at the last moment")


def withdrawn(hands: Hands, record: Record) -> Record:
    """Takes a thing back that was carried away just now; it stays in the trash where it cannot."""
    assert record.place is not None
    step = hands.step(record.step)
    if step.do != "remove":
        return record
    try:
        hands.disk.move(bytes(record.place), bytes(step.path))
    except OSError:
        return record
    return hands.record("refused", record.step, why=f"something else of {step.artifact} changed at the last moment")


def settle(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str] | None:
    """By which of the two names is there; None while the drive of both is away."""
    here = os.path.lexists(bytes(ledger.plan.steps[number].path))
    there = os.path.lexists(ledger.places[number])
    if there:
        return "done", ""
    if not here and out_of_reach(ledger.places[number]):
        return None
    if ledger.states[number] == "undoing":
        return ("undone", "") if here else ("failed", LOST)
    return ("refused", INTERRUPTED) if here else ("failed", LOST)


def back(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str]:
    """Renames it back. What is in the way stays, and so does what it hides."""
    path, where = bytes(ledger.plan.steps[number].path), ledger.places[number]
    try:
        with_folders(disk, os.path.dirname(path))
        disk.move(where, path)
    except FileExistsError:
        return "done", TAKEN.format(place=shown(where))
    except OSError as error:
        if error.errno is not None and not os.path.lexists(where) and os.path.lexists(path):
            return "undone", ""  # it went back before an interruption
        return "done", os.strerror(error.errno or 0)
    return "undone", ""


def with_folders(disk: Disk, folder: bytes) -> None:
    """The folders above a path, for an owner may have removed those that became empty."""
    if not os.path.lexists(folder):
        with_folders(disk, os.path.dirname(folder))
        disk.make_folder(folder)
