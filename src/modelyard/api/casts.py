"""Whether a model of half precision is what another one rounds to, number by number, and formats kept side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from modelyard.api.tensors import Model
from modelyard.formats.header import Tensor
from modelyard.walk._walker import is_cast
from modelyard.walk.read import opened
from modelyard.walk.tree import Tree

NARROW = ("F16", "BF16")
FIRST, PIECE = 1024, 1 << 20
"""Numbers that are looked at of each tensor first, and at once."""
FAMILY: Mapping[bytes, str] = {
    b"model.safetensors": "safetensors",
    b"pytorch_model.bin": "PyTorch",
    b"tf_model.h5": "TensorFlow",
    b"flax_model.msgpack": "Flax",
    b"rust_model.ot": "Rust",
}
"""What transformers calls the weights of one model in each framework (its `utils/__init__.py`)."""


class Cast(Struct, frozen=True):
    """A model of which another one is the rounding: `narrow` can be made from `wide` again, never the other way."""

    wide: Model
    narrow: Model
    dtype: str


class Formats(Struct, frozen=True):
    """One folder with weights of one model for several frameworks, by their usual names; nothing proves them equal."""

    folder: bytes
    names: tuple[str, ...]
    size: int


def casts(models: Sequence[Model]) -> Iterator[Cast]:
    """Pairs of single and half precision: the same names and shapes, and every number the nearest one."""
    for narrow in models:
        dtypes = {each.dtype for each in narrow.tensors if each.dtype in (*NARROW, "F32")}
        dtype = next((each for each in NARROW if each in dtypes), None)
        if dtype is None:
            continue
        for wide in models:
            if wide is not narrow and _is_cast(wide, narrow):
                yield Cast(wide, narrow, dtype)
                break


def _is_cast(wide: Model, narrow: Model) -> bool:
    ours, theirs = ({each.name: each for each in model.tensors} for model in (wide, narrow))
    if ours.keys() != theirs.keys() or any(ours[name].shape != theirs[name].shape for name in ours):
        return False
    pairs = [(ours[name], theirs[name]) for name in ours if (ours[name].dtype, theirs[name].dtype) != ("F32", "F32")]
    if not pairs or any(one.dtype != "F32" or other.dtype not in NARROW for one, other in pairs):
        return False
    try:
        with opened(wide.path) as first, opened(narrow.path) as second:
            return all(_rounds(first, second, *pair, FIRST) for pair in pairs) and all(
                _rounds(first, second, *pair, pair[0].elements) for pair in pairs
            )
    except OSError:
        return False


def _rounds(first: int, second: int, wide: Tensor, narrow: Tensor, most: int) -> bool:
    """Whether the first `most` numbers of one are those of the other, rounded."""
    assert wide.offset is not None
    assert narrow.offset is not None
    for at in range(0, min(most, wide.elements), PIECE):
        count = min(PIECE, min(most, wide.elements) - at)
        long = os.pread(first, 4 * count, wide.offset + 4 * at)
        short = os.pread(second, 2 * count, narrow.offset + 2 * at)
        if len(long) != 4 * count or len(short) != 2 * count or not is_cast(long, short, narrow.dtype == "BF16"):
            return False
    return True


def formats_beside(tree: Tree, rows: Iterable[int]) -> Iterator[Formats]:
    """Of these folders, and those of these files, each that holds one model for several frameworks."""
    folders = {row if tree.is_folder(row) else tree.parent(row) for row in rows}
    for folder in sorted((each for each in folders if each is not None), key=tree.path):
        here = tree.children(folder)
        found = [(FAMILY[name], here[name]) for name in FAMILY if name in here]
        if len(found) > 1:
            reached = {tree.follow(row) if tree.is_link(row) else row for _, row in found}
            size = tree.measure(row for row in reached if row is not None).sizes.allocated
            yield Formats(tree.path(folder), tuple(name for name, _ in found), size)
