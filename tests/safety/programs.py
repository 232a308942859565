"""Random pickle programs: some made of instructions that fit together, some real pickles that were damaged."""

from __future__ import annotations

import collections
import datetime
import fractions
import pickle
import pickletools
import random
from collections.abc import Callable

TEXTS = ("os", "system", "a.b", "collections", "OrderedDict", "x")
LINES = (b"0", b"1", b"01", b"00", b"7", b"0x10", b"-1", b"1\x00z", b"12L", b"1.5", b"'os'", b'"a\\x62"', b"os",
         b"\\u006fs", b"", b"nan", b" 2", b"1_0", b"\x00x", b"010", b"-017", b"09", b" ")  # fmt: skip
ACTING = [opcode for opcode in pickletools.opcodes if opcode.name in (
    "REDUCE", "BUILD", "NEWOBJ", "NEWOBJ_EX", "OBJ", "STACK_GLOBAL", "APPEND", "APPENDS", "SETITEM", "SETITEMS",
    "ADDITEMS", "BINPERSID", "GLOBAL", "INST", "MEMOIZE", "BINGET", "POP", "DUP", "TUPLE1", "TUPLE2", "EMPTY_TUPLE",
    "MARK", "TUPLE", "SHORT_BINUNICODE", "EMPTY_LIST", "EMPTY_DICT", "FRAME",
)]  # fmt: skip
ANY = pickletools.opcodes


def _argument(rng: random.Random, name: str, argument: pickletools.ArgumentDescriptor | None) -> bytes:
    """What may follow an instruction."""
    if argument is None:
        return b""
    if name == "PROTO":
        return bytes([rng.randrange(7)])
    if name == "FRAME":
        return rng.choice([0, 1, 2, 5, 9, 20, 40]).to_bytes(8, "little")
    if name in ("GLOBAL", "INST"):
        return f"{rng.choice(TEXTS)}\n{rng.choice(TEXTS)}\n".encode()
    if argument.n >= 0:
        return rng.randrange(4).to_bytes(argument.n, "little")
    if argument.n == pickletools.UP_TO_NEWLINE:
        return rng.choice(LINES) + b"\n"
    text = rng.choice(TEXTS).encode()
    size = {pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT8U: 8}.get(argument.n, 4)
    length = len(text) + (rng.randrange(-1, 3) if rng.random() < 0.05 else 0)
    return length.to_bytes(size, "little") + text


def random_program(rng: random.Random) -> bytes:
    """A few dozen instructions: mostly those that act, on a stack that mostly holds what they need."""
    parts = [b"\x80" + bytes([rng.randrange(6)])] if rng.random() < 0.7 else []
    for _ in range(rng.randrange(1, 40)):
        pick = rng.random()
        if pick < 0.35:
            parts.append(rng.choice(PHRASES)(rng))
        else:
            opcode = rng.choice(ACTING if pick < 0.8 else ANY)
            parts.append(opcode.code.encode("latin-1") + _argument(rng, opcode.name, opcode.arg))
    return b"".join(parts) + b"."


def _text(rng: random.Random) -> bytes:
    text = rng.choice(TEXTS).encode()
    return rng.choice([
        b"\x8c" + bytes([len(text)]) + text, b"X" + len(text).to_bytes(4, "little") + text, b"V" + text + b"\n",
        b"S'" + text + b"'\n", b"U" + bytes([len(text)]) + text,
    ])  # fmt: skip


def _named(rng: random.Random) -> bytes:
    return rng.choice([_text(rng) + _text(rng) + b"\x93", b"c" + rng.choice(TEXTS).encode() + b"\nf\n"])


PHRASES: list[Callable[[random.Random], bytes]] = [
    _named,
    lambda rng: _named(rng) + b")R",
    lambda rng: _named(rng) + _text(rng) + b"\x85R",
    lambda rng: _named(rng) + b")\x81",
    lambda rng: _named(rng) + b")}\x92",
    lambda rng: b"(" + _named(rng) + _text(rng) + b"o",
    lambda rng: b"(" + _text(rng) + b"ios\nf\n",
    lambda rng: _named(rng) + b")\x81}b",
    lambda rng: b"](" + _text(rng) + _named(rng) + b"e",
    lambda rng: _named(rng) + b"\x94h\x00",
    lambda rng: b"q" + bytes([rng.randrange(3)]) + b"h" + bytes([rng.randrange(3)]),
    lambda rng: b"\x95" + rng.randrange(30).to_bytes(8, "little") + _named(rng) + _text(rng) + b"\x85R",
    lambda rng: b"N" + _text(rng),
    lambda rng: b"(0" + _named(rng),
    lambda rng: b"(" + _text(rng) + rng.choice([b"1", b"00", b"l", b"t", b"\x91"]),
]


def seeds() -> list[bytes]:
    """Real pickles of every protocol."""
    things: list[object] = [
        {"a": [1, 2.5, None, True, "é" * 40], "b": (b"xy", bytearray(b"z"), {1, 2}, frozenset({3}))},
        collections.OrderedDict(a=collections.deque([1, 2]), b=collections.Counter("aab")),
        [datetime.datetime(2020, 1, 2), fractions.Fraction(1, 3), 1 << 80, -(1 << 900), complex(1, 2)],
        collections.defaultdict(list, a=[1]),
        ["x" * 70000, b"y" * 70000],
    ]
    return [pickle.dumps(thing, protocol) for thing in things for protocol in range(6)]


def damaged(rng: random.Random, seed: bytes, other: bytes) -> bytes:
    """A pickle with a few bytes changed, added, cut out or taken from another."""
    data = bytearray(seed)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(data) + 1) if rng.random() < 0.7 else min(len(data), rng.randrange(60))
        match rng.randrange(5):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                data[at:at] = rng.choice(PHRASES)(rng)
            case 2:
                del data[at : at + rng.randrange(1, 9)]
            case 3:
                start = rng.randrange(len(other))
                data[at:at] = other[start : start + rng.randrange(1, 40)]
            case 4:
                opcode = rng.choice(ANY)
                data[at : at + 1] = opcode.code.encode("latin-1") + _argument(rng, opcode.name, opcode.arg)
    return bytes(data)
