"""The pickle of a state dict, written down instruction by instruction: names of tensors and where their storages lie.

What `torch.save` writes for a dict of tensors, and `torch.load(weights_only=True)` reads: torch's `serialization.py`
and `_utils.py`. Opcodes: CPython's `Lib/pickletools.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from modelyard.formats.torch_values import contiguous

CLASSES = {
    "F64": "DoubleStorage", "F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage",
    "I64": "LongStorage", "I32": "IntStorage", "I16": "ShortStorage", "I8": "CharStorage", "U8": "ByteStorage",
    "BOOL": "BoolStorage", "C64": "ComplexFloatStorage", "C128": "ComplexDoubleStorage",
}  # fmt: skip
"""Storage classes of the dtypes that have one."""
PLAIN = {
    "U16": "uint16", "U32": "uint32", "U64": "uint64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip
"""Younger dtypes, whose storages are bytes."""
DTYPES = frozenset((*CLASSES, *PLAIN))


class Writer:
    """Instructions, and what is remembered for later ones."""

    def __init__(self) -> None:
        self.made = bytearray(b"\x80\x02")
        self._known: dict[bytes, int] = {}

    def once(self, code: bytes) -> None:
        """Pushes what an instruction makes, and remembers it: the second time it is recalled."""
        place = self._known.get(code)
        if place is not None:
            self.made += b"h%c" % place
            return
        place = self._known[code] = len(self._known)
        self.made += code + b"q%c" % place

    def text(self, text: str) -> None:
        """Pushes a text."""
        self.made += _text(text)

    def number(self, number: int) -> None:
        """Pushes a whole number from 0 on."""
        if number < 1 << 8:
            self.made += b"K%c" % number
        elif number < 1 << 31:
            self.made += b"J" + struct.pack("<i", number)
        else:
            data = number.to_bytes(number.bit_length() // 8 + 1, "little")
            self.made += b"\x8a%c" % len(data) + data

    def numbers(self, numbers: Iterable[int]) -> None:
        """Pushes a tuple of numbers."""
        self.made += b"("
        for each in numbers:
            self.number(each)
        self.made += b"t"

    def tensor(self, name: str, dtype: str, shape: tuple[int, ...], key: str, size: int) -> None:
        """Pushes a name and the tensor that shows all of a storage, row after row; `size`: bytes of the storage."""
        old = dtype in CLASSES
        count = shape_elements(shape)
        self.text(name)
        self.once(_name("torch._utils", "_rebuild_tensor_v2" if old else "_rebuild_tensor_v3"))
        self.made += b"(("
        self.once(_text("storage"))
        self.once(_name("torch", CLASSES[dtype]) if old else _name("torch.storage", "UntypedStorage"))
        self.text(key)
        self.once(_text("cpu"))
        self.number(count if old else size)
        self.made += b"tQ"
        self.number(0)
        self.numbers(shape)
        self.numbers(contiguous(shape))
        self.made += b"\x89"
        self.once(_name("collections", "OrderedDict"))
        self.made += b")R"
        if not old:
            self.once(_name("torch", PLAIN[dtype]))
        self.made += b"tR"


def shape_elements(shape: tuple[int, ...]) -> int:
    """How many numbers a shape has."""
    count = 1
    for side in shape:
        count *= side
    return count


def state_dict(tensors: Iterable[tuple[str, str, tuple[int, ...], str, int]]) -> bytes:
    """The pickle of a dict: for each tensor its name, dtype, shape, the key of its storage and that one's bytes."""
    writer = Writer()
    writer.made += b"}("
    for each in tensors:
        writer.tensor(*each)
    writer.made += b"u."
    return bytes(writer.made)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()
