"""A folder of new files that is there whole or not at all, every file of it on the medium and digested."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from modelyard.apply.disk import Disk
from modelyard.apply.stream import Stream
from modelyard.apply.trash import remove_tree

DRAFT = re.compile(rb"\.modelyard-version-[0-9a-f]{16}$")
YOUNG = 60.0
"""Seconds in which a draft may be without the lock of who builds it."""
READ = 4 << 20
NO_LINKS = (errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EXDEV, errno.ENOSYS)


class Made(Struct, frozen=True):
    """A file of the folder: its path there, bytes, and SHA-256 in hex."""

    path: str
    size: int
    sha256: str


class Folder:
    """A draft of a folder. Nobody sees it under its name until it is kept; paths in it are relative, with slashes."""

    def __init__(self, disk: Disk, above: bytes, mode: int = 0o444) -> None:
        self.mode = mode
        self.path = os.path.join(above, b".modelyard-version-%s" % secrets.token_hex(8).encode())
        self.files: dict[str, Made] = {}
        self._disk, self._kept = disk, False
        disk.make_folder(self.path, 0o777)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        _lock(self._lock)

    def place(self, name: str) -> bytes:
        """The path of a name in it, for a library that writes by itself; then `take` it. Folders above it are made."""
        path = os.path.join(self.path, os.fsencode(name))
        self._make(os.path.dirname(path))
        return path

    def _make(self, folder: bytes) -> None:
        if not os.path.isdir(folder):
            self._make(os.path.dirname(folder))
            self._disk.make_folder(folder, 0o777)

    @contextmanager
    def stream(self, name: str) -> Iterator[Stream]:
        """A new file of it to write from beginning to end."""
        made = Stream(self._disk, self.place(name), self.mode)
        try:
            yield made
            made.close()
        finally:
            made.drop()
        self.files[name] = Made(name, made.size, made.sha256)

    def write(self, name: str, data: bytes) -> None:
        """A new small file of it."""
        with self.stream(name) as made:
            made.write(data)

    def take(self, name: str) -> None:
        """A file that a library wrote at its `place`: made read-only, put on the medium, and digested."""
        descriptor = os.open(self.place(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            seen = os.fstat(descriptor)
            self._disk.mode(descriptor, stat.S_IMODE(seen.st_mode) & 0o444)
            self._disk.sync(descriptor)
            self.files[name] = Made(name, seen.st_size, _digest(descriptor))
        finally:
            os.close(descriptor)

    def take_all(self) -> None:
        """Every file that libraries wrote below it and nobody took."""
        for folder, _, names in os.walk(self.path):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), self.path)
                if os.fsdecode(path) not in self.files:
                    self.take(os.fsdecode(path))

    def copy(self, name: str, source: int) -> None:
        """A copy of an open file, digested as it was read."""
        with self.stream(name) as made:
            at = 0
            while piece := os.pread(source, READ, at):
                made.write(piece)
                at += len(piece)

    def share(self, name: str, twin: bytes) -> None:
        """Lets a file of it have the bytes of an equal one: the same extents, else the same immutable file."""
        path = self.place(name)
        aside = path + b".twin"
        try:
            self._clone(twin, aside)
        except OSError:
            self._forget(aside)
            self._disk.link(twin, aside)
        self._disk.replace(aside, path)

    def _clone(self, twin: bytes, path: bytes) -> None:
        source = os.open(twin, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            target = self._disk.blank(path, stat.S_IMODE(os.fstat(source).st_mode) & 0o444)
            try:
                self._disk.share(source, 0, 0, target, 0)
                self._disk.sync(target)
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _forget(self, path: bytes) -> None:
        if os.path.lexists(path):
            remove_tree(self._disk, path)

    def adopt(self, name: str, source: bytes, known: Made) -> None:
        """One more name of an immutable file whose digest is known; a copy where the file system has no such names."""
        try:
            self._disk.link(source, self.place(name))
            self.files[name] = Made(name, known.size, known.sha256)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self.copy(name, descriptor)
            finally:
                os.close(descriptor)

    def discard(self, name: str) -> None:
        """Takes a file out of it."""
        self._forget(self.place(name))
        self.files.pop(name, None)

    def keep(self, target: bytes) -> None:
        """Gives it its name, with everything in it on the medium. FileExistsError where there is one."""
        self._sync()
        self._disk.move(self.path, target)
        self._kept = True
        self._disk.sync_folder(os.path.dirname(target))

    def exchange(self, target: bytes) -> None:
        """Takes the place of a folder that is there, in one step; the old one goes."""
        self._sync()
        self._disk.exchange(self.path, target)
        self._disk.sync_folder(os.path.dirname(target))

    def _sync(self) -> None:
        for folder, _, _ in os.walk(self.path, topdown=False):
            self._disk.sync_folder(folder)

    def close(self) -> None:
        """Takes the draft away unless it was kept."""
        try:
            if not self._kept:
                remove_tree(self._disk, self.path)
        finally:
            os.close(self._lock)


@contextmanager
def folder(disk: Disk, above: bytes, mode: int = 0o444) -> Iterator[Folder]:
    """A draft in a folder, which is made where it is missing. What killed processes left there goes first.

    `mode`: of its files, less the user's mask.
    """
    make_folders(disk, above)
    sweep(disk, above)
    made = Folder(disk, above, mode)
    try:
        yield made
    finally:
        made.close()


def make_folders(disk: Disk, path: bytes) -> None:
    """A folder with those above it, as the user's mask has it; several may do so at once."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:
        make_folders(disk, parent)
    try:
        disk.make_folder(path, 0o777)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return
    disk.sync_folder(parent)


def sweep(disk: Disk, above: bytes) -> None:
    """Removes drafts that nobody holds any more: a lock tells, on every machine that shares the folder."""
    for name in os.listdir(above):
        if DRAFT.match(name):
            _sweep(disk, os.path.join(above, name))


def _sweep(disk: Disk, path: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # another one removes it
        return
    try:
        if time.time() - os.fstat(descriptor).st_mtime > YOUNG and _lock(descriptor):
            remove_tree(disk, path)
    except FileNotFoundError:
        return
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _digest(descriptor: int) -> str:
    found, at = hashlib.sha256(), 0
    while piece := os.pread(descriptor, READ, at):
        found.update(piece)
        at += len(piece)
    return found.hexdigest()


@contextmanager
def exclusive(path: bytes) -> Iterator[None]:
    """Holds a folder against others who ask for it in the same way, and waits for them."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
