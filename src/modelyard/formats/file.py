"""A file to be read at any place, bounded: what was read is counted, and there is an end to it."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import TYPE_CHECKING

from modelyard.problem import Problem, from_errno
from modelyard.walk.read import begin
from modelyard.walk.text import shown

if TYPE_CHECKING:
    from modelyard.formats.header import Header

AHEAD = 4096
"""Bytes that a small read brings along."""
MOST_READ = 48 << 20
"""Bytes that may be read of a file and of what it needs: headers are smaller, tensors are not read."""
MOST_AT_ONCE = 16 << 20
SMALL = 1 << 16
"""Bytes of a file that is kept when it was read as a whole."""
DEEPEST = 4
"""Files inside files that are followed."""
Fetch = Callable[[int, int], bytes]


class BrokenError(Exception):
    """A file that is not what it says; stays within `formats`, where it becomes a Problem."""

    def __init__(self, message: str, code: str = "damaged") -> None:
        super().__init__(message)
        self.code = code


class Meter:
    """Counts the bytes that were read of a file, of its parts and of its neighbours."""

    def __init__(self, most: int = MOST_READ) -> None:
        self.read = 0
        self.most = most

    def add(self, count: int) -> None:
        """Counts; BrokenError when it is too much."""
        self.read += count
        if self.read > self.most:
            raise BrokenError(f"its header goes on for more than {self.most:,} bytes", "too-large")


class File:
    """Bytes with a length and a name, read at any place: a file, a stretch of one, or unpacked bytes."""

    def __init__(self, name: str, size: int, fetch: Fetch, meter: Meter, folder: bytes = b"", depth: int = 0) -> None:
        self.name, self.size, self.meter, self.folder, self.depth = name, size, meter, folder, depth
        self.reader: Callable[[File], Header | Problem] = _nobody
        self.cut = False
        """Whether it ends where unpacking stopped, not where its bytes end."""
        self._fetch, self._ahead = fetch, AHEAD
        self._start, self._kept = 0, b""

    def at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes. BrokenError where the file ends before, or for more than may be read at once."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise BrokenError(f"ends at byte {self.size:,}, before what its header promises", "truncated")
        if length > MOST_AT_ONCE:
            raise BrokenError(f"has a header of {length:,} bytes", "too-large")
        skip = offset - self._start
        if skip < 0 or skip + length > len(self._kept):
            self._start, self._kept, skip = (
                offset,
                self._fetch(offset, min(max(length, self._ahead), self.size - offset)),
                0,
            )
            self.meter.add(len(self._kept))
            if len(self._kept) < length:
                raise BrokenError("became shorter while it was read", "changed")
        found = self._kept[skip : skip + length]
        if (
            len(self._kept) > 2 * AHEAD and not len(self._kept) == self.size <= SMALL
        ):  # a large piece belongs to who asked
            self._kept = b""
        return found

    def head(self, length: int) -> bytes:
        """The first bytes, fewer where the file is shorter."""
        return self.at(0, min(length, self.size))

    def tail(self, length: int) -> bytes:
        """The last bytes, fewer where the file is shorter."""
        length = min(length, self.size)
        return self.at(self.size - length, length)

    def whole(self, most: int) -> bytes:
        """Everything. BrokenError when it is longer than that."""
        if self.size > most:
            raise BrokenError(f"holds {self.size:,} bytes, more than the {most:,} that are read", "too-large")
        return self.at(0, self.size)

    def part(self, name: str, offset: int, length: int) -> File:
        """A stretch of it as a file of its own."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise BrokenError(f"ends before its part {shown(name[:200])}", "truncated")
        found = self._inner(name, length, lambda start, count: self.at(offset + start, count))
        found._ahead = 0  # what is asked for beside it is known here already
        return found

    def unpacked(self, name: str, data: bytes, *, cut: bool = False) -> File:
        """Bytes that were unpacked from it, as a file of its own; `cut` when there were more."""
        found = self._inner(name, len(data), lambda start, count: data[start : start + count])
        found.cut = cut
        return found

    def _inner(self, name: str, size: int, fetch: Fetch) -> File:
        found = File(name, size, fetch, self.meter, depth=self.depth + 1)
        found.reader = self.reader
        return found

    def header(self) -> Header | Problem:
        """Its header by whatever format it has; a Problem for a file that lies too deep in others."""
        if self.depth > DEEPEST:
            return Problem(self.name, "too-deep", f"lies in more than {DEEPEST} files inside each other")
        return self.reader(self)

    def beside(self, name: str) -> str | None:
        """The path of a file that this one names, None when that leads out of the folder or there is no folder."""
        inside = name.replace("\\", "/")
        if not self.folder or not inside or inside.startswith("/") or ".." in inside.split("/") or "\0" in inside:
            return None
        return os.path.join(os.fsdecode(self.folder), name)

    def has(self, name: str) -> bool | None:
        """Whether a file that this one names is there; None for a name that leads out of the folder."""
        path = self.beside(name)
        return None if path is None else os.path.exists(path)

    @contextmanager
    def neighbour(self, name: str) -> Iterator[File]:
        """A file that this one names. BrokenError or OSError when it cannot be read."""
        path = self.beside(name)
        if path is None:
            raise BrokenError(f"names a file outside its folder: {shown(name[:200])}", "outside")
        with looked_into(path, meter=self.meter) as found:
            if isinstance(found, Problem):
                raise BrokenError(found.message, found.code)
            found.reader, found.depth = self.reader, self.depth + 1
            yield found


