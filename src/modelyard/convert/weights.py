"""The nouns of a conversion, frozen: what is to be written, what is left out, and what came of it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct, field

from modelyard.formats.file import File
from modelyard.formats.header import Tensor
from modelyard.plan import Mark, Path

MOST_TENSORS = 60_000
"""A table of more is refused by readers that bound what they read."""


class Wish(Struct, frozen=True):
    """What a person wants of a conversion."""

    to: str = "safetensors"
    """What is made: `safetensors`, or `torch`, a state dict."""
    dtype: str = ""
    """What floats are rounded to, `BF16` or `F16`; empty to keep every bit."""
    part: str = ""
    """The part of a checkpoint that is taken, `state_dict`; empty where there is only one, `.` for all."""
    strip: str = ""
    """The beginning of names that is taken away: `module.`"""
    max_shard: int = 0
    """Bytes of tensors that one file may hold; 0 for one file."""
    copy_tied: bool = False
    """Whether tied tensors are written once under each of their names."""


class LeftOut(Struct, frozen=True):
    """Something of the source that is not in the copy, and why."""

    name: str
    why: str


class Weights(Struct, frozen=True):
    """What an edge found in a file: tensors with the places of their bytes, texts, and what it leaves out."""

    tensors: tuple[Tensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


class Edge(Protocol):
    """What a file in this folder offers that reads one kind of source."""

    FORMATS: tuple[str, ...]
    """The formats it reads, as headers call them."""

    def read(self, file: File, wish: Wish) -> Weights:
        """The weights of a file. BrokenError, with a code, for what is not converted."""
        ...


class Written(Struct, frozen=True):
    """A file that was written or read: `sha256` in hex, `bytes` of the whole file."""

    path: str
    bytes: int
    sha256: str
    tensors: int


class Agreement(Struct, frozen=True):
    """A proof by numbers, where the copy cannot be equal byte for byte: how it was compared, and how far it is off."""

    how: str
    """What was compared with what, in one sentence."""
    compared: int
    """Numbers that were compared."""
    tolerance: str
    """How far apart two numbers may be, in words."""
    largest: float
    """The largest difference of two of them; those that became infinite do not count."""
    overflowed: int = 0
    """Finite numbers that the dtype has not and that became infinite."""
    seeds: tuple[int, ...] = ()
    """Of the inputs that were generated."""
    sizes: tuple[int, ...] = ()
    """How many samples the inputs had."""


class Receipt(Struct, frozen=True):
    """What a conversion did and proved: every tensor was read again from both files and compared."""

    source: str
    format: str
    bytes: int
    sha256: str
    """Of the source, in hex, as it was while it was read."""
    written: tuple[Written, ...]
    index: str
    """The JSON file that says which tensor lies in which file; empty for one file."""
    tensors: int
    tensor_bytes: int
    """Bytes of elements that were compared."""
    tied: Mapping[str, str]
    """Tensors that are other names of the same elements, by the name that is kept."""
    metadata: Mapping[str, str]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    at: str
    original: Path
    """The source once more, links above it resolved, as steps name what they change."""
    mark: Mark
    """What the source looked like while it was read."""
    others: tuple[Written, ...] = ()
    """The other files of a source that is a set of files."""
    agreement: Agreement | None = None
    """Null where every byte is equal."""
