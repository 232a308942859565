"""The values inside a pickle, read without running it: containers, numbers and strings; all else stays a name.

A pickle is a program. This reads the opcodes of protocols 0 to 5 (they are listed in CPython's Lib/pickletools.py)
and builds only what can do nothing. Where the program would import or call something, an `Unmade` stands instead.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from msgspec import Struct

OPCODES = 5_000_000
"""A pickle with more is not read; the largest checkpoints have about a tenth of it."""
PLAIN = ("collections OrderedDict", "collections defaultdict")
"""What these make is a dict to us: their arguments are dropped, their items come afterwards."""
MARK = object()
KEYS = (str, bytes, int, float, type(None))


class Unmade(Struct, frozen=True, eq=False):
    """Something that the pickle would have made: the name it would have called, and with what."""

    name: str
    arguments: object = None


def read_values(data: bytes, opcodes: int = OPCODES) -> object:
    """The value of a pickle. ValueError where it is damaged, cut short, or longer than `opcodes`."""
    reader = _Reader(data)
    try:
        for _ in range(opcodes):
            code = reader.take(1)
            if code == b".":
                return reader.pop()
            step = STEPS.get(code)
            if step is None:
                raise ValueError(f"no pickle has the opcode {code!r}")
            step(reader)
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error) as error:
        raise ValueError(f"a damaged pickle: {error!r}") from error
    raise ValueError(f"a pickle of more than {opcodes:,} opcodes")


class _Reader:
    """The stack and the memo of one pickle, and how far it was read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}

    def take(self, count: int) -> bytes:
        """The next bytes."""
        found = self.data[self.at : self.at + count]
        if len(found) != count or count < 0:
            raise ValueError("the pickle ends in the middle")
        self.at += count
        return found

    def number(self, shape: str) -> int:
        """The next bytes as a number."""
        (found,) = struct.unpack(shape, self.take(struct.calcsize(shape)))
        return int(found)

    def line(self) -> str:
        """The text up to the end of the line, in which letters may be escaped."""
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise ValueError("the pickle ends in the middle")
        found = self.data[self.at : end]
        self.at = end + 1
        return found.decode("raw-unicode-escape")

    def push(self, value: object) -> None:
        """Puts a value on the stack."""
        self.stack.append(value)

    def pop(self) -> object:
        """Takes the topmost value. ValueError where there is none, or a mark."""
        found = self.stack.pop() if self.stack else MARK
        if found is MARK:
            raise ValueError("a damaged pickle: a value is missing")
        return found

    def marked(self) -> list[object]:
        """Everything above the last mark."""
        found = []
        while (value := self.stack.pop()) is not MARK:
            found.append(value)
        return found[::-1]

    def put(self, number: int) -> None:
        """Remembers the topmost value."""
        self.memo[number] = self.stack[-1]

    def tuple_of(self, count: int) -> None:
        """Makes a tuple of the topmost values."""
        self.push(tuple([self.pop() for _ in range(count)][::-1]))

    def set_items(self, items: list[object]) -> None:
        """Keys and values by turns into the dict below; keys that could be slow to compare are left out."""
        target = self.stack[-1]
        if isinstance(target, dict):
            pairs = zip(items[::2], items[1::2], strict=True)
            target.update({key: value for key, value in pairs if isinstance(key, KEYS)})

    def append(self, items: list[object]) -> None:
        """Values at the end of the list below."""
        target = self.stack[-1]
        if isinstance(target, list):
            target += items

    def call(self, *_: object) -> None:
        """Would call something: names it instead."""
        arguments, what = self.pop(), self.pop()
        name = what.name if isinstance(what, Unmade) else "?"
        self.push({} if name in PLAIN else Unmade(name, arguments))

    def call_with_keywords(self) -> None:
        """Would call a class with keywords, which are dropped."""
        self.pop()
        self.call()

    def build(self) -> None:
        """Would give the topmost object a state, which is dropped."""
        self.pop()

    def named(self, module: object, name: object) -> None:
        """Would import something: names it instead."""
        self.push(Unmade(f"{module} {name}"))

    def stacked_name(self) -> None:
        """The same with the names on the stack."""
        name, module = self.pop(), self.pop()
        self.named(module, name)

    def instance(self) -> None:
        """Would make an instance of a class that the text names."""
        self.named(self.line(), self.line())
        self.stack[-1] = Unmade(self.stack[-1].name, tuple(self.marked_below()))  # type: ignore[attr-defined]

    def marked_below(self) -> list[object]:
        """Everything between the last mark and the topmost value, which stays."""
        top = self.stack.pop()
        found = self.marked()
        self.stack.append(top)
        return found

    def object_of(self) -> None:
        """Would make an instance of a class on the stack."""
        first, *arguments = self.marked()
        self.push(Unmade(first.name if isinstance(first, Unmade) else "?", tuple(arguments)))


