"""Where everything goes in safetensors files: the table, the order of the tensors, the cut into several files.

Layout: github.com/huggingface/safetensors. Names of shards and index: huggingface_hub's `serialization/_base.py`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from modelyard.convert.weights import LeftOut, Weights, Wish
from modelyard.formats.dtypes import WIDTHS
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Tensor

DTYPES = frozenset((
    "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16", "U16", "F16", "BF16",
    "I32", "U32", "F32", "C64", "F64", "I64", "U64",
))  # fmt: skip
"""What safetensors 0.8 has a name for and is a whole number of bytes."""
PAGE = 4096
LARGEST_TABLE = 15 << 20
"""Bytes of a table: safetensors reads 100 MB, others less."""
GROWS = 8
SMALL = 64 << 20
"""Views may make a copy this many times larger than its source, and small ones more."""


ROUNDED = frozenset(("F64", "F32", "F16", "BF16"))
"""What `--dtype` rounds; everything else stays as it is."""
Frame = Callable[[Mapping[str, int]], Iterable[tuple[int, bytes]]]
"""Everything of a file but the elements, by place, from the CRC-32 of each tensor's elements by its name."""


class Item(Struct, frozen=True):
    """A tensor of the source, what it becomes in the file that is written, and where its elements begin there."""

    tensor: Tensor
    dtype: str
    at: int = 0
    alias: bool = False
    """Whether it is one more name of elements that another item writes."""

    @property
    def bytes(self) -> int:
        """Of its elements in the file that is written."""
        return self.tensor.elements * WIDTHS[self.dtype]

    @property
    def rounded(self) -> bool:
        """Whether its elements become others."""
        return self.dtype != self.tensor.dtype


class Shard(Struct, frozen=True):
    """One file to be written: its name, tensors in order, all of its bytes, and what lies around the elements."""

    name: str
    items: tuple[Item, ...]
    size: int
    frame: Frame
    summed: bool = False
    """Whether what lies around them holds the CRC-32 of the elements."""


def planned(tensors: Iterable[Tensor], dtype: str) -> list[Item]:
    """What each tensor becomes: floats of 16 bits and more the dtype that is wanted, if one is."""
    return [Item(each, dtype if dtype and each.dtype in ROUNDED else each.dtype) for each in tensors]


def named(
    weights: Weights, wish: Wish, source_size: int, dtypes: frozenset[str] = DTYPES
) -> tuple[list[Tensor], dict[str, str]]:
    """The tensors to be written under their last names, and those that are other names of one of them.

    BrokenError for names twice, dtypes that the target has not, and copies that would be far larger than the source.
    """
    tensors = [replace(each, name=each.name.removeprefix(wish.strip)) for each in weights.tensors]
    if wish.strip and not any(each.name.startswith(wish.strip) for each in weights.tensors):
        raise BrokenError(f"has no tensor whose name begins with {wish.strip!r}", "no-part")
    seen: set[str] = set()
    for each in tensors:
        if each.name in seen or each.name == "__metadata__":
            raise BrokenError(f"has two tensors that would be called {each.name[:80]!r}", "ambiguous")
        seen.add(each.name)
        _check(each, dtypes, wish.to)
    kept, tied = _once(tensors) if not wish.copy_tied else (tensors, {})
    total = sum(each.bytes for each in kept)
    if total > max(GROWS * source_size, SMALL):
        raise BrokenError(f"has views that would take {total:,} bytes when they are written out", "too-large")
    return kept, tied


def _check(each: Tensor, dtypes: frozenset[str], to: str) -> None:
    if each.dtype not in dtypes:
        raise BrokenError(f"has a tensor {each.name[:80]!r} of {each.dtype}, which {to} has not", "unsupported")
    if each.offset is None and each.elements:
        raise BrokenError(f"has a tensor {each.name[:80]!r} whose elements are packed, not stored", "packed")
    if each.bytes != each.elements * WIDTHS[each.dtype]:
        raise BrokenError(f"has a tensor {each.name[:80]!r} of another size than its shape", "lies")


