"""Objects of HDF5: headers with their messages, groups with their links. Read in place and within bounds.

Layout: the HDF5 File Format Specification, version 3.0 (support.hdfgroup.org).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from modelyard.formats.file import BrokenError, File

MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_STEPS = 100_000
DATASPACE, LINK_INFO, DATATYPE, EXTERNAL, LAYOUT, LINK, FILTERS, ATTRIBUTE, CONTINUED, SYMBOLS = (
    1, 2, 3, 7, 8, 6, 11, 12, 16, 17,
)  # fmt: skip


class Message(Struct, frozen=True):
    """One message of an object's header."""

    kind: int
    data: bytes
    offset: int
    """Where its data begins in the file."""
    shared: bool = False
    """Whether it says where the message is instead."""


class Link(Struct, frozen=True):
    """A name in a group: the header it leads to, or the other file it points into."""

    name: str
    address: int | None
    file: str = ""


def beginning(file: File) -> int | None:
    """Where the signature stands: at 0, or behind a block of the user's own at 512 or twice that and so on."""
    at = 0
    while at + len(MAGIC) <= file.size:
        if file.at(at, len(MAGIC)) == MAGIC:
            return at
        at = 2 * at or 512
    return None


class Hdf5:
    """A file of HDF5. BrokenError for anything that is not as it should be."""

    def __init__(self, file: File) -> None:
        self.file, self.left = file, MOST_STEPS
        begin = beginning(file)
        if begin is None:
            raise BrokenError("has no signature of HDF5")
        self.dense = False
        """Whether a group keeps its names in a form that is not read."""
        self.version = file.at(begin + 8, 1)[0]
        if self.version > 3:
            raise BrokenError(f"has version {self.version} of HDF5, which is not read", "unsupported")
        old = self.version < 2
        self.wide, self.long = file.at(begin + (13 if old else 9), 2)
        if self.wide not in (4, 8) or self.long not in (4, 8):
            raise BrokenError("has addresses of a width that is not in use")
        start = begin + ((24 if self.version == 0 else 28) if old else 12)
        self.base = begin  # the library believes where it found the signature, not what is written there
        self.end = self.number(start + 2 * self.wide, self.wide)
        self.root = self.number(start + (5 if old else 3) * self.wide, self.wide)

    def step(self) -> None:
        """Counts a step, so that circles end."""
        self.left -= 1
        if self.left < 0:
            raise BrokenError(f"takes more than {MOST_STEPS:,} steps to read", "too-large")

    def number(self, at: int, width: int) -> int:
        """A whole number in the file."""
        return int.from_bytes(self.file.at(at, width), "little")

    def missing(self, address: int) -> bool:
        """Whether an address says that there is nothing."""
        return address == (1 << 8 * self.wide) - 1

    def messages(self, address: int) -> list[Message]:
        """The messages of the object at an address."""
        at = self.base + address
        found: list[Message] = []
        if self.file.at(at, 4) == b"OHDR":
            flags = self.file.at(at + 5, 1)[0]
            at += 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            waiting = [(at + width, self.number(at, width), 4 + (2 if flags & 4 else 0))]
        else:
            if self.file.at(at, 1) != b"\1":
                raise BrokenError(f"has no object at byte {at:,}, where one should be")
            waiting = [(at + 16, self.number(at + 8, 4), 8)]
        while waiting:
            start, length, head = waiting.pop(0)
            for message in self._block(start, length, head):
                if message.kind == CONTINUED:
                    where = self.base + int.from_bytes(message.data[: self.wide], "little")
                    size = int.from_bytes(message.data[self.wide : self.wide + self.long], "little")
                    waiting.append((where, size, 8) if head == 8 else (where + 4, size - 8, head))
                else:
                    found.append(message)
        return found

    def _block(self, at: int, length: int, head: int) -> Iterator[Message]:
        stop = at + length
        while at + head <= stop:
            self.step()
            raw = self.file.at(at, head)
            kind, size, flags = (
                (int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:4], "little"), raw[4])
                if head == 8
                else (raw[0], int.from_bytes(raw[1:3], "little"), raw[3])
            )
            at += head
            if at + size > stop:
                return  # a gap, smaller than a message
            if kind:
                yield Message(kind, self.file.at(at, size), at, bool(flags & 2))
            at += size

    def links(self, messages: list[Message]) -> Iterator[Link]:
        """The names in a group."""
        for each in messages:
            if each.kind == SYMBOLS:
                tree, heap = (int.from_bytes(each.data[at : at + self.wide], "little") for at in (0, self.wide))
                yield from self._symbols(tree, heap)
            elif each.kind == LINK:
                yield self._link(each.data)
            elif each.kind == LINK_INFO:
                at = 2 + (8 if each.data[1] & 1 else 0)
                self.dense |= not self.missing(int.from_bytes(each.data[at : at + self.wide], "little"))

    def _symbols(self, tree: int, heap: int) -> Iterator[Link]:
        at = self.base + heap
        if self.file.at(at, 4) != b"HEAP":
            raise BrokenError("has a group without its names")
        names = self.base + self.number(at + 8 + 2 * self.long, self.wide)
        waiting, seen = [tree], set()
        while waiting:
            node = waiting.pop()
            self.step()
            if node in seen:
                raise BrokenError("has a group that contains itself")
            seen.add(node)
            at = self.base + node
            sign = self.file.at(at, 8)
            count = int.from_bytes(sign[6:8], "little")
            if sign[:4] == b"TREE":
                first = at + 8 + 2 * self.wide + self.long
                step = self.wide + self.long
                waiting += [self.number(first + each * step, self.wide) for each in reversed(range(count))]
            elif sign[:4] == b"SNOD":
                yield from (self._symbol(at + 8 + each * (2 * self.wide + 24), names) for each in range(count))
            else:
                raise BrokenError("has a group whose tree leads nowhere")

    def _symbol(self, at: int, names: int) -> Link:
        self.step()
        name, address = self.number(at, self.wide), self.number(at + self.wide, self.wide)
        soft = self.number(at + 2 * self.wide, 4) == 2
        return Link(self._name(names + name), None if soft else address)

    def _name(self, at: int) -> str:
        data = self.file.at(at, min(256, self.file.size - at) if at < self.file.size else 1)
        return data.partition(b"\0")[0].decode("utf-8", "replace")

    def _link(self, data: bytes) -> Link:
        flags = data[1]
        at = 2
        kind = data[at] if flags & 8 else 0
        at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        length = int.from_bytes(data[at : at + width], "little")
        at += width
        name = data[at : at + length].decode("utf-8", "replace")
        at += length
        if kind == 0:
            return Link(name, int.from_bytes(data[at : at + self.wide], "little"))
        if kind == 64:
            other = data[at + 3 :].partition(b"\0")[0]
            return Link(name, None, other.decode("utf-8", "replace"))
        return Link(name, None)

    def heap_object(self, address: int, index: int, most: int) -> bytes:
        """The bytes of an object in a global heap, where texts of any length lie."""
        found = self._in_heap(address, index)
        return self.file.at(found[0], min(found[1], most)) if found else b""

    def heap_place(self, reference: bytes) -> tuple[int, int] | None:
        """Where the bytes of an object in a global heap begin, and how many they are; None for no object."""
        address = int.from_bytes(reference[: self.wide], "little")
        index = int.from_bytes(reference[self.wide : self.wide + 4], "little")
        return None if not address or self.missing(address) else self._in_heap(address, index)

    def _in_heap(self, address: int, index: int) -> tuple[int, int] | None:
        at = self.base + address
        if self.file.at(at, 4) != b"GCOL":
            raise BrokenError("has a text that is nowhere")
        stop = at + self.number(at + 8, self.long)
        at += 8 + self.long
        while at + 8 + self.long <= stop:
            self.step()
            number, size = self.number(at, 2), self.number(at + 8, self.long)
            if number == index:
                return at + 8 + self.long, size
            if not number:
                break
            at += 8 + self.long + (size + 7) // 8 * 8
        return None
