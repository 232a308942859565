"""GGUF to tensors, where nothing is quantised: scales and blocks are no numbers that safetensors has."""

from __future__ import annotations

from modelyard.convert.header_edges import header_of
from modelyard.convert.weights import LeftOut, Weights, Wish
from modelyard.formats import gguf
from modelyard.formats.dtypes import BLOCKS
from modelyard.formats.file import BrokenError, File

FORMATS: tuple[str, ...] = (gguf.TITLE,)
ARRAYS = (" numbers", " strings", " letters)")
"""How the reader of headers ends a value that it tells by its length."""


def read(file: File, wish: Wish) -> Weights:
    """The tensors, their sides in the order that everybody but ggml uses. BrokenError for quantised ones."""
    header = header_of(gguf.read, file, gguf.MOST_TENSORS + 1)
    if header.notes:
        raise BrokenError("was written for a machine whose numbers are the other way round (big-endian)", "big-endian")
    odd = next((each for each in header.tensors if each.dtype in BLOCKS or each.dtype.startswith("type ")), None)
    if odd is not None:
        raise BrokenError(
            f"is quantised: {odd.name[:80]!r} is {odd.dtype}, whose blocks safetensors has not", "unsupported"
        )
    texts = {key: text for key, text in header.metadata if not text.endswith(ARRAYS)}
    left = [LeftOut(key, f"{text}, a list or a long text") for key, text in header.metadata if key not in texts]
    notes = ["fractions among the texts have six digits"] if any("." in text for text in texts.values()) else []
    if header.needs:
        notes.append(f"this is one of {len(header.needs) + 1:,} files of a model; the others are not in the copy")
    return Weights(header.tensors, {**texts, "format": "pt"}, tuple(left), tuple(notes))