def _once(tensors: Iterable[Tensor]) -> tuple[list[Tensor], dict[str, str]]:
    """Each set of elements under its first name, and the other names."""
    kept: list[Tensor] = []
    first: dict[tuple[object, ...], str] = {}
    tied: dict[str, str] = {}
    for each in tensors:
        key = (each.file, each.storage, each.offset, each.dtype, each.shape, each.strides)
        if each.storage and each.elements and key in first:
            tied[each.name] = first[key]
        else:
            first[key] = each.name
            kept.append(each)
    return kept, tied


def metadata_of(weights: Weights, tied: Mapping[str, str]) -> tuple[dict[str, str], list[LeftOut]]:
    """The texts of the file: those of the source, and the name that is kept for each tied one, as safetensors'

    own `save_model` writes it. A text that has the name of a tied tensor is left out.
    """
    lost = [LeftOut(key, "a text that has the name of a tied tensor") for key in weights.metadata if key in tied]
    return {**weights.metadata, **tied}, lost


def shards(items: Sequence[Item], metadata: Mapping[str, str], stem: str, most: int) -> list[Shard]:
    """The files: one, or as many as it takes with at most so many bytes of tensors each, in the order of the source."""
    groups: list[list[Item]] = [[]]
    room = most
    for each in items:
        if most and each.bytes > room and groups[-1]:
            groups.append([])
            room = most
        groups[-1].append(each)
        room -= each.bytes
    if len(groups) == 1:
        return [_shard(f"{stem}.safetensors", groups[0], metadata)]
    names = [f"{stem}-{at:05d}-of-{len(groups):05d}.safetensors" for at in range(1, len(groups) + 1)]
    held = [frozenset(each.tensor.name for each in group) for group in groups]
    own = [{key: text for key, text in metadata.items() if key == "format" or text in here} for here in held]
    own[0] |= {key: text for key, text in metadata.items() if not any(key in each for each in own)}
    return [_shard(name, group, texts) for name, group, texts in zip(names, groups, own, strict=True)]


def index_of(files: Sequence[Shard]) -> bytes:
    """The JSON that says which tensor lies in which file."""
    where = {item.tensor.name: shard.name for shard in files for item in shard.items}
    total = sum(item.bytes for shard in files for item in shard.items)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}
    return json.dumps(index, indent=2, ensure_ascii=False).encode() + b"\n"


def _shard(name: str, planned: Iterable[Item], metadata: Mapping[str, str]) -> Shard:
    """Wide elements first, so that all are aligned; within a width in the order of the source, so that it is read once.

    Blanks behind the table let the largest tensor begin where it does within a page of the source: a file system that
    can share extents then shares them.
    """
    ordered = sorted(planned, key=lambda each: (-WIDTHS[each.dtype], each.tensor.file, each.tensor.offset or 0))
    table: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    places, at = [], 0
    for each in ordered:
        places.append(at)
        entry = {"dtype": each.dtype, "shape": list(each.tensor.shape), "data_offsets": [at, at + each.bytes]}
        table[each.tensor.name] = entry
        at += each.bytes
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    if len(text) > LARGEST_TABLE:
        raise BrokenError(f"needs a table of {len(text):,} bytes", "too-large")
    text += b" " * (-len(text) % 8)
    largest = max(zip(ordered, places, strict=True), key=lambda pair: pair[0].bytes, default=None)
    if largest and largest[0].bytes >= PAGE and largest[0].tensor.offset is not None:
        apart = (largest[0].tensor.offset - largest[1] - len(text) - 8) % PAGE
        text += b" " * (apart if apart % 8 == 0 else 0)
    head = struct.pack("<Q", len(text)) + text
    items = tuple(replace(each, at=len(head) + place) for each, place in zip(ordered, places, strict=True))
    return Shard(name, items, len(head) + at, lambda _: [(0, head)])
