"""A lease on a file that is read: nobody has it open for writing, and whoever wants to waits (fcntl(2), leases)."""

from __future__ import annotations

import errno
import fcntl
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LEASE = getattr(fcntl, "F_SETLEASE", None)
HELD = (errno.EAGAIN, errno.EBUSY)


class InUseError(OSError):
    """Somebody has the file open for writing."""


@contextmanager
def read_lease(*descriptors: int) -> Iterator[bool]:
    """Leases on open files while the block runs; whether they could be had: some file systems give none.

    InUseError when somebody has one of the files open for writing.
    """
    if LEASE is None or threading.current_thread() is not threading.main_thread():
        yield False
        return
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the system's word that somebody waits would end the program
    taken: list[int] = []
    try:
        taken.extend(each for each in descriptors if _taken(each))
        yield len(taken) == len(descriptors)
    finally:
        for each in taken:
            fcntl.fcntl(each, LEASE, fcntl.F_UNLCK)
        signal.signal(signal.SIGIO, before)


def _taken(descriptor: int) -> bool:
    assert LEASE is not None
    try:
        fcntl.fcntl(descriptor, LEASE, fcntl.F_RDLCK)
    except OSError as error:
        if error.errno in HELD:
            raise InUseError(error.errno, "somebody has it open for writing") from error
        return False
    return True
