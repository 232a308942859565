"""GGUF: typed keys and values, a table of tensors, and aligned tensor bytes.

Layout and quantisation types: github.com/ggml-org/ggml, `docs/gguf.md` and `include/ggml.h`.
"""

from __future__ import annotations

import re
import struct
from math import prod

from modelyard.formats.dtypes import BLOCKS, WIDTHS, size_of
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Need, Tensor
from modelyard.formats.sniffing import Head

TITLE = "GGUF"
TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 4: "Q4_2", 5: "Q4_3", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1",
    10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS",
    18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32",
    27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16", 31: "Q4_0", 32: "Q4_0", 33: "Q4_0", 34: "TQ1_0", 35: "TQ2_0",
    36: "IQ4_NL", 37: "IQ4_NL", 38: "IQ4_NL", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0",
}  # fmt: skip
"""ggml_type; 31 to 33 and 36 to 38 were Q4_0 and IQ4_NL with their rows in another order."""
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
MOST_KEYS, MOST_TENSORS, MOST_ITEMS = 65_536, 65_536, 600_000
LONGEST = 512
"""Letters of a value that are kept; a chat template is longer and told by its length."""
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}  # fmt: skip
"""llama_ftype in `include/llama.h`: the mix that the file was quantised to."""


def sniff(head: Head) -> bool:
    """Its magic, and a version of either byte order."""
    return head.data[:4] == b"GGUF" and len(head.data) >= 8


class _Reader:
    """Reads one value after the other."""

    def __init__(self, file: File) -> None:
        self.file, self.at = file, 4
        (version,) = struct.unpack("<I", file.at(4, 4))
        self.order = "<" if version < 65536 else ">"
        self.version = self.number("I")
        self.long = "I" if self.version == 1 else "Q"  # lengths of version 1 have 32 bits
        self.items = 0

    def take(self, length: int) -> bytes:
        found = self.file.at(self.at, length)
        self.at += length
        return found

    def number(self, code: str) -> int:
        (found,) = struct.unpack(self.order + code, self.take(struct.calcsize("=" + code)))
        return int(found)

    def text(self) -> str:
        return self.take(self.number(self.long)).decode("utf-8", "replace")

    def value(self, kind: int) -> str:
        """A value as text: a long one and an array by what they are and how long."""
        if kind in SCALARS:
            (found,) = struct.unpack(self.order + SCALARS[kind], self.take(struct.calcsize("=" + SCALARS[kind])))
            return f"{found:.6g}" if isinstance(found, float) else str(found)
        if kind == STRING:
            text = self.text()
            return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} letters)"
        if kind == ARRAY:
            return self._array()
        raise BrokenError(f"has a value of type {kind}, which there is not")

    def _array(self) -> str:
        kind, count = self.number("I"), self.number(self.long)
        if kind in SCALARS:
            self._skip(count * struct.calcsize("=" + SCALARS[kind]))
            return f"{count:,} numbers"
        self.items += count
        if kind != STRING or self.items > MOST_ITEMS:
            raise BrokenError(f"has a list of {count:,} values that is not read", "too-large")
        for _ in range(count):
            self._skip(self.number(self.long))
        return f"{count:,} strings"

    def _skip(self, length: int) -> None:
        self.at += length
        if self.at > self.file.size:
            raise BrokenError("ends within its keys", "truncated")


@told
def read(file: File) -> Header:
    """Keys, values and the table of tensors."""
    reader = _Reader(file)
    count, keys = reader.number(reader.long), reader.number(reader.long)
    if count > MOST_TENSORS or keys > MOST_KEYS:
        raise BrokenError(f"promises {count:,} tensors and {keys:,} keys", "too-large")
    metadata: dict[str, str] = {}
    for _ in range(keys):
        name = reader.text()
        metadata[name] = reader.value(reader.number("I"))
    rows = [_row(reader) for _ in range(count)]
    told_alignment = metadata.get("general.alignment", "")
    alignment = int(told_alignment) if told_alignment.isdecimal() and 0 < int(told_alignment) < 1 << 20 else 32
    start = (reader.at + alignment - 1) // alignment * alignment
    tensors = tuple(Tensor(name, dtype, shape, size, start + offset) for name, dtype, shape, size, offset in rows)
    end = max((start + offset + size for _, _, _, size, offset in rows), default=0)
    architecture = metadata.get("general.architecture", "")
    mix = metadata.get("general.file_type", "")
    facts = {"quantisation": FILE_TYPES.get(int(mix), mix)} if mix.isdecimal() else {}
    return Header(
        TITLE,
        str(reader.version),
        tensors,
        complete=end <= file.size,
        architecture=architecture,
        framework="llama.cpp" if architecture else "ggml",
        metadata=tuple((metadata | facts).items()),
        needs=_others(file, metadata),
        loads=("llama.cpp: llama-cli -m path", "llama_cpp.Llama(path)"),
        notes=("numbers are big-endian",) if reader.order == ">" else (),
    )


def _row(reader: _Reader) -> tuple[str, str, tuple[int, ...], int, int]:
    name, dimensions = reader.text(), reader.number("I")
    if dimensions > 8:
        raise BrokenError(f"has a tensor of {dimensions:,} dimensions")
    sides = [reader.number(reader.long) for _ in range(dimensions)]
    kind, offset = reader.number("I"), reader.number("Q")
    dtype = TYPES.get(kind, f"type {kind}")
    if prod(sides) >= 1 << 62:
        raise BrokenError(f"has a tensor {name[:80]!r} of {prod(sides):.3g} elements")
    shape = tuple(reversed(sides))  # ggml counts the fastest side first, everybody else last
    return name, dtype, shape, size_of(dtype, shape) if dtype in BLOCKS or dtype in WIDTHS else 0, offset


def _others(file: File, metadata: dict[str, str]) -> tuple[Need, ...]:
    """The other files of a split set, which are numbered in their names."""
    told, name = metadata.get("split.count", "0"), file.name.rpartition("/")[2]
    found = re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})\.gguf", name)
    if not told.isdecimal() or not 1 < int(told) < 10_000 or not found:
        return ()
    names = [f"{found[1]}-{number:05d}-of-{int(told):05d}.gguf" for number in range(1, int(told) + 1)]
    return tuple(Need(each, file.has(each), "a part of the split model") for each in names if each != name)
