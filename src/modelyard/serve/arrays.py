"""Arrays from and to what goes over the wire: JSON lists, .npy and .npz; a wrong one is told by its field."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy

from modelyard.serve.signature import FLOATS, Signature, Spec, accepted, body_of, fields_of, shape_text

Arrays = dict[str, "numpy.ndarray[Any, Any]"]
HEADERS = {(1, 0): numpy.lib.format.read_array_header_1_0, (2, 0): numpy.lib.format.read_array_header_2_0}
JSON, NPY, NPZ = "application/json", "application/x-npy", "application/x-npz"


class FieldError(ValueError):
    """A request that does not fit: which field of it, and why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TooLargeError(ValueError):
    """A body that unpacks to more than is taken."""


class Reader:
    """Makes arrays of the bodies that fit one signature."""

    def __init__(self, signature: Signature, most: int) -> None:
        self.signature, self._most = signature, most
        self._decoder = msgspec.json.Decoder(body_of(fields_of(signature.inputs, "Inputs", accepted)))

    def read(self, body: bytes, media: str) -> Arrays:
        """The inputs. FieldError when they do not fit, TooLargeError when they unpack to too much."""
        found = {JSON: self._json, NPY: self._npy, NPZ: self._npz}[media](body)
        check_rows(self.signature, found)
        return found

    def _json(self, body: bytes) -> Arrays:
        try:
            read = self._decoder.decode(body).inputs  # type: ignore[attr-defined]
        except msgspec.ValidationError as error:
            raise field_error(error) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FieldError("", f"the body is no JSON: {error}") from error
        return {
            spec.name: from_lists(spec, getattr(read, f"field{at}")) for at, spec in enumerate(self.signature.inputs)
        }

    def _npy(self, body: bytes) -> Arrays:
        if len(self.signature.inputs) != 1:
            names = ", ".join(each.name for each in self.signature.inputs)
            raise FieldError("inputs", f"one .npy array was sent, and the model takes {names}: send them as .npz")
        spec = self.signature.inputs[0]
        return {spec.name: fitting(spec, _loaded(spec.name, body))}

    def _npz(self, body: bytes) -> Arrays:
        members = _members(body, self._most)
        wanted = {each.name for each in self.signature.inputs}
        for name in sorted(set(members) ^ wanted):
            raise FieldError(f"inputs.{name}", "is missing" if name in wanted else "is no input of this model")
        return {each.name: fitting(each, _loaded(each.name, members[each.name])) for each in self.signature.inputs}


def field_error(error: msgspec.ValidationError) -> FieldError:
    """What msgspec says of a JSON body, with the path as the field."""
    words, _, path = str(error).partition(" - at `$")
    return FieldError(path.rstrip("`").removeprefix("."), words)


def from_lists(spec: Spec, values: Any) -> numpy.ndarray[Any, Any]:
    """The array of nested lists that were checked against the spec's type; null becomes NaN."""
    try:
        array = numpy.array(values, dtype=object if spec.dtype == "str" else spec.dtype)
    except OverflowError as error:
        raise FieldError(f"inputs.{spec.name}", f"holds a number that {spec.dtype} cannot") from error
    except ValueError as error:
        raise FieldError(f"inputs.{spec.name}", "has rows of different lengths") from error
    return fitting(spec, array)


def fitting(spec: Spec, array: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The array when shape and dtype are those of the spec; a text of fixed width counts as text. FieldError else."""
    field = f"inputs.{spec.name}"
    if not spec.fits(array.shape):
        raise FieldError(field, f"has the shape {shape_text(array.shape)}, expected {shape_text(spec.shape)}")
    if spec.dtype == "str":
        if array.dtype.kind not in "UO":
            raise FieldError(field, f"is of {array.dtype}, expected text")
        return array.astype(object)
    if array.dtype.newbyteorder("=") != numpy.dtype(spec.dtype):
        raise FieldError(field, f"is of {array.dtype}, expected {spec.dtype}")
    return numpy.ascontiguousarray(array, dtype=spec.dtype)


def check_rows(signature: Signature, arrays: Mapping[str, numpy.ndarray[Any, Any]]) -> None:
    """FieldError when inputs with a free first axis do not have the same number of rows."""
    free = [each.name for each in signature.inputs if each.is_free]
    for name in free[1:]:
        if len(arrays[name]) != len(arrays[free[0]]):
            message = f"has {len(arrays[name])} rows, and {free[0]} has {len(arrays[free[0]])}"
            raise FieldError(f"inputs.{name}", message)


def _loaded(name: str, data: bytes) -> numpy.ndarray[Any, Any]:
    """One .npy array, never a pickled one, and never larger than what was sent."""
    field = f"inputs.{name}"
    file = io.BytesIO(data)
    try:
        reader = HEADERS[numpy.lib.format.read_magic(file)]
        shape, columns, dtype = reader(file)
    except (KeyError, ValueError, EOFError, SyntaxError, tokenize.TokenError, MemoryError, RecursionError) as error:
        raise FieldError(field, f"is no .npy array: {str(error)[:200]}") from error
    if dtype.hasobject or dtype.fields:
        raise FieldError(field, "holds objects, which are not loaded")
    count = math.prod(shape)
    if count * dtype.itemsize > len(data) - file.tell():
        raise FieldError(field, "ends before what its header promises")
    array = numpy.frombuffer(data, dtype, count, file.tell()) if count and dtype.itemsize else numpy.empty(0, dtype)
    return array.reshape(shape, order="F" if columns else "C") if count else numpy.empty(shape, dtype)


def _members(body: bytes, most: int) -> dict[str, bytes]:
    """The members of an .npz by the names of their arrays."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            told = archive.infolist()
            if sum(each.file_size for each in told) > most:
                raise TooLargeError(f"unpacks to more than {most:,} bytes")
            return {each.filename.removesuffix(".npy"): archive.read(each) for each in told}
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, ValueError, OSError) as error:
        if isinstance(error, TooLargeError):
            raise
        raise FieldError("", f"the body is no .npz: {error}") from error


def to_lists(array: numpy.ndarray[Any, Any]) -> Any:
    """Nested lists; what is not finite becomes null when it is written as JSON."""
    return array.astype(str).tolist() if array.dtype.kind in "SO" else array.tolist()


def as_npz(arrays: Mapping[str, numpy.ndarray[Any, Any]]) -> bytes:
    """All arrays as one .npz, texts with a fixed width."""
    file = io.BytesIO()
    numpy.savez(file, allow_pickle=False, **{name: _plain(array) for name, array in arrays.items()})
    return file.getvalue()


def as_npy(array: numpy.ndarray[Any, Any]) -> bytes:
    """One array as .npy."""
    file = io.BytesIO()
    numpy.lib.format.write_array(file, _plain(array), allow_pickle=False)
    return file.getvalue()


def _plain(array: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    return array.astype(str) if array.dtype.kind == "O" else array


def outputs_type(specs: Sequence[Spec]) -> type[msgspec.Struct]:
    """The JSON object of the outputs; a float is null where it is not finite."""
    return fields_of([Spec(each.name, each.shape, "float64" if each.dtype in FLOATS else each.dtype) for each in specs],
                     "Outputs")  # fmt: skip