Step = Callable[[_Reader], object]


def _text(shape: str) -> Step:
    return lambda reader: reader.push(reader.take(reader.number(shape)).decode("utf-8", "surrogatepass"))


def _bytes(shape: str) -> Step:
    return lambda reader: reader.push(reader.take(reader.number(shape)))


def _whole(shape: str) -> Step:
    return lambda reader: reader.push(reader.number(shape))


def _long(shape: str) -> Step:
    return lambda reader: reader.push(int.from_bytes(reader.take(reader.number(shape)), "little", signed=True))


def _value(make: Callable[[], object]) -> Step:
    return lambda reader: reader.push(make())


def _put(shape: str) -> Step:
    return lambda reader: reader.put(reader.number(shape))


def _get(shape: str) -> Step:
    return lambda reader: reader.push(reader.memo[reader.number(shape)])


def _skip(count: int) -> Step:
    return lambda reader: reader.take(count)


def _integer(reader: _Reader) -> None:
    text = reader.line()
    reader.push({"00": False, "01": True}.get(text) if text in ("00", "01") else int(text.removesuffix("L")))


def _persistent(reader: _Reader) -> None:
    reader.push(Unmade("persistent", reader.pop()))


STEPS: dict[bytes, Step] = {
    b"\x80": _skip(1),
    b"\x95": _skip(8),
    b"(": lambda reader: reader.push(MARK),
    b"0": lambda reader: reader.stack.pop(),
    b"1": lambda reader: reader.marked(),
    b"2": lambda reader: reader.push(reader.stack[-1]),
    b"N": _value(lambda: None),
    b"\x88": _value(lambda: True),
    b"\x89": _value(lambda: False),
    b"}": _value(dict),
    b"]": _value(list),
    b")": _value(tuple),
    b"\x8f": _value(list),
    b"K": _whole("<B"),
    b"M": _whole("<H"),
    b"J": _whole("<i"),
    b"I": _integer,
    b"L": _integer,
    b"\x8a": _long("<B"),
    b"\x8b": _long("<i"),
    b"G": lambda reader: reader.push(struct.unpack(">d", reader.take(8))[0]),
    b"F": lambda reader: reader.push(float(reader.line())),
    b"X": _text("<I"),
    b"\x8c": _text("<B"),
    b"\x8d": _text("<Q"),
    b"V": lambda reader: reader.push(reader.line()),
    b"S": lambda reader: reader.push(reader.line().strip("'\"")),
    b"T": _bytes("<i"),
    b"U": _bytes("<B"),
    b"B": _bytes("<I"),
    b"C": _bytes("<B"),
    b"\x8e": _bytes("<Q"),
    b"\x96": _bytes("<Q"),
    b"t": lambda reader: reader.push(tuple(reader.marked())),
    b"\x85": lambda reader: reader.tuple_of(1),
    b"\x86": lambda reader: reader.tuple_of(2),
    b"\x87": lambda reader: reader.tuple_of(3),
    b"l": lambda reader: reader.push(reader.marked()),
    b"\x91": lambda reader: reader.push(reader.marked()),
    b"d": lambda reader: _dict(reader),
    b"a": lambda reader: reader.append([reader.pop()]),
    b"e": lambda reader: reader.append(reader.marked()),
    b"\x90": lambda reader: reader.append(reader.marked()),
    b"s": lambda reader: reader.set_items([reader.pop(), reader.pop()][::-1]),
    b"u": lambda reader: reader.set_items(reader.marked()),
    b"p": lambda reader: reader.put(int(reader.line())),
    b"q": _put("<B"),
    b"r": _put("<I"),
    b"\x94": lambda reader: reader.put(len(reader.memo)),
    b"g": lambda reader: reader.push(reader.memo[int(reader.line())]),
    b"h": _get("<B"),
    b"j": _get("<I"),
    b"c": lambda reader: reader.named(reader.line(), reader.line()),
    b"\x93": lambda reader: reader.stacked_name(),
    b"R": _Reader.call,
    b"\x81": _Reader.call,
    b"\x92": _Reader.call_with_keywords,
    b"i": _Reader.instance,
    b"o": _Reader.object_of,
    b"b": _Reader.build,
    b"P": lambda reader: reader.push(Unmade("persistent", reader.line())),
    b"Q": _persistent,
    b"\x82": lambda reader: reader.named("extension", reader.number("<B")),
    b"\x83": lambda reader: reader.named("extension", reader.number("<H")),
    b"\x84": lambda reader: reader.named("extension", reader.number("<i")),
}


def _dict(reader: _Reader) -> None:
    items = reader.marked()
    reader.push({})
    reader.set_items(items)
