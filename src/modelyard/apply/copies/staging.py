"""The folder in which a copy grows beside its place, and the notes that tell which of its files are proven.

A note is a line as in the journal. It reaches the medium with the flush that follows it, its file with the one before
it: a file that is noted is whole, whatever happened.
"""

from __future__ import annotations

import base64
import os
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from modelyard.apply.copies.things import Thing, Unfit
from modelyard.apply.disk import Disk
from modelyard.apply.trash import remove_tree
from modelyard.walk.read import opened

NAME = b".modelyard-moving-"
SEEN = struct.Struct("=QqqqQq")
LONGEST = 120
ANOTHER = "another move was begun here, of {}: run it again to finish it, or remove this folder"


class Header(msgspec.Struct, frozen=True, array_like=True):
    """The first note: what is copied."""

    source: str
    device: int
    inode: int


class Note(msgspec.Struct, frozen=True, array_like=True):
    """A file that is proven: its path in base64, what the source and the copy looked like, and its BLAKE3."""

    path: str
    seen: tuple[int, int, int, int]
    ours: tuple[int, int]
    digest: str


def folder_of(target: bytes) -> bytes:
    """The folder in which the copy that shall have this place grows."""
    parent, name = os.path.split(target)
    return os.path.join(parent, NAME + name[:LONGEST])


class Staging:
    """A staging folder that is open for writing. `proven` are its notes by path, as they were when it was opened."""

    def __init__(self, disk: Disk, target: bytes, source: bytes) -> None:
        self.disk, self.folder = disk, folder_of(target)
        self.tree, self.notes = os.path.join(self.folder, b"tree"), os.path.join(self.folder, b"notes")
        seen = os.lstat(source)
        header = self._header = Header(base64.b64encode(source).decode(), seen.st_dev, seen.st_ino)
        if not os.path.lexists(self.folder):
            disk.make_folder(self.folder)
            _bare(self.folder)
            disk.sync_folder(os.path.dirname(self.folder))
        there = os.lstat(self.folder)
        if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.geteuid() or there.st_mode & 0o077:
            raise Unfit(self.folder, "it is there already, and not one's own alone")  # its notes would be believed
        self.device = there.st_dev
        self.proven, length = self._read(header)
        self._descriptor = disk.reopen(self.notes) if length else disk.create(self.notes)
        if length:
            disk.cut(self._descriptor, length)
        else:
            disk.append(self._descriptor, _line(msgspec.json.encode(header)))

    def _read(self, header: Header) -> tuple[dict[bytes, bytes], int]:
        """The notes of an earlier attempt and the bytes of whole lines. Unfit where it copied something else."""
        if not os.path.lexists(self.notes):
            return {}, 0
        with opened(self.notes) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
            lines = _lines(file)
            try:
                first, length = next(lines, (b"", 0))
                found = msgspec.json.decode(first, type=Header)
            except msgspec.MsgspecError:  # torn at its first line, or of another version
                remove_tree(self.disk, self.notes)
                return {}, 0
            if found.source != header.source:
                raise Unfit(self.folder, ANOTHER.format(base64.b64decode(found.source).decode("utf-8", "replace")))
            proven = {}
            for line, end in lines:
                note, length = msgspec.json.decode(line, type=Note), length + end
                proven[base64.b64decode(note.path)] = _packed(note.seen, note.ours)
        return proven, length

    def remember(self) -> None:
        """Takes in what was noted since, for a further look at the source."""
        self.proven, _ = self._read(self._header)

    def note(self, found: Iterable[tuple[Thing, tuple[int, int], str]]) -> None:
        """Notes that these files are proven, with what the copies look like."""
        notes = [Note(base64.b64encode(each.path).decode(), each.seen, ours, digest) for each, ours, digest in found]
        self.disk.append(self._descriptor, b"".join(_line(msgspec.json.encode(each)) for each in notes))

    def holds(self, each: Thing) -> bool:
        """Whether a file was proven as it is now, and its copy is there as it was then."""
        note = self.proven.get(each.path)
        if note is None:
            return False
        try:
            seen = os.lstat(self.place(each))
        except OSError:
            return False
        return note == _packed(each.seen, (seen.st_ino, seen.st_mtime_ns)) and seen.st_size == each.size

    def place(self, each: Thing) -> bytes:
        """Where the copy of a thing grows."""
        return os.path.join(self.tree, each.path) if each.path else self.tree

    @property
    def descriptor(self) -> int:
        """An open file of the staging folder's file system."""
        return self._descriptor

    def flush(self, *, whole: bool) -> None:
        """Lets names and notes reach the medium, with everything else of its file system where `whole`."""
        if whole:
            self.disk.sync_disk(self._descriptor)
        else:
            self.disk.sync(self._descriptor)
        self.disk.sync_folder(self.folder)

    def close(self) -> None:
        """Closes the notes; they and the copy stay."""
        os.close(self._descriptor)


def _bare(folder: bytes) -> None:
    """Takes the access control list away that a new folder inherits, or all that is made in it would inherit it."""
    if hasattr(os, "removexattr"):
        try:
            os.removexattr(folder, "system.posix_acl_default")
        except OSError:
            return


def _line(content: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The content of each whole line up to the first that is not, and its bytes."""
    for line in file:
        if len(line) < 11 or line[-1:] != b"\n" or line[:8] != b"%08x" % zlib.crc32(line[9:-1]):
            return
        yield line[9:-1], len(line)


def _packed(seen: tuple[int, int, int, int], ours: tuple[int, int]) -> bytes:
    """What a file and its copy looked like, in little room."""
    return SEEN.pack(*seen, *ours)


def dropped(disk: Disk, target: bytes) -> None:
    """Takes the staging folder of a place away with all that is in it."""
    folder = folder_of(target)
    if os.path.lexists(folder):
        remove_tree(disk, folder)
        disk.sync_folder(os.path.dirname(folder))
