"""The instructions of the pickle machine, all protocols: byte, name and what follows it.

From PEP 307, PEP 3154, PEP 574 and CPython's Modules/_pickle.c.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Follows = Literal[
    "", "1", "2", "4", "4s", "8", "float8", "line", "two lines",
    "1+bytes", "4+bytes", "4s+bytes", "8+bytes", "frame",
]  # fmt: skip
"""A number of that many bytes, little-endian (`s` signed), lines of text, or a length and so many bytes."""
PROTOCOLS = 5


class Opcode(NamedTuple):
    """One instruction, and the protocol that brought it."""

    code: int
    name: str
    follows: Follows
    protocol: int


def _table() -> tuple[Opcode, ...]:
    rows: list[tuple[bytes, str, Follows, int]] = [
        (b"(", "MARK", "", 0), (b".", "STOP", "", 0), (b"0", "POP", "", 0), (b"1", "POP_MARK", "", 1),
        (b"2", "DUP", "", 0), (b"F", "FLOAT", "line", 0), (b"I", "INT", "line", 0), (b"J", "BININT", "4s", 1),
        (b"K", "BININT1", "1", 1), (b"L", "LONG", "line", 0), (b"M", "BININT2", "2", 1), (b"N", "NONE", "", 0),
        (b"P", "PERSID", "line", 0), (b"Q", "BINPERSID", "", 1), (b"R", "REDUCE", "", 0),
        (b"S", "STRING", "line", 0), (b"T", "BINSTRING", "4s+bytes", 1), (b"U", "SHORT_BINSTRING", "1+bytes", 1),
        (b"V", "UNICODE", "line", 0), (b"X", "BINUNICODE", "4+bytes", 1), (b"a", "APPEND", "", 0),
        (b"b", "BUILD", "", 0), (b"c", "GLOBAL", "two lines", 0), (b"d", "DICT", "", 0),
        (b"}", "EMPTY_DICT", "", 1), (b"e", "APPENDS", "", 1), (b"g", "GET", "line", 0), (b"h", "BINGET", "1", 1),
        (b"i", "INST", "two lines", 0), (b"j", "LONG_BINGET", "4", 1), (b"l", "LIST", "", 0),
        (b"]", "EMPTY_LIST", "", 1), (b"o", "OBJ", "", 1), (b"p", "PUT", "line", 0), (b"q", "BINPUT", "1", 1),
        (b"r", "LONG_BINPUT", "4", 1), (b"s", "SETITEM", "", 0), (b"t", "TUPLE", "", 0),
        (b")", "EMPTY_TUPLE", "", 1), (b"u", "SETITEMS", "", 1), (b"G", "BINFLOAT", "float8", 1),
        (b"\x80", "PROTO", "1", 2), (b"\x81", "NEWOBJ", "", 2), (b"\x82", "EXT1", "1", 2),
        (b"\x83", "EXT2", "2", 2), (b"\x84", "EXT4", "4s", 2), (b"\x85", "TUPLE1", "", 2),
        (b"\x86", "TUPLE2", "", 2), (b"\x87", "TUPLE3", "", 2), (b"\x88", "NEWTRUE", "", 2),
        (b"\x89", "NEWFALSE", "", 2), (b"\x8a", "LONG1", "1+bytes", 2), (b"\x8b", "LONG4", "4s+bytes", 2),
        (b"B", "BINBYTES", "4+bytes", 3), (b"C", "SHORT_BINBYTES", "1+bytes", 3),
        (b"\x8c", "SHORT_BINUNICODE", "1+bytes", 4), (b"\x8d", "BINUNICODE8", "8+bytes", 4),
        (b"\x8e", "BINBYTES8", "8+bytes", 4), (b"\x8f", "EMPTY_SET", "", 4), (b"\x90", "ADDITEMS", "", 4),
        (b"\x91", "FROZENSET", "", 4), (b"\x92", "NEWOBJ_EX", "", 4), (b"\x93", "STACK_GLOBAL", "", 4),
        (b"\x94", "MEMOIZE", "", 4), (b"\x95", "FRAME", "frame", 4), (b"\x96", "BYTEARRAY8", "8+bytes", 5),
        (b"\x97", "NEXT_BUFFER", "", 5), (b"\x98", "READONLY_BUFFER", "", 5),
    ]  # fmt: skip
    return tuple(Opcode(code[0], name, follows, protocol) for code, name, follows, protocol in rows)


OPCODES = _table()
