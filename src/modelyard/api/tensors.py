"""Tensors that several model files have in common, found from their headers: nothing but their own bytes is read.

Files of one format or of several: what a checkpoint kept of the one before, and whether a `.bin` and a `.safetensors`
hold the same weights. Each tensor is told apart by its length, by a few bytes of it, and then by a digest of all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from blake3 import blake3
from msgspec import Struct, field

from modelyard.api.equality import SMALL, Progress
from modelyard.formats.header import Header, Tensor, once
from modelyard.formats.known import read_header
from modelyard.walk.hash import hash_range
from modelyard.walk.read import opened
from modelyard.walk.tree import Tree

SPOT = 512
LEAST = 512
"""Smaller tensors are the same by chance: biases of zeros, norms of ones."""
MAGIC = (b"GGUF", b"PK\x03\x04")


class Place(Struct, frozen=True):
    """Where a file has a tensor: its number among the models, where its bytes begin and how many they are."""

    model: int
    name: str
    start: int
    length: int


class Model(Struct):
    """A file with tensors, by its row, and the digests of those that may be in another file too, by place."""

    row: int
    path: bytes
    format: str
    tensors: tuple[Tensor, ...]
    digests: dict[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all its tensors."""
        return sum(each.bytes for each in self.tensors)

    @property
    def content(self) -> frozenset[bytes] | None:
        """The digests of everything in it; None where something is in no other file."""
        large = [each for each in self.tensors if each.bytes >= LEAST]
        if any(each.offset not in self.digests for each in large):
            return None
        return frozenset(self.digests[each.offset] for each in large if each.offset is not None)


class Alike(Struct, frozen=True):
    """What two model files have in common: tensors and bytes of the second that are in the first, place by place.

    `whole`: each has all that the other has, so that one of the two would do.
    """

    one: Model
    other: Model
    shared: tuple[tuple[Place, Place], ...]
    whole: bool

    @property
    def size(self) -> int:
        """Bytes of the second file's tensors that are in the first."""
        return sum(place.length for _, place in self.shared)

    @property
    def part(self) -> float:
        """Their part of the second file's tensors, 0 to 1."""
        return self.size / self.other.size if self.other.size else 0.0


def models_of(tree: Tree, rows: Sequence[int], told: Progress | None = None) -> list[Model]:
    """The files of the rows that are safetensors, GGUF or torch archives, with the tensors that lie whole in them."""
    found = []
    for number, row in enumerate(rows):
        head = tree.read(row, 9, head=True)
        if not isinstance(head, bytes) or not (head.startswith(MAGIC) or head[8:9] == b"{"):
            continue
        if told:
            told(f"reading headers: {number + 1:,} of {len(rows):,}")
        header = read_header(os.fsdecode(tree.path(row)))
        if isinstance(header, Header) and header.complete:
            tensors = tuple(each for each in once(header.tensors) if _is_whole(each))
            if tensors:
                found.append(Model(row, tree.path(row), header.format, tensors))
    return found


def large_rows(tree: Tree) -> list[int]:
    """A name of each large file of a walk, in order of paths."""
    return sorted((names[0] for names in tree.large_files(SMALL)), key=tree.path)


def _is_whole(tensor: Tensor) -> bool:
    return tensor.offset is not None and not tensor.file and tensor.strides is None and tensor.bytes > 0


def alike(models: Sequence[Model], told: Progress | None = None) -> list[Alike]:
    """What files have in common, each with the first one that has the same tensor; the most bytes first."""
    places = [
        Place(number, each.name, each.offset, each.bytes)
        for number, model in enumerate(models)
        for each in model.tensors
        if each.offset is not None and each.bytes >= LEAST
    ]
    groups = _parted([places], lambda place: place.length)
    groups = _parted(groups, lambda place: _spots(models[place.model].path, place))
    whole = sum(place.length for group in groups for place in group)
    read = [0]

    def digest(place: Place) -> bytes | None:
        found = _read(models[place.model].path, place)
        read[0] += place.length
        if told:
            told(f"comparing tensors: {read[0]:,} of {whole:,} bytes")
        if found is not None:
            models[place.model].digests[place.start] = found
        return found

    return _pairs(models, _parted(groups, digest))


def _parted(groups: Sequence[Sequence[Place]], key: Callable[[Place], object]) -> list[list[Place]]:
    """The groups by key, without those that lie in one file alone; in the order of the disk where a file is read."""
    found = []
    for group in groups:
        by_key: dict[object, list[Place]] = {}
        for place in group:
            told = key(place)
            if told is not None:
                by_key.setdefault(told, []).append(place)
        found += [same for same in by_key.values() if len({place.model for place in same}) > 1]
    return found


def _spots(path: bytes, place: Place) -> bytes | None:
    """A digest of the beginning, the middle and the end of a tensor; None where it cannot be read."""
    found = blake3()
    try:
        with opened(path) as descriptor:
            if hasattr(os, "posix_fadvise"):
                with suppress(OSError):
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
            for at in (0, place.length // 2, max(place.length - SPOT, 0)):
                found.update(os.pread(descriptor, min(SPOT, place.length - at), place.start + at))
    except OSError:
        return None
    return found.digest()


def _read(path: bytes, place: Place) -> bytes | None:
    try:
        with opened(path) as descriptor:
            return hash_range(descriptor, place.start, place.length)
    except OSError:
        return None


def _pairs(models: Sequence[Model], groups: Sequence[Sequence[Place]]) -> list[Alike]:
    shared: dict[tuple[int, int], list[tuple[Place, Place]]] = {}
    for group in groups:
        first = min(group, key=lambda place: place.model)
        for place in group:
            if place.model != first.model:
                shared.setdefault((first.model, place.model), []).append((first, place))
    found = []
    for (one, other), pairs in shared.items():
        content = models[one].content
        whole = content is not None and content == models[other].content
        found.append(Alike(models[one], models[other], tuple(sorted(pairs, key=lambda pair: pair[1].start)), whole))
    return sorted(found, key=lambda each: (-each.size, each.other.path))


def runs(pairs: Sequence[tuple[Place, Place]]) -> Iterator[tuple[int, int, int]]:
    """Start in the first file, bytes, start in the second of each stretch that both have, neighbours as one."""
    start = length = at = 0
    for one, other in pairs:
        if length and one.start == start + length and other.start == at + length:
            length += other.length
            continue
        if length:
            yield start, length, at
        start, length, at = one.start, other.length, other.start
    if length:
        yield start, length, at
