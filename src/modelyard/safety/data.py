"""The instructions that push numbers and texts, and those that say how the stream is laid out."""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable
from typing import Literal

from modelyard.safety.machine import Machine
from modelyard.safety.opcodes import PROTOCOLS
from modelyard.safety.stream import HaltError
from modelyard.safety.values import Long

OCTAL = re.compile(rb"[+-]?0[0-7]*[1-7][0-7]*")
DIGITS = 100
"""Longer numbers are not worked out."""


def number(line: bytes | Long, base: int) -> int | Long:
    """The number that C reads from a line, which ends at a NUL for it."""
    if isinstance(line, Long):
        return Long("int", line.offset, line.length)
    text = line.partition(b"\0")[0]
    if len(text) > DIGITS:
        return Long("int", 0, len(text))
    try:
        return int(text, base)
    except ValueError:
        raise HaltError("a number was expected") from None


def _int(machine: Machine) -> None:
    """Read by C's strtol, which takes nothing before a NUL for 0 and a leading 0 for octal."""
    line = machine.reader.line()
    text = line.partition(b"\0")[0].strip() if isinstance(line, bytes) else b""
    if isinstance(line, bytes) and line[:1] == b"\0":
        machine.push(0)
    elif line != b"01" and len(text) <= DIGITS and OCTAL.fullmatch(text):
        machine.push(int(text, 8))
    else:
        machine.push(line == b"01" if line in (b"00", b"01") else number(line, 0))


def _long(machine: Machine) -> None:
    line = machine.reader.line()
    machine.push(number(line.removesuffix(b"L") if isinstance(line, bytes) else line, 0))


def _float(machine: Machine) -> None:
    line = machine.reader.line()
    try:
        machine.push(float(line.partition(b"\0")[0]) if isinstance(line, bytes) else 0.0)
    except ValueError:
        raise HaltError("a number was expected") from None


def _little(count: int, *, signed: bool = False) -> Callable[[Machine], None]:
    def push(machine: Machine) -> None:
        machine.stack.append(int.from_bytes(machine.reader.take(count), "little", signed=signed))

    return push


def length(machine: Machine, count: int) -> int:
    """The length of what follows; one byte of it is unsigned, four are signed for the old types."""
    return int.from_bytes(machine.reader.take(count), "little")


def _signed_length(machine: Machine) -> int:
    found = int.from_bytes(machine.reader.take(4), "little", signed=True)
    if found < 0:
        raise HaltError("a length is below zero")
    return found


def _text(machine: Machine, count: int) -> None:
    found = machine.reader.payload("str", count)
    if isinstance(found, bytes):
        machine.text += count
        try:
            text = found.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise HaltError("a text is not UTF-8") from None
        machine.stack.append(text)
        if text[:1] == "\x80":
            machine.watcher.looks_like_pickle(text, machine.reader.offset)
    else:
        machine.push(found)


def _short_text(machine: Machine) -> None:
    """What most instructions of a later protocol are: a text of a few letters, most of them ASCII."""
    reader = machine.reader
    at = reader.at
    if at < reader.limit:
        end = at + 1 + reader.window[at]
        if end <= reader.limit:
            found = reader.window[at + 1 : end]
            if found.isascii():
                reader.at = end
                machine.text += end - at
                machine.stack.append(found.decode())
                return
    _text(machine, machine.reader.take(1)[0])


def _bytes(machine: Machine, count: int, kind: Literal["bytes", "bytearray"] = "bytes") -> None:
    found = machine.reader.payload(kind, count)
    begin = found[:2] if isinstance(found, bytes) else machine.reader.look(found.offset, 2)
    if begin[:1] == b"\x80":
        machine.watcher.looks_like_pickle(found, machine.reader.offset)
    machine.text += len(found) if isinstance(found, bytes) else 0
    machine.push(found)


def _little_number(machine: Machine, count: int) -> None:
    found = machine.reader.payload("int", count)
    if isinstance(found, bytes) and count <= DIGITS:
        machine.push(int.from_bytes(found, "little", signed=True))
    else:
        machine.push(Long("int", 0, count))


def _old_text(machine: Machine, count: int) -> None:
    """A byte string of Python 2. Loaders choose how it becomes text; outside ASCII no two agree."""
    found = machine.reader.payload("str", count)
    machine.text += count if isinstance(found, bytes) else 0
    machine.push(_decoded(found) if isinstance(found, bytes) else found)


def _decoded(found: bytes) -> str:
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        return found.decode("latin-1")


def _string(machine: Machine) -> None:
    line = machine.reader.line()
    if isinstance(line, Long):
        machine.push(line)
        return
    if len(line) < 2 or line[0] != line[-1] or line[:1] not in (b"'", b'"'):
        raise HaltError("a text without its quotes")
    try:
        machine.push(_decoded(codecs.escape_decode(line[1:-1])[0]))
    except ValueError:
        raise HaltError("a text that ends in the middle of an escape") from None


def _unicode(machine: Machine) -> None:
    line = machine.reader.line()
    try:
        machine.push(codecs.decode(line, "raw_unicode_escape") if isinstance(line, bytes) else line)
    except UnicodeDecodeError:
        raise HaltError("a text that ends in the middle of an escape") from None


def _protocol(machine: Machine) -> None:
    machine.protocol = machine.reader.take(1)[0]
    if machine.protocol > PROTOCOLS:
        raise HaltError(f"protocol {machine.protocol} is not known")


def _frame(machine: Machine) -> None:
    length = int.from_bytes(machine.reader.take(8), "little")
    if length >= 1 << 63:
        raise HaltError("a frame of that length cannot be")
    if length > machine.reader.left:
        machine.fails("a frame is longer than the file")
        return
    machine.reader.frame(length)


DATA: dict[str, Callable[[Machine], object]] = {
    "FLOAT": _float,
    "INT": _int,
    "BININT": _little(4, signed=True),
    "BININT1": _little(1),
    "LONG": _long,
    "BININT2": _little(2),
    "STRING": _string,
    "BINSTRING": lambda machine: _old_text(machine, _signed_length(machine)),
    "SHORT_BINSTRING": lambda machine: _old_text(machine, machine.reader.take(1)[0]),
    "UNICODE": _unicode,
    "BINUNICODE": lambda machine: _text(machine, length(machine, 4)),
    "BINFLOAT": lambda machine: machine.push(struct.unpack(">d", machine.reader.take(8))[0]),
    "PROTO": _protocol,
    "NEWTRUE": lambda machine: machine.stack.append(True),
    "NEWFALSE": lambda machine: machine.stack.append(False),
    "LONG1": lambda machine: _little_number(machine, machine.reader.take(1)[0]),
    "LONG4": lambda machine: _little_number(machine, _signed_length(machine)),
    "BINBYTES": lambda machine: _bytes(machine, length(machine, 4)),
    "SHORT_BINBYTES": lambda machine: _bytes(machine, machine.reader.take(1)[0]),
    "SHORT_BINUNICODE": _short_text,
    "BINUNICODE8": lambda machine: _text(machine, length(machine, 8)),
    "BINBYTES8": lambda machine: _bytes(machine, length(machine, 8)),
    "FRAME": _frame,
    "BYTEARRAY8": lambda machine: _bytes(machine, length(machine, 8), "bytearray"),
}
