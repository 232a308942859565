"""One changing command at a time for each user."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STEP = 0.05


class Locked(Exception):  # noqa: N818 - a state, not an error of the program
    """Another modelyard holds the lock."""


@contextmanager
def locked(folder: bytes, wait: float = 0.0) -> Iterator[None]:
    """Holds the lock in this folder; Locked when another process keeps it for longer than `wait` seconds."""
    descriptor = os.open(os.path.join(folder, b"lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    until = time.monotonic() + wait
    try:
        while not _taken(descriptor):
            if time.monotonic() >= until:
                holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
                raise Locked(holder or "another modelyard")
            time.sleep(STEP)
        with suppress(OSError):  # on a full disk the lock holds and does not tell who has it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"process %d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(folder: bytes) -> bool:
    """Whether a process holds the lock in this folder, without touching it; False where the system does not tell.

    The lines of /proc/locks as proc_locks(5) has them; device numbers of btrfs differ there, inodes do not.
    """
    try:
        inode = os.stat(os.path.join(folder, b"lock")).st_ino
        with open("/proc/locks", "rb") as file:
            lines = [line.split() for line in file]
    except OSError:
        return False
    return any(b"FLOCK" in line and any(word.endswith(b":%d" % inode) for word in line) for line in lines)
