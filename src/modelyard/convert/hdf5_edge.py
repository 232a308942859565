"""HDF5 to tensors, Keras' weights above all: arrays that lie in one piece, in a file or in a `.keras` archive."""

from __future__ import annotations

from modelyard.convert.header_edges import header_of, without
from modelyard.convert.weights import LeftOut, Weights, Wish
from modelyard.formats import hdf5_file, keras_zip
from modelyard.formats.file import BrokenError, File
from modelyard.formats.zips import is_zip

FORMATS: tuple[str, ...] = (hdf5_file.TITLE, "Keras HDF5", keras_zip.TITLE)
OPTIMIZERS = ("optimizer", "optimizer_weights")
"""The groups in which Keras 3 and 2 keep what only training needs."""


def read(file: File, wish: Wish) -> Weights:
    """The arrays by their path. BrokenError for packed and cut ones, links into other files, and groups not listed."""
    archive = is_zip(file.head(4))
    header = header_of(keras_zip.read if archive else hdf5_file.read, file, hdf5_file.MOST_TENSORS)
    if header.notes:
        raise BrokenError(header.notes[0], "unsupported")
    if header.needs:
        raise BrokenError(f"has a link into another file, {header.needs[0].path[:80]!r}", "outside")
    kept, left = without(header.tensors, OPTIMIZERS, "/")
    if archive or header.architecture:
        left.append(LeftOut("config", "the layers and their settings, from which Keras builds the model"))
    return Weights(tuple(kept), {**dict(header.metadata), "format": "keras"}, tuple(left))
