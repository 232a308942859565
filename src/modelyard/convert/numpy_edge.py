"""numpy's files to tensors: one array, `.npy`, or several in an archive, `.npz`."""

from __future__ import annotations

from msgspec.structs import replace

from modelyard.convert.header_edges import header_of
from modelyard.convert.weights import Weights, Wish
from modelyard.formats import npy, npz
from modelyard.formats.file import BrokenError, File
from modelyard.formats.zips import MOST_MEMBERS, is_zip

FORMATS: tuple[str, ...] = (npy.TITLE, npz.TITLE)
ALONE = "array"
"""The name of an array that has none."""


def read(file: File, wish: Wish) -> Weights:
    """The arrays under the names that `numpy.load` gives them. BrokenError for objects, records and packed members."""
    if not is_zip(file.head(4)):
        header = header_of(npy.read, file, 2)
        return Weights(
            tuple(replace(each, name=ALONE) for each in header.tensors),
            {"format": "np"},
            notes=(f"the array has no name in its file; in the copy it is `{ALONE}`",),
        )
    header = header_of(npz.read, file, MOST_MEMBERS)
    if header.notes:
        raise BrokenError(f"has a member that cannot be read: {header.notes[0]}", "damaged")
    return Weights(header.tensors, {"format": "np"})
