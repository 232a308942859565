"""Makes a new file that holds what another one does and takes no room: the same extents, or another name of it."""

from __future__ import annotations

import errno
import os

from modelyard.apply import marks
from modelyard.apply.acts import folders
from modelyard.apply.acts.carrying import INTERRUPTED
from modelyard.apply.disk import Disk
from modelyard.apply.hands import Hands, Owner, words
from modelyard.apply.journal import Ledger, Record
from modelyard.apply.trash import remove_tree
from modelyard.plan import Step
from modelyard.walk.compare import equal
from modelyard.walk.read import opened

CHANGED = "it was changed since, so it stays"


def place(hands: Hands, number: int) -> bytes | None:
    """Nowhere: nothing goes away."""
    return None


def _beside(ledger: Ledger, number: int) -> bytes:
    folder = os.path.dirname(bytes(ledger.plan.steps[number].path))
    return os.path.join(folder, b".modelyard-%s-%d" % (ledger.plan.id.encode(), number))


def make(hands: Hands, intent: Record) -> Record:
    """Makes the file under a name of its own and gives it the path's when it is whole."""
    number, step = intent.step, hands.step(intent.step)
    assert step.other is not None
    path, beside, source = bytes(step.path), _beside(hands.journal.ledger, number), bytes(step.other)
    try:
        with opened(source) as descriptor:
            seen = marks.of_open(descriptor)
            if why := marks.drift(step.source, seen, moved=(seen.device, seen.inode) in hands.moved):
                return hands.record("refused", number, why=f"the other file: {why}")
            folders.make(hands.disk, os.path.dirname(path))
            if step.do == "clone":
                _clone(hands.disk, descriptor, beside)
            else:
                hands.disk.link(source, beside)
                hands.moved.add((seen.device, seen.inode))
        hands.disk.move(beside, path)
    except OSError as error:
        if os.path.lexists(beside):
            remove_tree(hands.disk, beside)
        return hands.record("failed", number, why=words(error))
    return hands.record("done", number, mark=marks.take(path))


def _clone(disk: Disk, source: int, path: bytes) -> None:
    """A file of its own with the source's extents. OSError where the file system has none to share."""
    size = os.fstat(source).st_size
    target = disk.blank(path, os.fstat(source).st_mode & 0o777)
    try:
        disk.share(source, 0, 0, target, 0)  # to the end
        if os.fstat(target).st_size != size:
            raise OSError(errno.ESTALE, "it changed while it was copied")
        disk.sync(target)
    finally:
        os.close(target)


def _is_made(ledger: Ledger, number: int) -> bool:
    """Whether the file at the path is the one that was made: by its mark, or a name or an equal of the source."""
    step = ledger.plan.steps[number]
    seen, made = marks.take(bytes(step.path)), ledger.marks.get(number)
    if seen is None or seen.kind != "file":
        return False
    if made is not None:
        return not marks.drift(made, seen, moved=True)
    if step.source is not None and (seen.device, seen.inode) == (step.source.device, step.source.inode):
        return True
    assert step.other is not None
    try:
        return equal(bytes(step.other), bytes(step.path))
    except OSError:
        return False


def changed(ledger: Ledger, number: int) -> str:
    """Why the new file must not go: it is not as it was made. Empty when it is, or is not there."""
    there = os.path.lexists(bytes(ledger.plan.steps[number].path))
    return CHANGED if there and not _is_made(ledger, number) else ""


def settle(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str] | None:
    """By which of the two names is there."""
    step, beside = ledger.plan.steps[number], _beside(ledger, number)
    if ledger.states[number] == "undoing":
        return ("done", "") if os.path.lexists(bytes(step.path)) else ("undone", "")
    if os.path.lexists(beside):
        remove_tree(disk, beside)
        return "refused", INTERRUPTED
    return ("done", "") if _is_made(ledger, number) else ("refused", INTERRUPTED)


def back(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str]:
    """Removes the file, unless somebody changed it."""
    step: Step = ledger.plan.steps[number]
    path = bytes(step.path)
    if not os.path.lexists(path):
        return "undone", ""
    if why := changed(ledger, number):
        return "done", why
    try:
        remove_tree(disk, path)
    except OSError as error:
        return "done", os.strerror(error.errno or 0)
    return "undone", ""
