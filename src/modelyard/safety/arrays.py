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
from modelyard.safety.values import HELD, WALKED, Made, Mapped, Reference, Value, items_of

WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
KIND = re.compile(r"[<>=|]?([a-zA-Z?])(\d*)(?:\[\w+\])?")
SIZES = {"?": 1, "b": 1, "B": 1, "U": 4}
STRUCT_SIZE, FLAGS = 5, 7
"""The places of the element size and of the flags in the state of a dtype."""
FLEXIBLE = ("S", "U", "V", "a")
REFERENCES = 1
"""The flag of elements that are objects."""


class Arrays:
    """Follows the arrays of one joblib file; hangs on a machine's BUILD."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.seen = 0

    def __call__(self, machine: Machine, target: Value) -> None:
        """Skips the elements behind the wrapper that was just built. HaltError for one that makes no sense."""
        if not isinstance(target, Made) or target.made_by is None:
            return
        if (target.made_by.module, target.made_by.name) != WRAPPER:
            return
        if not isinstance(target.state, Mapped) or len(target.state.pairs) >= 2 * HELD or target.state.spelled:
            raise HaltError("an array that is told in a way joblib does not write")
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
    first = dtype.arguments[0] if isinstance(dtype.arguments, tuple) and dtype.arguments and not dtype.named else None
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
            if _name(each).lstrip("<>=|").startswith("O") or _told(each)[1] & REFERENCES:
                return True
            waiting += [each.arguments, each.state]
        else:
            waiting += items_of(each)
    return bool(waiting)


def _told(dtype: Made) -> tuple[int, int]:
    """The element size and the flags that the state of a dtype tells; -1 and 0 where it has none."""
    state = dtype.state
    if not dtype.built or _name(dtype) == "":
        return -1, 0
    if not isinstance(state, tuple) or len(state) not in (8, 9) or state[0] not in (3, 4):
        raise HaltError("a type of elements that is told in a way numpy does not write")
    size, flags = state[STRUCT_SIZE], state[FLAGS]
    if type(size) is not int or type(flags) is not int:
        raise HaltError("a type of elements without a size")
    return size, flags


def element_size(dtype: Value) -> int:
    """Bytes of one element. HaltError where that is not told."""
    found = KIND.fullmatch(_name(dtype))
    if not found or not isinstance(dtype, Made):
        raise HaltError("an array of a type that is not known")
    kind, digits = found.groups()
    size, _ = _told(dtype)
    if kind in FLEXIBLE and dtype.built:
        if size < 0:
            raise HaltError("a type of elements without a size")
        return size  # numpy lets the state overrule the name
    if not digits and kind not in SIZES:
        raise HaltError("an array of a type that is not known")
    count = int(digits) if digits else 1
    return 4 * count if kind == "U" else count
