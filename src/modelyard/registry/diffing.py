"""What differs between two versions: tensors by name, metrics, and configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from modelyard.formats.header import Header, Tensor
from modelyard.problem import Problem
from modelyard.registry.blocks import DTYPES
from modelyard.registry.config import read_config
from modelyard.registry.errors import raised
from modelyard.registry.held import Held
from modelyard.registry.layout import CONFIG, METADATA, SUMS
from modelyard.registry.loading import opened
from modelyard.registry.metadata import Metadata
from modelyard.registry.references import Reference

Change = Literal["added", "removed", "shape", "dtype", "values"]
PIECE = 8 << 20
MISSING = "-"
NOT_COMPARED = frozenset((METADATA, SUMS, CONFIG))


class TensorChange(Struct, frozen=True):
    """A tensor that differs: `largest` is the largest difference of two elements, None where it cannot be told."""

    name: str
    change: Change
    before: str
    after: str
    largest: float | None = None


class Entry(Struct, frozen=True):
    """A metric or a setting that differs, as text; `-` where it is not there."""

    name: str
    before: str
    after: str


class Difference(Struct, frozen=True):
    """What differs between two versions; `same_tensors` were compared and are equal."""

    before: Reference
    after: Reference
    tensors: tuple[TensorChange, ...]
    same_tensors: int
    metrics: tuple[Entry, ...]
    config: tuple[Entry, ...]
    files: tuple[Entry, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.tensors or self.metrics or self.config or self.files)


def diff(root: str, before: Reference, after: Reference) -> Difference:
    """Compares two versions, of one model or of two. RegistryError where one of them cannot be read."""
    with opened(root, before) as (one, first), opened(root, after) as (other, second):
        changes, same = _tensors(one, other)
        return Difference(
            before,
            after,
            tuple(changes),
            same,
            tuple(entries(first.metrics, second.metrics)),
            tuple(entries(_settings(one, first), _settings(other, second))),
            tuple(entries(_digests(one), _digests(other))),
        )


def _digests(files: Held) -> dict[str, str]:
    return {name: each.sha256[:12] for name, each in files.entries.items() if name not in NOT_COMPARED}


def _settings(files: Held, metadata: Metadata) -> dict[str, Any]:
    return {**read_config(files), **{f"training.{key}": value for key, value in metadata.training.items()}}


def entries(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Entry]:
    """What differs between two mappings, nested ones by dotted names."""
    one, other = dict(_flat(before)), dict(_flat(after))
    for name in sorted({*one, *other}):
        if one.get(name, MISSING) != other.get(name, MISSING):
            yield Entry(name, one.get(name, MISSING), other.get(name, MISSING))


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _flat(each, f"{name}.{key}" if name else str(key))
    elif name:
        yield name, str(value)


def _tensors(one: Held, other: Held) -> tuple[list[TensorChange], int]:
    changes, same = [], 0
    for name in sorted({*one.entries, *other.entries} - NOT_COMPARED):
        pair = [dict(_listed(each, name)) for each in (one, other)]
        equal = name in one.entries and name in other.entries and one.entries[name].sha256 == other.entries[name].sha256
        for tensor in dict.fromkeys((*pair[0], *pair[1])):
            change = None if equal else _change(name, one, other, pair[0].get(tensor), pair[1].get(tensor))
            if change is None:
                same += 1
            else:
                changes.append(change)
    return changes, same


def _listed(files: Held, name: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a file of any format; none for a file that is not there or holds none."""
    from modelyard.formats.file import File, Meter
    from modelyard.formats.known import reading

    if not files.has(name):
        return
    descriptor = files.descriptor(name)
    size = os.fstat(descriptor).st_size
    file = File(files.shown(name), size, lambda at, length: os.pread(descriptor, length, at), Meter())
    file.reader = reading
    found: Header | Problem = reading(file)
    if isinstance(found, Problem) and found.code != "unknown":
        raise raised(found)
    yield from ((each.name, each) for each in (found.tensors if isinstance(found, Header) else ()))


def _change(name: str, one: Held, other: Held, before: Tensor | None, after: Tensor | None) -> TensorChange | None:
    if before is None or after is None:
        there = after or before
        assert there is not None
        texts = (MISSING, _words(there)) if before is None else (_words(there), MISSING)
        return TensorChange(there.name, "added" if before is None else "removed", *texts)
    words = _words(before), _words(after)
    if before.shape != after.shape:
        return TensorChange(before.name, "shape", *words)
    if before.dtype != after.dtype:
        return TensorChange(before.name, "dtype", *words)
    if before.offset is None or after.offset is None or before.file or after.file:
        return None if before == after else TensorChange(before.name, "values", *words)
    largest = _largest(one.descriptor(name), other.descriptor(name), before, after)
    return None if largest == 0 else TensorChange(before.name, "values", *words, largest)


def _words(tensor: Tensor) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def _largest(one: int, other: int, before: Tensor, after: Tensor) -> float | None:
    """The largest difference of two elements; 0 where all bytes are equal, None for elements that are no numbers."""
    assert before.offset is not None and after.offset is not None
    largest: float | None = 0.0
    for at in range(0, before.bytes, PIECE):
        length = min(PIECE, before.bytes - at)
        pair = os.pread(one, length, before.offset + at), os.pread(other, length, after.offset + at)
        if pair[0] != pair[1]:
            apart = _apart(*pair, before.dtype)
            largest = None if apart is None or largest is None else max(largest, apart)
    return largest


def _apart(one: bytes, other: bytes, dtype: str) -> float | None:
    import numpy

    name = DTYPES.get(dtype, "")
    if dtype == "BF16":
        wide = [numpy.frombuffer(each, "<u2").astype("<u4") << 16 for each in (one, other)]
        values = [each.view("<f4").astype("f8") for each in wide]
    elif name.startswith(("float16", "float32", "float64", "int", "uint", "bool")):
        values = [numpy.frombuffer(each, numpy.dtype(name).newbyteorder("<")).astype("f8") for each in (one, other)]
    else:
        return None
    apart = numpy.abs(values[0] - values[1])
    return float(numpy.nanmax(apart)) if not numpy.isnan(apart).all() else None