def held(path: str, data: bytes, meter: Meter) -> File:
    """A file that was read as a whole, as what it holds."""
    folder = os.fsencode(os.path.dirname(path)) or b"."
    return File(shown(path), len(data), lambda start, count: data[start : start + count], meter, folder)


def _nobody(file: File) -> Header | Problem:
    return Problem(file.name, "unknown", "nobody here reads files inside files")


@contextmanager
def looked_into(path: str, meter: Meter | None = None) -> Iterator[File | Problem]:
    """A file to read without a trace; links are followed, and what is no plain file is a Problem."""
    name = shown(path)
    try:
        raw = os.fsencode(path)
        descriptor = begin(raw, follow=True)
    except OSError as error:
        yield from_errno(name, error.errno or 0)
        return
    except ValueError:  # a NUL in the path
        yield Problem(name, "vanished", "no file can have this name")
        return
    try:
        yield _file_of(descriptor, name, raw, meter or Meter())
    finally:
        os.close(descriptor)


def _file_of(descriptor: int, name: str, path: bytes, meter: Meter) -> File | Problem:
    try:
        seen = os.fstat(descriptor)
    except OSError as error:
        return from_errno(name, error.errno or 0)
    if not stat.S_ISREG(seen.st_mode):
        return Problem(name, "not-a-file", "a plain file was expected here")
    return File(name, seen.st_size, partial(_fetch, descriptor), meter, os.path.dirname(path) or b".")


def _fetch(descriptor: int, offset: int, length: int) -> bytes:
    return os.pread(descriptor, length, offset)


def told(read: Callable[[File], Header]) -> Callable[[File], Header | Problem]:
    """Makes what goes wrong while reading a file a Problem: its content may be anything."""

    @wraps(read)
    def bounded(file: File) -> Header | Problem:
        try:
            return read(file)
        except BrokenError as error:
            return Problem(file.name, error.code, str(error), HINTS.get(error.code, ""))
        except OSError as error:
            return from_errno(file.name, error.errno or 0)
        except (struct.error, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            return Problem(file.name, "damaged", f"is damaged: {shown(str(error)[:200])}", HINTS["damaged"])

    return bounded


HINTS = {
    "damaged": "get or make it again; `modelyard scan` tells whether it was made to deceive",
    "truncated": "the download or the writing broke off; get or make it again",
    "too-large": "no tool that made such files writes headers this large",
}
