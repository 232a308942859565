"""Reads a pickle stream through a small window, and knows where its frames end.

PEP 3154 says that no instruction may straddle the end of a frame. CPython's C unpickler did not enforce that before
3.13.15 and 3.14.7 (gh-154848): reading from memory it goes straight on, reading from a file object it forgets what
was left of the frame. A stream that straddles is therefore two programs, and both are followed.
"""

from __future__ import annotations

from typing import Literal, Protocol

from modelyard.safety.values import Long

WINDOW = 1 << 16
KEPT = 1024
"""Longer texts stay where they are: no name is that long."""


class Source(Protocol):
    """Bytes that can be read at any place. A read past the end gives fewer bytes; OSError where the disk fails."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on."""


class Memory:
    """Bytes that are at hand."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.data)

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on."""
        return self.data[offset : offset + count]


class Part:
    """A stretch of another source."""

    def __init__(self, whole: Source, start: int, size: int) -> None:
        self.whole, self.start, self.size = whole, start, max(0, min(size, whole.size - start))

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on."""
        return self.whole.read(self.start + offset, max(0, min(count, self.size - offset)))


class HaltError(Exception):
    """The machine would stop here with an error."""


class GivenUpError(HaltError):
    """The real machine would go on; this one does not."""


class Reader:
    """The bytes of one stream in order. `dropping` reads like the C unpickler on a file object that cannot peek."""

    __slots__ = ("_base", "_frame_end", "_resume", "_source", "at", "crossed", "dropping", "limit", "window")

    def __init__(self, source: Source, start: int = 0, dropping: bool = False) -> None:
        self._source, self.dropping = source, dropping
        self.window, self.at, self.limit, self._base = b"", 0, 0, start
        self._frame_end: int | None = None
        self._resume: int | None = None
        self.crossed: int | None = None
        """Where the first instruction straddles the end of a frame."""

    @property
    def offset(self) -> int:
        """The place in the source."""
        return self._base + self.at

    @property
    def left(self) -> int:
        """Bytes up to the end of the source."""
        return self._source.size - self.offset

    def take(self, count: int) -> bytes:
        """The next bytes, at most a window of them."""
        end = self.at + count
        if end > self.limit:
            self._reach(count, contiguous=False)
            end = self.at + count
        found = self.window[self.at : end]
        self.at = end
        return found

    def payload(self, kind: Literal["str", "bytes", "bytearray", "int"], count: int) -> bytes | Long:
        """The bytes of a text, or where they lie when they are many."""
        if count <= KEPT:
            if kind in ("bytes", "bytearray") and self.at + count > self.limit:
                self._reach(count, contiguous=True)
            return self.take(count)
        where = self._place(count, contiguous=kind in ("bytes", "bytearray"))
        if where + count > self._source.size:
            raise HaltError("the stream ends inside a text")
        self.seek(where + count)
        return Long(kind, where, count)

    def line(self) -> bytes | Long:
        """Text up to the end of the line, without it."""
        end = self.window.find(b"\n", self.at, self.limit)
        if end < 0:
            return self._far_line()
        found, self.at = self.window[self.at : end], end + 1
        return found if len(found) <= KEPT else Long("str", self._base + end - len(found), len(found))

    def frame(self, length: int) -> None:
        """Begins a frame. One that begins inside another straddles too."""
        where, outer = self.offset, self._frame_end
        if outer is not None and where < outer:
            self._cross(where)
            if self.dropping and where + length > outer:
                where = outer  # what was left of the outer frame is forgotten
            elif self.dropping:
                return  # it fits: the C unpickler does not even notice
        self._frame_end, self._resume = where + length, None
        self.seek(where)

    def jump(self, count: int) -> int:
        """Skips bytes that a loader takes from the file itself, behind the frame; the offset they begin at."""
        start = self.offset if self._frame_end is None else self._frame_end if self._resume is None else self._resume
        if self._frame_end is not None and self.offset < self._frame_end:
            self._cross(self.offset)
            self._resume = start + count
        else:
            self._frame_end = None
            self.seek(min(start + count, self._source.size))
        return start

    def look(self, offset: int, count: int) -> bytes:
        """Bytes anywhere, without moving."""
        return self._source.read(offset, count)

    def seek(self, where: int) -> None:
        """Goes to a place in the source."""
        if self._base <= where <= self._base + len(self.window):
            self.at = where - self._base
        else:
            self._base, self.at, self.window = where, 0, b""
        self._bound()

    def _bound(self) -> None:
        frame = len(self.window) if self._frame_end is None else self._frame_end - self._base
        self.limit = max(self.at, min(len(self.window), frame))

    def _cross(self, where: int) -> None:
        self.crossed = where if self.crossed is None else self.crossed

    def _place(self, count: int, contiguous: bool) -> int:
        """Where the next `count` bytes really begin, the frame left when it has to be."""
        where, frame = self.offset, self._frame_end
        if frame is None or where + count <= frame:
            return where
        if where < frame:
            self._cross(where)
            if self.dropping and not contiguous:
                where = frame
        else:
            where = where if self._resume is None else self._resume
        self._frame_end = self._resume = None
        return where

    def _reach(self, count: int, contiguous: bool) -> None:
        """Makes the next bytes lie in the window."""
        where = self._place(count, contiguous)
        self.seek(where)
        if self.at + count > self.limit:
            self.window, self._base, self.at = self._source.read(where, max(count, WINDOW)), where, 0
            self._bound()
            if count > self.limit:
                raise HaltError("the stream ends before its STOP")

    def _far_line(self) -> bytes | Long:
        """A line that does not end in the window."""
        frame = self._frame_end
        inside = frame is not None and self.offset < frame and self._find(self.offset, frame) is not None
        start = self.offset if inside else self._place(self._source.size + 1, contiguous=False)
        end = self._find(start, frame if inside and frame is not None else self._source.size)
        if end is None:  # the machine written in Python takes what is there for a line, and cuts its last letter off
            end = max(start, self._source.size - 1)
        found = self._source.read(start, end - start) if end - start <= KEPT else Long("str", start, end - start)
        self.seek(end + 1)
        return found

    def _find(self, start: int, end: int) -> int | None:
        """The next end of a line before `end`."""
        while start < end:
            part = self._source.read(start, min(WINDOW, end - start))
            if not part:
                return None
            if (found := part.find(b"\n")) >= 0:
                return start + found
            start += len(part)
        return None
