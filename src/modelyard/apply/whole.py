"""Files and folders that are there whole or not at all: drafts with names of their own, gone when work fails."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.apply.disk import Disk
from modelyard.apply.trash import remove_tree

DRAFT = b".modelyard-draft-%d-%s"
LEFT = re.compile(rb"\.modelyard-draft-(\d+)-")
BUILDING = b".modelyard-building"
BLOCK = 1 << 20


class Draft:
    """A new file that nobody sees under its name until it is kept; takes bytes as a file object does."""

    def __init__(self, disk: Disk, path: bytes, mode: int = 0o600) -> None:
        self.path, self.kept = path, False
        self._disk, self._descriptor = disk, disk.create(path, mode)
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Takes bytes; OSError when the disk is full."""
        self._waiting += data
        if len(self._waiting) >= BLOCK:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Hands on what waits."""
        waiting, self._waiting = bytes(self._waiting), bytearray()
        self._disk.append(self._descriptor, waiting)

    def mode(self, mode: int) -> None:
        """Who may do what with it."""
        self._disk.mode(self._descriptor, mode)

    def keep(self, name: bytes, *, over: bool = False) -> bytes:
        """Gives it its name, on the medium. FileExistsError where there is one, unless it may go `over` it."""
        self.flush()
        self._disk.sync(self._descriptor)
        folder = os.path.dirname(self.path)
        (self._disk.replace if over else self._disk.move)(self.path, os.path.join(folder, name))
        self.kept = True
        self._disk.sync_folder(folder)
        return os.path.join(folder, name)

    def close(self) -> None:
        """Takes the draft away unless it was kept, or has its name by an interruption just now."""
        os.close(self._descriptor)
        if not self.kept and os.path.lexists(self.path):
            remove_tree(self._disk, self.path)


@contextmanager
def draft(disk: Disk, folder: bytes, word: bytes = b"file", mode: int = 0o600) -> Iterator[Draft]:
    """A draft in a folder, which is made where it is missing. What killed processes left there goes first."""
    if not os.path.isdir(folder):
        _make(disk, folder)
    sweep(disk, folder)
    made = Draft(disk, os.path.join(folder, DRAFT % (os.getpid(), word)), mode)
    try:
        yield made
    finally:
        made.close()


def sweep(disk: Disk, folder: bytes) -> None:
    """Removes drafts, files and folders, of processes that are gone."""
    for name in os.listdir(folder):
        found = LEFT.match(name)
        if found and not alive(int(found[1])):
            remove_tree(disk, os.path.join(folder, name))


def alive(process: int) -> bool:
    """Whether a process of this number runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextmanager
def scratch(disk: Disk, folder: bytes) -> Iterator[bytes]:
    """A folder of our own that is gone afterwards; after a kill the next draft or scratch in `folder` removes it."""
    if not os.path.isdir(folder):
        _make(disk, folder)
    sweep(disk, folder)
    place = os.path.join(folder, DRAFT % (os.getpid(), b"folder"))
    disk.make_folder(place)
    try:
        yield place
    finally:
        remove_tree(disk, place)


@contextmanager
def building(disk: Disk, prefix: bytes) -> Iterator[None]:
    """Lets others build a folder at its final path, which is removed again unless the work ends well.

    A note beside it says so meanwhile: after a kill the next one to build there removes the half folder. It never
    removes what was there before. FileExistsError where something is there; BlockingIOError: another builds there.
    """
    note = prefix.rstrip(b"/") + BUILDING
    if os.path.lexists(note):
        _clear(disk, prefix, note)
    if os.path.lexists(prefix):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(prefix))
    if not os.path.isdir(os.path.dirname(note)):
        _make(disk, os.path.dirname(note))
    descriptor = disk.create(note)
    done = False
    try:
        disk.append(descriptor, b"%d\n" % os.getpid())
        disk.sync(descriptor)
        yield
        done = True
    finally:
        os.close(descriptor)
        if not done and os.path.lexists(prefix):
            remove_tree(disk, prefix)
        remove_tree(disk, note)


def _clear(disk: Disk, prefix: bytes, note: bytes) -> None:
    """Removes what a killed process was building."""
    descriptor = disk.reopen(note)
    try:
        text = os.pread(descriptor, 32, 0).strip()
    finally:
        os.close(descriptor)
    if text.isdigit() and alive(int(text)):
        raise BlockingIOError(errno.EAGAIN, f"process {int(text)} is building it", os.fsdecode(prefix))
    if text and os.path.lexists(prefix):
        remove_tree(disk, prefix)
    remove_tree(disk, note)


def place(disk: Disk, path: bytes, data: bytes, *, runs: bool = False, over: bool = False) -> None:
    """Writes a file below a folder that is being built, with the folders above it. No link is followed to it."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        _make(disk, folder)
    if over and os.path.lexists(path):
        remove_tree(disk, path)
    descriptor = disk.create(path, 0o755 if runs else 0o644)
    try:
        disk.append(descriptor, data)
    finally:
        os.close(descriptor)


def _make(disk: Disk, folder: bytes) -> None:
    """A folder with those above it."""
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        _make(disk, parent)
    disk.make_folder(folder)
    disk.sync_folder(parent)
