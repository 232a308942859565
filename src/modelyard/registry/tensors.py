"""Dicts of tensors as safetensors files: written in one pass, read where they lie.

Layout: github.com/huggingface/safetensors, README.
"""

from __future__ import annotations

import json
import mmap as maps
import os
import struct
from collections.abc import Mapping
from functools import partial
from math import prod
from typing import Any, Literal

from modelyard.apply.stream import Stream
from modelyard.formats import safetensors
from modelyard.formats.dtypes import WIDTHS
from modelyard.formats.file import File, Meter
from modelyard.formats.header import Header
from modelyard.formats.header import Tensor as Place
from modelyard.problem import Problem
from modelyard.registry.blocks import DTYPES, Block, block
from modelyard.registry.errors import RegistryError, missing, raised

ALIGNED = 64
"""Where the elements begin: a whole number of cache lines, so that mapped tensors are aligned."""
LARGEST_TABLE = 15 << 20
"""Bytes of a table: safetensors reads 100 MB, others less."""
Kind = Literal["torch", "numpy"]
Readable = memoryview | maps.mmap


def write(to: Stream, tensors: Mapping[str, Any], texts: Mapping[str, str] | None = None) -> int:
    """Writes torch tensors and numpy arrays, wide elements first so that all are aligned; how many bytes they have.

    Tensors must stay as they are until the stream is closed. `texts` are the metadata of the file.
    """
    blocks = {name: block(name, value) for name, value in tensors.items()}
    order = sorted(blocks, key=lambda name: -WIDTHS[blocks[name].dtype])
    to.put(_head(blocks, order, texts or {}))
    for name in order:
        to.put(blocks[name].data())
    return sum(each.size for each in blocks.values())


def _head(blocks: Mapping[str, Block], order: list[str], texts: Mapping[str, str]) -> bytes:
    table: dict[str, object] = {"__metadata__": dict(texts)} if texts else {}
    at = 0
    for name in order:
        if name == "__metadata__":
            raise RegistryError("a tensor cannot be called '__metadata__' in safetensors", "bad-name")
        here = blocks[name]
        table[name] = {"dtype": here.dtype, "shape": list(here.shape), "data_offsets": [at, at := at + here.size]}
    try:
        text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise RegistryError(f"a tensor has a name that is no text: {error}", "bad-name") from error
    text += b" " * (-(len(text) + 8) % ALIGNED)
    if len(text) > LARGEST_TABLE:
        raise RegistryError(f"the names of {len(blocks):,} tensors take {len(text):,} bytes", "too-large")
    return struct.pack("<Q", len(text)) + text


def header(descriptor: int, name: str) -> Header:
    """The table of an open file. RegistryError for one that is damaged or incomplete."""
    size = os.fstat(descriptor).st_size
    found = safetensors.read(File(name, size, lambda at, length: os.pread(descriptor, length, at), Meter()))
    if isinstance(found, Problem):
        raise raised(found)
    if not found.complete:
        raise RegistryError(
            f"{name} ends before its last tensor", "truncated", "`modelyard registry verify` tells more"
        )
    return found


def mapped(descriptor: int) -> Readable:
    """The bytes of an open file, mapped: a write to them stays in this process."""
    size = os.fstat(descriptor).st_size
    return maps.mmap(descriptor, size, flags=maps.MAP_PRIVATE, prot=maps.PROT_READ | maps.PROT_WRITE)


def read(found: Header, data: Readable | bytearray, kind: Kind) -> dict[str, Any]:
    """Every tensor of a file as a view of its bytes, by name in the order of the file."""
    view = partial(_tensor if kind == "torch" else _array, data)
    return {each.name: view(each) for each in found.tensors}


def _tensor(data: Readable | bytearray, place: Place) -> Any:
    import torch

    dtype = getattr(torch, DTYPES.get(place.dtype, ""), None)
    if dtype is None:
        raise _foreign(place)
    if not prod(place.shape):
        return torch.empty(place.shape, dtype=dtype)
    assert place.offset is not None
    return torch.frombuffer(data, dtype=dtype, count=place.elements, offset=place.offset).reshape(place.shape)


def _array(data: Readable | bytearray, place: Place) -> Any:
    import numpy

    name = DTYPES.get(place.dtype, "")
    if name.startswith(("bfloat", "float8")):
        dtype = numpy.dtype(getattr(_ml_dtypes(), name))
    elif name:
        dtype = numpy.dtype(name).newbyteorder("<")
    else:
        raise _foreign(place)
    assert place.offset is not None
    return numpy.frombuffer(data, dtype, place.elements, place.offset).reshape(place.shape)


def _ml_dtypes() -> Any:
    try:
        import ml_dtypes
    except ImportError as error:
        raise missing("an array of bfloat16 or float8", error) from error
    return ml_dtypes


def _foreign(place: Place) -> RegistryError:
    return RegistryError(f"tensor {place.name!r} is {place.dtype}, which cannot be loaded", "unsupported-tensor")
