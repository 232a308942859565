"""The arrays that joblib writes between the instructions of a pickle: how many bytes each takes.

From joblib's numpy_pickle.py: behind the BUILD of a NumpyArrayWrapper lie a byte that counts padding, the padding, and
the elements; an array of objects is a pickle of its own instead, which `pickle.load` reads.
"""

from __future__ import annotations

import re
from math import prod

from modelyard.safety.machine import Machine
from modelyard.safety.running import run
from modelyard.safety.stream import HaltError, Reader, Source
from modelyard.safety.values import WALKED, Made, Mapped, Reference, Value, items_of

WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
KIND = re.compile(r"[<>=|]?([a-zA-Z?])(\d*)(?:\[\w+\])?")
SIZES = {"?": 1, "b": 1, "B": 1, "U": 4}
STRUCT_SIZE = 5
"""The place of the element size in the state of a dtype of several fields."""


class Arrays:
    """Follows the arrays of one joblib file; hangs on a machine's BUILD."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.seen = 0

    def __call__(self, machine: Machine, target: Value) -> None:
        """Skips the elements behind the wrapper that was just built. HaltError for one that makes no sense."""
        if not isinstance(target, Made) or target.made_by is None:
            return
        if (target.made_by.module, target.made_by.name) != WRAPPER or not isinstance(target.state, Mapped):
            return
        self.seen += 1
        dtype, shape = target.state.get("dtype"), target.state.get("shape")
        if _holds_objects(dtype):
            self._follow_objects(machine)
            return
        if not isinstance(shape, tuple) or not all(type(each) is int and each >= 0 for each in shape):
            raise HaltError("an array without a shape")
        count = prod(shape) * element_size(dtype)
        if target.state.get("numpy_array_alignment_bytes") is not None:
            padding = self._source.read(machine.reader.jump(1), 1)
            machine.reader.jump(padding[0] if padding else 0)
        start = machine.reader.jump(count)
        if start + count > self._source.size:
            raise HaltError("the file ends inside an array")

    def _follow_objects(self, machine: Machine) -> None:
        """A pickle of its own, read by plain pickle."""
        start = machine.reader.jump(0)
        inner = Machine(Reader(self._source, start, machine.reader.dropping), machine.watcher, machine.mapping)
        ended = run(inner)
        if ended.broken:
            raise HaltError(f"the pickle of an array of objects: {ended.broken}")
        machine.reader.jump(ended.end - start)


def _name(dtype: Value) -> str:
    """The short name of a dtype: `f8`, `O8`, `V12`."""
    if not isinstance(dtype, Made) or dtype.made_by is None or dtype.made_by.module != "numpy":
        return ""
    first = dtype.arguments[0] if isinstance(dtype.arguments, tuple) and dtype.arguments else None
    if isinstance(first, Reference):
        return {"float64": "f8", "float32": "f4", "int64": "i8", "object_": "O8"}.get(first.name, "")
    return first if isinstance(first, str) else ""


def _holds_objects(dtype: Value) -> bool:
    """Whether objects lie anywhere in a dtype."""
    waiting, seen = [dtype], 0
    while waiting and seen < WALKED:
        each = waiting.pop()
        seen += 1
        if isinstance(each, Made):
            if _name(each).lstrip("<>=|").startswith("O"):
                return True
            waiting += [each.arguments, each.state]
        else:
            waiting += items_of(each)
    return bool(waiting)


def element_size(dtype: Value) -> int:
    """Bytes of one element. HaltError where that is not told."""
    found = KIND.fullmatch(_name(dtype))
    if not found:
        raise HaltError("an array of a type that is not known")
    kind, digits = found.groups()
    if kind == "V" and isinstance(dtype, Made) and isinstance(dtype.state, tuple):
        size = dtype.state[STRUCT_SIZE] if len(dtype.state) > STRUCT_SIZE else None
        if type(size) is int and size >= 0:
            return size
    if not digits and kind not in SIZES:
        raise HaltError("an array of a type that is not known")
    count = int(digits) if digits else 1
    return 4 * count if kind == "U" else count
