"""Lets a new thing take an old one's name in one exchange: another content, another name of an equal file, a link.

The new one is made under a name of its own beside the old one; after the exchange the old one has that name, is looked
at again, and goes into the trash.
"""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from modelyard.apply import marks
from modelyard.apply.acts import folders
from modelyard.apply.acts.carrying import INTERRUPTED, TAKEN
from modelyard.apply.acts.cloning import CHANGED
from modelyard.apply.disk import Disk
from modelyard.apply.hands import Hands, Owner, words
from modelyard.apply.journal import Ledger, Record
from modelyard.apply.lease import InUseError, read_lease
from modelyard.apply.trash import remove_tree
from modelyard.plan import Step
from modelyard.walk.compare import same_bytes, unlike
from modelyard.walk.read import opened, read_file
from modelyard.walk.text import shown

NEW_FILE = 0o600


class Different(OSError):  # noqa: N818 - a reason to leave everything as it is
    """The two files of a relink are not the same after all."""


def place(hands: Hands, number: int) -> bytes | None:
    """A name in the trash for the old file, none where there is no old one."""
    step = hands.step(number)
    return next(hands.trash.places(bytes(step.path), number), None) if step.expect else None


def _beside(ledger: Ledger, number: int) -> bytes:
    """The name that the new file has until it takes the old one's."""
    folder = os.path.dirname(bytes(ledger.plan.steps[number].path))
    return os.path.join(folder, b".modelyard-%s-%d" % (ledger.plan.id.encode(), number))


def make(hands: Hands, intent: Record) -> Record:
    """Makes the new file and exchanges the two."""
    number, beside = intent.step, _beside(hands.journal.ledger, intent.step)
    try:
        with _leased(hands.step(number)):
            _new_file(hands, hands.step(number), beside)
            return _exchanged(hands, intent, beside)
    except OSError as error:
        why = str(error) if isinstance(error, Different) else words(error)
        _drop(hands.disk, hands.step(number), beside)
        if os.path.lexists(beside):
            why += f"; the file that was there lies at {shown(beside)}"
        return hands.record("refused" if isinstance(error, Different) else "failed", number, why=why)


@contextmanager
def _leased(step: Step) -> Iterator[None]:
    """While two files are compared and one takes the other's place, nobody may begin to write into either."""
    if step.do != "relink" or step.other is None:
        yield
        return
    with ExitStack() as stack:
        files = [stack.enter_context(opened(bytes(path))) for path in (step.other, step.path)]
        try:
            stack.enter_context(read_lease(*files))
        except InUseError as error:
            raise Different("somebody has one of the two files open for writing") from error
        yield


def _new_file(hands: Hands, step: Step, beside: bytes) -> None:
    if step.do == "write":
        if step.expect is None:
            folders.make(hands.disk, os.path.dirname(beside))
        _written(hands.disk, step, beside)
        return
    assert step.other is not None
    source = bytes(step.other)
    if step.do == "symlink":
        hands.disk.symlink(source, beside)
        return
    with opened(source) as first, opened(bytes(step.path)) as second:
        _compared(hands, step, first, second)
        hands.disk.link(source, beside)
        seen = marks.take(beside)
    if seen is None or marks.drift(step.source, seen, moved=True):
        raise Different("the other file was replaced at the last moment")
    hands.moved.add((seen.device, seen.inode))


def _compared(hands: Hands, step: Step, first: int, second: int) -> None:
    """Proves the two equal, byte for byte, while nobody writes into either where the file system can tell."""
    for name, descriptor, expected in (("the other file: ", first, step.source), ("", second, step.expect)):
        seen = marks.of_open(descriptor)
        if why := marks.drift(expected, seen, moved=(seen.device, seen.inode) in hands.moved):
            raise Different(name + why)
    if why := unlike(first, second):
        raise Different(why)
    if not same_bytes(first, second):
        raise Different("the two files are not equal")


def _written(disk: Disk, step: Step, beside: bytes) -> None:
    descriptor = disk.create(beside)
    try:
        disk.append(descriptor, base64.b64decode(step.content))
        if step.expect is not None:
            seen, ours = os.stat(bytes(step.path)), os.fstat(descriptor)
            if seen.st_uid != ours.st_uid:  # root writes the settings of somebody else, who is to read them
                disk.own(descriptor, seen.st_uid, seen.st_gid)
            disk.mode(descriptor, seen.st_mode & 0o7777)
        elif step.mode:
            disk.mode(descriptor, step.mode)
        disk.sync(descriptor)
    finally:
        os.close(descriptor)


def _exchanged(hands: Hands, intent: Record, beside: bytes) -> Record:
    number, step = intent.step, hands.step(intent.step)
    path = bytes(step.path)
    if step.expect is None:
        hands.disk.move(beside, path)
        return hands.record("done", number, mark=marks.take(path))
    assert intent.place is not None
    try:
        hands.disk.exchange(beside, path)
    except OSError as error:
        if error.errno != errno.ENOTSUP or step.do != "symlink":
            raise
        return _one_by_one(hands, intent, beside)
    why = marks.drift(step.expect, marks.take(beside), moved=True)
    try:
        if not why:
            hands.disk.move(beside, bytes(intent.place))
    except OSError:
        hands.disk.exchange(beside, path)
        raise
    if why:
        hands.disk.exchange(beside, path)
        raise Different(f"{why} at the last moment")
    hands.moved.add((step.expect.device, step.expect.inode))
    return hands.record("done", number, place=intent.place, mark=marks.take(path))


