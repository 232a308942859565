"""Flax's msgpack to tensors, under the names that transformers gives them: the keys of the maps joined by dots."""

from __future__ import annotations

from msgspec.structs import replace

from modelyard.convert.header_edges import header_of, without
from modelyard.convert.weights import LeftOut, Weights, Wish
from modelyard.formats import flax
from modelyard.formats.file import BrokenError, File

FORMATS: tuple[str, ...] = (flax.TITLE,)
OPTIMIZERS = ("opt_state",)
"""Where `TrainState` keeps what only training needs."""
LONGEST_NAME = 400


def read(file: File, wish: Wish) -> Weights:
    """The arrays. BrokenError for arrays that are cut into chunks, which flax does beyond 2 GiB."""
    header = header_of(flax.read, file, flax.MOST_TENSORS)
    if flax.CUT in header.notes:
        raise BrokenError("has an array that is cut into chunks", "packed")
    if any(len(each.name) >= LONGEST_NAME for each in header.tensors):
        raise BrokenError(f"has a name of more than {LONGEST_NAME} letters", "too-large")
    kept, left = without(header.tensors, OPTIMIZERS, "/")
    tensors = tuple(replace(each, name=each.name.replace("/", ".")) for each in kept)
    left += [LeftOut("values" if "beside" in each else "end", each) for each in header.notes]
    return Weights(tensors, {"format": "flax"}, tuple(left))
