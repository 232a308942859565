"""The arrays in a pickle of numpy, scikit-learn and joblib: where each one's elements lie.

Layout: numpy's `ndarray.__reduce__` and `_frombuffer`; joblib's `numpy_pickle.py`.
"""

from __future__ import annotations

from math import prod

from modelyard.formats.dtypes import of_numpy
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Need, Tensor
from modelyard.formats.pickles import Blob, Machine, Made, Mapping, Reference, Value, follow

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
OLD_WRAPPERS = frozenset(("joblib.numpy_pickle.NDArrayWrapper", "joblib.numpy_pickle_compat.NDArrayWrapper"))
RECONSTRUCT = frozenset(("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"))
FROM_BUFFER = frozenset(("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"))
DEEPEST = 8
"""Pickles inside joblib's pickles that are followed."""


def dtype_of(value: Value) -> tuple[str, int]:
    """The dtype and bytes of an element; fields of a record are one element of its whole width."""
    if isinstance(value, Reference):
        return value.name.rpartition(".")[2], 0
    if (
        not isinstance(value, Made)
        or value.what != "numpy.dtype"
        or not isinstance(value.args, tuple)
        or not value.args
    ):
        raise BrokenError("has an array without a dtype")
    code = value.args[0]
    if isinstance(code, Reference):
        name = code.name.rpartition(".")[2]
        return {"bfloat16": ("BF16", 2), "float8_e4m3fn": ("F8_E4M3", 1), "float8_e5m2": ("F8_E5M2", 1)}.get(
            name, (name, 0)
        )
    if not isinstance(code, str):
        raise BrokenError("has an array whose dtype is no text")
    order = value.state[1] if isinstance(value.state, tuple) and len(value.state) > 1 else ""
    return of_numpy(f">{code}" if order == ">" else code)


def shape_of(value: Value) -> tuple[int, ...]:
    """The sides of an array. BrokenError for what is no shape."""
    sides = (value,) if isinstance(value, int) else value
    if not isinstance(sides, tuple) or len(sides) > 64:
        raise BrokenError("has an array whose shape is no shape")
    found = tuple(each for each in sides if isinstance(each, int) and each >= 0)
    if len(found) != len(sides) or prod(found) >= 1 << 62:
        raise BrokenError("has an array whose shape is no shape")
    return found


class Arrays:
    """Describes the arrays of one pickle; told of joblib's wrappers while the stream is followed."""

    def __init__(self) -> None:
        self.wrapped: dict[int, tuple[Made, int]] = {}
        self.order: list[Made] = []
        self.needs: list[Need] = []
        self.inner: dict[int, Value] = {}
        """What lies behind a wrapper whose elements are objects, by the wrapper."""
        self.depth = 0

    def filled(self, machine: Machine, made: Made) -> None:
        """Steps over the elements that joblib writes behind a wrapper, in the middle of the stream."""
        if made.what in OLD_WRAPPERS:
            name = _field(made, "filename")
            if isinstance(name, str):
                self.needs.append(Need(name, machine.file.has(name), "an array of its own"))
        if made.what != WRAPPER:
            return
        dtype, width = dtype_of(_field(made, "dtype"))
        count = prod(shape_of(_field(made, "shape")))
        if dtype.startswith("O"):
            self._inner(machine, made)
            return
        if isinstance(_field(made, "numpy_array_alignment_bytes"), int):
            machine.at += 1 + machine.file.at(machine.at, 1)[0]
        self.wrapped[id(made)] = (made, machine.at)
        self.order.append(made)
        machine.at += count * width
        if machine.at > machine.file.size:
            raise BrokenError("ends within an array", "truncated")

    def _inner(self, machine: Machine, made: Made) -> None:
        """An array of objects is a pickle of its own in the middle."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise BrokenError("has pickles too deep inside each other", "too-deep")
        stream = follow(machine.file, machine.at, self.filled)
        machine.at = stream.end
        self.inner[id(made)] = stream.value
        self.order.append(made)  # what is known by its id has to stay
        machine.names.update(dict.fromkeys(stream.names))
        self.depth -= 1

    def __call__(self, made: Made, name: str) -> list[Tensor] | None:
        """The array that an object stands for; None for another object."""
        if id(made) in self.wrapped:
            return [self._wrapped(made, name)]
        args, state = made.args, made.state
        if made.what in RECONSTRUCT and isinstance(state, tuple) and len(state) >= 5:
            return _array(name, state[1], state[2], state[4], "F" if state[3] is True else "C")
        if made.what in FROM_BUFFER and isinstance(args, tuple) and len(args) >= 4:
            return _array(name, args[2], args[1], args[0], args[3])
        return None

    def _wrapped(self, made: Made, name: str) -> Tensor:
        dtype, width = dtype_of(_field(made, "dtype"))
        shape = shape_of(_field(made, "shape"))
        strides = _columns(shape) if _field(made, "order") == "F" else None
        return Tensor(name, dtype, shape, prod(shape) * width, self.wrapped[id(made)][1], strides=strides)


def _array(name: str, shape: Value, dtype: Value, data: Value, order: Value) -> list[Tensor] | None:
    code, width = dtype_of(dtype)
    if code.startswith("O"):
        return None  # its elements are objects, which are looked through
    sides = shape_of(shape)
    offset = data.offset if isinstance(data, Blob) else None
    strides = _columns(sides) if order == "F" and len(sides) > 1 else None
    return [Tensor(name, code, sides, prod(sides) * width, offset, strides=strides)]


def _columns(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The strides of elements that lie column after column."""
    if len(shape) < 2:
        return None
    return tuple(prod(shape[:at]) for at in range(len(shape)))


def _field(made: Made, name: str) -> Value:
    state = made.state
    if isinstance(state, tuple) and state:
        state = state[0]
    return state.get(name) if isinstance(state, Mapping) else None