def _one_by_one(hands: Hands, intent: Record, beside: bytes) -> Record:
    """Two renames, where a file system cannot exchange names: between them there is nothing in the place."""
    number, step = intent.step, hands.step(intent.step)
    assert intent.place is not None
    assert step.expect is not None
    path, where = bytes(step.path), bytes(intent.place)
    hands.disk.move(path, where)
    why = marks.drift(step.expect, marks.take(where), moved=True)
    try:
        if not why:
            hands.disk.move(beside, path)
    except OSError:
        hands.disk.move(where, path)
        raise
    if why:
        hands.disk.move(where, path)
        raise Different(f"{why} at the last moment")
    hands.moved.add((step.expect.device, step.expect.inode))
    return hands.record("done", number, place=intent.place, mark=marks.take(path))


def _as_made(step: Step, path: bytes, *, whole: bool = True) -> bool:
    """Whether a file is the one that the step made; not `whole`: or the beginning of it."""
    if step.do == "symlink":
        return os.path.islink(path) and step.other is not None and os.readlink(path) == bytes(step.other)
    seen = marks.take(path)
    if seen is None or seen.kind != "file":
        return False
    if step.do == "relink":
        return step.source is not None and (seen.device, seen.inode) == (step.source.device, step.source.inode)
    content = base64.b64decode(step.content)
    found = read_file(path, len(content))
    return found == content if whole else isinstance(found, bytes) and content.startswith(found)


def _drop(disk: Disk, step: Step, beside: bytes) -> None:
    """Takes the new file away again; never the old one."""
    if _as_made(step, beside, whole=False):
        remove_tree(disk, beside)


def _is_old(step: Step, path: bytes) -> bool:
    seen = marks.take(path)
    return seen is not None and step.expect is not None and seen.inode == step.expect.inode


def changed(ledger: Ledger, number: int) -> str:
    """Why what has the place must not go: it is neither what the step made nor what was there before. Else empty."""
    step, path = ledger.plan.steps[number], bytes(ledger.plan.steps[number].path)
    known = not os.path.lexists(path) or _as_made(step, path) or _is_old(step, path)
    return "" if known else f"{shown(path)}: {CHANGED}"


def settle(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str] | None:
    """Finishes when the exchange was made, rolls back when it was not; None while the drive is away."""
    step, beside = ledger.plan.steps[number], _beside(ledger, number)
    path = bytes(step.path)
    if not os.path.isdir(os.path.dirname(path)):
        return None
    if ledger.states[number] == "undoing":
        return _settled_back(disk, ledger, number)
    if step.expect is None:
        if os.path.lexists(beside):
            _drop(disk, step, beside)
            return "refused", INTERRUPTED
        return ("done", "") if _as_made(step, path) else ("refused", INTERRUPTED)
    if os.path.lexists(ledger.places[number]):
        if not os.path.lexists(path) and _as_made(step, beside):
            disk.move(beside, path)  # between the two renames of a file system that cannot exchange
        return "done", ""
    if _is_old(step, beside):
        disk.move(beside, ledger.places[number])
        return "done", ""
    _drop(disk, step, beside)
    return "refused", INTERRUPTED


def _settled_back(disk: Disk, ledger: Ledger, number: int) -> tuple[str, str]:
    step, path = ledger.plan.steps[number], bytes(ledger.plan.steps[number].path)
    if step.expect is None:
        return ("done", "") if os.path.lexists(path) else ("undone", "")
    if not _is_old(step, path):
        return "done", ""
    _drop(disk, step, ledger.places[number])
    return "undone", ""


def back(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str]:
    """Gives the old file its name back, unless somebody changed the new one."""
    step, path = ledger.plan.steps[number], bytes(ledger.plan.steps[number].path)
    try:
        if step.expect is None:
            return _unmade(disk, step, path)
        return _restored(disk, step, path, ledger.places[number])
    except OSError as error:
        return "done", os.strerror(error.errno or 0)


def _unmade(disk: Disk, step: Step, path: bytes) -> tuple[str, str]:
    if os.path.lexists(path) and not _as_made(step, path):
        return "done", CHANGED
    _drop(disk, step, path)
    return "undone", ""


def _restored(disk: Disk, step: Step, path: bytes, where: bytes) -> tuple[str, str]:
    if not os.path.lexists(path):
        disk.move(where, path)
        return "undone", ""
    if _is_old(step, path) and not _is_old(step, where):
        _drop(disk, step, where)
        return "undone", ""
    if not _as_made(step, path):
        return "done", TAKEN.format(place=shown(where))
    try:
        disk.exchange(where, path)
    except OSError as error:
        if error.errno != errno.ENOTSUP or step.do != "symlink":
            raise
        _drop(disk, step, path)
        disk.move(where, path)
        return "undone", ""
    if not _as_made(step, where):
        disk.exchange(where, path)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    _drop(disk, step, where)
    return "undone", ""
