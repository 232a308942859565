"""Work that several processes share. They are forked when there is much of it: they know all that was read before."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

NUMBER, LENGTH = 4, 8
"""Bytes of a number and of a length in a pipe."""
MOST = 1000
"""Numbers that the smallest pipe of Linux holds."""
Work = Callable[[int], bytes]


def shared(work: Work, count: int, workers: int) -> Iterator[tuple[int, bytes]]:
    """What `work` gives for each number below `count`, at most MOST, as it comes.

    Nothing comes for a number whose process was stopped, by the system or by an error.
    """
    waiting, full = os.pipe()
    os.write(full, b"".join(number.to_bytes(NUMBER, "big") for number in range(count)))
    os.close(full)
    children: list[tuple[int, int]] = []
    try:
        with suppress(OSError):  # no more processes for this user: those that there are do all of it
            while len(children) < min(workers, count):
                children.append(_forked(work, waiting, [answers for _, answers in children]))
        os.close(waiting)
        yield from _gathered([answers for _, answers in children])
        yield from () if children else ((number, work(number)) for number in range(count))
    finally:
        for process, answers in children:
            os.close(answers)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _forked(work: Work, waiting: int, others: Sequence[int]) -> tuple[int, int]:
    """A process that works until nothing is waiting, or nobody reads its answers, and the pipe in which they come.

    `others` are the pipes of those before it: who keeps one open would keep its writer waiting for a reader.
    """
    answers, mine = os.pipe()
    try:
        process = os.fork()
    except OSError:
        os.close(answers)
        os.close(mine)
        raise
    if process:
        os.close(mine)
        return process, answers
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for each in (answers, *others):
            os.close(each)
        while told := os.read(waiting, NUMBER):
            found = work(int.from_bytes(told, "big"))
            _write(mine, told + len(found).to_bytes(LENGTH, "big") + found)
    except BrokenPipeError:
        pass  # whoever wanted the answers is gone
    except Exception:  # noqa: BLE001 - the others go on, and an error of ours is not to be silent
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(0)


def _write(to: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(to, left) :]


def _gathered(pipes: list[int]) -> Iterator[tuple[int, bytes]]:
    """The answers in all pipes until their writers are gone."""
    kept = {each: bytearray() for each in pipes}
    asked = select.poll()
    for each in pipes:
        asked.register(each, select.POLLIN)
    while kept:
        for each, _ in asked.poll():
            if part := os.read(each, 1 << 16):
                kept[each] += part
                yield from _whole(kept[each])
            else:
                asked.unregister(each)
                del kept[each]


def _whole(part: bytearray) -> Iterator[tuple[int, bytes]]:
    """The answers that came whole, taken off the beginning."""
    head = NUMBER + LENGTH
    while len(part) >= head and len(part) >= (end := head + int.from_bytes(part[NUMBER:head], "big")):
        yield int.from_bytes(part[:NUMBER], "big"), bytes(part[head:end])
        del part[:end]
