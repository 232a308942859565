"""Makes a proven copy of a folder or file on whatever file system; it gets its place in one rename when all is proven.

Until then it grows in a staging folder beside its place, which stays after a failure: the next attempt goes on there.
"""

from __future__ import annotations

import errno
import os

from modelyard.apply import marks
from modelyard.apply.acts.carrying import INTERRUPTED
from modelyard.apply.copies.staging import dropped, folder_of
from modelyard.apply.copies.things import Unfit
from modelyard.apply.copies.tree import grown
from modelyard.apply.disk import Disk
from modelyard.apply.hands import Hands, Owner, words
from modelyard.apply.journal import Ledger, Record
from modelyard.plan import Mark
from modelyard.walk.text import shown

FULL = (errno.ENOSPC, errno.EDQUOT)
CHANGED = "{} was changed since it was moved there; move it back instead, so that nothing of it is lost"
GOES_ON = "; what is proven waits in {}, and the same command goes on there"


def place(hands: Hands, number: int) -> bytes | None:
    """Nowhere: nothing is taken away."""
    return None


def make(hands: Hands, intent: Record) -> Record:
    """Copies, proves, and renames."""
    number, step = intent.step, hands.step(intent.step)
    assert step.other is not None
    source, target = bytes(step.other), bytes(step.path)
    try:
        if why := marks.drift(step.source, marks.take(source)):
            return hands.record("refused", number, why=f"{shown(source)}: {why}")
        left = {bytes(each) for each in step.left}
        tree = grown(hands.disk, source, target, left, hands.told, verbatim=step.verbatim)
        seen = _placed(hands.disk, tree, target)
        if seen is None:
            return hands.record("failed", number, why="its drive went away")
        return hands.record("done", number, mark=seen)
    except Unfit as error:
        return _given_up(hands, number, "refused", error.why)
    except OSError as error:
        named = isinstance(error.filename, str | bytes)  # and else a descriptor
        told = f"{words(error)}: {shown(error.filename)}" if named else words(error)
        if error.errno in FULL:
            dropped(hands.disk, target)  # half a copy would keep the disk full
        return _given_up(hands, number, "failed", told)


def _placed(disk: Disk, tree: bytes, target: bytes) -> Mark | None:
    """Gives a copy its place, on the medium, or takes it back into its staging folder; None where it is not there."""
    device = os.lstat(tree).st_dev
    disk.move(tree, target)
    try:
        disk.sync_folder(os.path.dirname(target))
        disk.sync_folder(os.path.dirname(tree))
        seen = marks.take(target)
    except OSError:
        disk.move(target, tree)
        raise
    return seen if seen is not None and seen.device == device else None


def _given_up(hands: Hands, number: int, event: str, why: str) -> Record:
    folder = folder_of(bytes(hands.step(number).path))
    try:
        if os.path.lexists(folder) and os.listdir(folder) == [b"notes"]:
            dropped(hands.disk, bytes(hands.step(number).path))
    except OSError:
        return hands.record(event, number, why=why)
    kept = GOES_ON.format(shown(folder)) if os.path.lexists(folder) else ""
    return hands.record(event, number, why=why + kept)


def settle(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str] | None:
    """By whether the copy has its place; None while the drive of the copy is away."""
    target = bytes(ledger.plan.steps[number].path)
    if not os.path.isdir(os.path.dirname(target)):
        return None
    if ledger.states[number] == "undoing":
        if os.path.lexists(target):
            return "done", ""
        _forget(disk, ledger, number)
        return "undone", ""
    return ("done", "") if os.path.lexists(target) else ("refused", INTERRUPTED)


def back(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str]:
    """Takes the copy away again while its source is there; what an unfinished plan proved waits for the next one."""
    step = ledger.plan.steps[number]
    assert step.other is not None
    target = bytes(step.path)
    if not os.path.lexists(bytes(step.other)):
        return "done", "its source is not there"
    try:
        if os.path.lexists(target):
            if why := changed(ledger, number):
                return "done", why
            staging = folder_of(target)
            if not os.path.lexists(staging):
                disk.make_folder(staging)
            disk.move(target, os.path.join(staging, b"tree"))
            disk.sync_folder(os.path.dirname(target))
        _forget(disk, ledger, number)
    except OSError as error:
        return "done", os.strerror(error.errno or 0)
    return "undone", ""


def changed(ledger: Ledger, number: int) -> str:
    """Why a copy must not go: it is not as it was made. Empty when it is."""
    target = bytes(ledger.plan.steps[number].path)
    mark = ledger.marks.get(number)
    if mark is None or not os.path.lexists(target):
        return ""
    return CHANGED.format(shown(target)) if marks.drift(mark, marks.take(target), moved=True) else ""


def _forget(disk: Disk, ledger: Ledger, number: int) -> None:
    """Removes a copy that was taken back, unless its notes are there: then the next attempt begins with it."""
    target = bytes(ledger.plan.steps[number].path)
    if not os.path.lexists(os.path.join(folder_of(target), b"notes")):
        dropped(disk, target)


def finished(disk: Disk, ledger: Ledger) -> None:
    """Takes the notes of the copies of a plan away, once all of its steps are made."""
    for step in ledger.plan.steps:
        if step.do == "copy" and os.path.isdir(folder_of(bytes(step.path))):
            dropped(disk, bytes(step.path))
