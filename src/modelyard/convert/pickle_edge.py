"""Pickles of numpy, scikit-learn and joblib to tensors: their arrays, named by where they hang. Nothing is called."""

from __future__ import annotations

from msgspec.structs import replace

from modelyard.convert.header_edges import header_of
from modelyard.convert.weights import LeftOut, Weights, Wish
from modelyard.formats import joblib_file, pickle_file
from modelyard.formats.file import BrokenError, File
from modelyard.formats.numpy_values import Arrays
from modelyard.formats.pickles import follow
from modelyard.formats.value_walk import LONGEST_NAME, MOST_TENSORS, plain_values

FORMATS: tuple[str, ...] = (joblib_file.TITLE, pickle_file.TITLE)
PLAIN = ("numpy.core.", "numpy._core.", "numpy.ndarray", "numpy.dtype", "joblib.numpy_pickle.", "_codecs.encode")
"""What arrays of numbers are made with."""
NAMES = "refers to"
ALONE = "array"


def read(file: File, wish: Wish) -> Weights:
    """The arrays of numbers; every class and function that the pickle names is left out and listed."""
    joblib = b"joblib.numpy_pickle" in file.head(4096)
    header = header_of(joblib_file.read if joblib else pickle_file.read, file, MOST_TENSORS)
    facts = dict(header.metadata)
    names = [each for each in facts.pop(NAMES, "").split(", ") if each and not each.startswith(PLAIN)]
    if any(each.name and len(each.name) >= LONGEST_NAME for each in header.tensors):
        raise BrokenError(f"has a name of more than {LONGEST_NAME} letters", "too-large")
    if len(header.needs):
        raise BrokenError(f"keeps an array in another file, {header.needs[0].path[:80]!r}", "outside")
    tensors = tuple(each if each.name else replace(each, name=ALONE) for each in header.tensors)
    left = [LeftOut(each, "a name that loading would import; it was not") for each in names]
    if (lost := _values(file) - len(facts)) > 0:
        left.append(LeftOut("values", f"{lost:,} numbers and texts below the top"))
    left += [LeftOut("end", each) for each in header.notes]
    notes = (f"an object of {header.architecture} cannot be made again from arrays",) if header.architecture else ()
    return Weights(tensors, {**facts, "format": "np"}, tuple(left), notes)


def _values(file: File) -> int:
    """The numbers and texts of a pickle, those at its top among them."""
    describe = Arrays()
    return plain_values(follow(file, 0, describe.filled).value, describe)
