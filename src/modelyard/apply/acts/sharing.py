"""Lets two files that hold the same bytes have the same extents, while both stay files of their own.

The system compares the bytes under its own lock and changes neither inode, times, rights nor content
(ioctl_fideduperange(2)), so there is nothing to take back: whoever writes into one of them gets extents of its own
then, as before. Undoing says so and leaves them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.hands import Hands, Owner, words
from modelyard.apply.journal import Ledger, Record
from modelyard.plan import Mark, Range, Step
from modelyard.walk.read import opened

A_CALL = 16 << 20
"""Bytes of one call: btrfs compares no more at once, and an interruption is noticed in between."""
BLOCK = 4096
NOTHING_TO_UNDO = "nothing had to be taken back: both files were their own all the time, and neither ever changed"
INTERRUPTED = "interrupted: what was shared until then stays shared, which no file shows"
DIFFERENT = "the two files are not equal"


def place(hands: Hands, number: int) -> bytes | None:
    """Nowhere: nothing goes away."""
    return None


def make(hands: Hands, intent: Record) -> Record:
    """Shares what is equal; a file that is not as it was, or not equal after all, is left alone."""
    number, step = intent.step, hands.step(intent.step)
    assert step.other is not None
    try:
        with opened(bytes(step.other)) as source, opened(bytes(step.path)) as target:
            why = _drifted(hands, step, source, target)
            shared = 0 if why else _shared(hands.disk, source, target, list(_ranges(step, source)))
    except OSError as error:
        return hands.record("failed", number, why=_words(error))
    if why or not shared:
        return hands.record("refused", number, why=why or DIFFERENT)
    return hands.record("done", number, bytes=shared)


def _drifted(hands: Hands, step: Step, source: int, target: int) -> str:
    """Why the open files are not those of the plan."""
    assert step.other is not None
    for name, descriptor, expected in (("", target, step.expect), ("the other file: ", source, step.source)):
        seen = marks.of_open(descriptor)
        if why := marks.drift(expected, seen, moved=_ours(hands, seen)):
            return name + why
    return ""


def _ours(hands: Hands, seen: Mark) -> bool:
    return (seen.device, seen.inode) in hands.moved


def _ranges(step: Step, source: int) -> Iterator[Range]:
    """The whole blocks of what is to be shared, a call each; the last block of whole files is cut where they end."""
    size = os.fstat(source).st_size
    for each in step.ranges or [Range(0, size, 0)]:
        skip = 0 if not step.ranges else -each.start % BLOCK
        length = each.length if not step.ranges else (each.length - skip) // BLOCK * BLOCK
        for done in range(0, max(length, 0), A_CALL):
            yield Range(each.start + skip + done, min(A_CALL, length - done), each.at + skip + done)


def _shared(disk: Disk, source: int, target: int, ranges: list[Range]) -> int:
    """Bytes that are shared now; 0 as soon as something differs."""
    total = 0
    for each in ranges:
        done = 0
        while done < each.length:
            count = disk.share_equal(source, each.start + done, each.length - done, target, each.at + done)
            if not count:
                return 0
            done += count
        total += done
    return total


def _words(error: OSError) -> str:
    if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL):
        return f"this file system cannot share extents here ({words(error)})"
    return words(error)


def settle(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str] | None:
    """There is nothing half done that anybody could see."""
    return ("undone", NOTHING_TO_UNDO) if ledger.states[number] == "undoing" else ("refused", INTERRUPTED)


def back(disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str]:
    """Leaves the files as they are: their bytes were never anything else."""
    return "undone", NOTHING_TO_UNDO
