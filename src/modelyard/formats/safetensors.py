"""safetensors: a length, a JSON table of the tensors, and their bytes without gaps.

Layout: github.com/huggingface/safetensors, README and `safetensors/src/tensor.rs`.
"""

from __future__ import annotations

import struct

import msgspec

from modelyard.formats.dtypes import BLOCKS, WIDTHS, size_of
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Tensor
from modelyard.formats.json_text import decode
from modelyard.formats.sniffing import Head

TITLE = "safetensors"
MOST_VALUES = 500_000
"""About eight a tensor: the table is decoded entry by entry."""
LOADS = ("safetensors.torch.load_file(path)",)


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def sniff(head: Head) -> bool:
    """A length and the beginning of a JSON table."""
    data = head.data
    return len(data) >= 10 and data[8:9] == b"{" and 2 <= int.from_bytes(data[:8], "little") <= 1 << 40


@told
def read(file: File) -> Header:
    """The table; its offsets become offsets in the file."""
    (length,) = struct.unpack("<Q", file.at(0, 8))
    if length > file.size - 8:
        raise BrokenError(f"promises a header of {length:,} bytes and ends before", "truncated")
    table = decode(file.at(8, length), dict[str, msgspec.Raw], MOST_VALUES)
    raw = table.pop("__metadata__", None)
    metadata = decode(bytes(raw), dict[str, str]) if raw is not None else {}
    start = 8 + length
    tensors = tuple(_tensor(name, decode(bytes(entry), _Entry), start) for name, entry in table.items())
    end = max((each.offset + each.bytes for each in tensors if each.offset is not None), default=start)
    notes = [f"{file.size - end:,} bytes behind the last tensor belong to nothing"] if end < file.size else []
    return Header(
        TITLE,
        tensors=tuple(sorted(tensors, key=lambda each: each.offset or 0)),
        complete=end <= file.size,
        architecture=metadata.get("modelspec.architecture", ""),
        framework={"pt": "PyTorch", "tf": "TensorFlow", "flax": "Flax", "mlx": "MLX", "np": "NumPy"}.get(
            metadata.get("format", ""), ""
        ),
        metadata=tuple(sorted(metadata.items())),
        loads=LOADS,
        notes=tuple(notes),
    )


def _tensor(name: str, entry: _Entry, start: int) -> Tensor:
    first, last = entry.data_offsets
    if first < 0 or last < first or any(side < 0 for side in entry.shape):
        raise BrokenError(f"has a table in which {name[:80]!r} ends before it begins")
    known = entry.dtype in WIDTHS or entry.dtype in BLOCKS
    if known and size_of(entry.dtype, entry.shape) != last - first:
        raise BrokenError(f"has a table in which {name[:80]!r} has another size than its shape", "lies")
    return Tensor(name, entry.dtype, tuple(entry.shape), last - first, start + first)
