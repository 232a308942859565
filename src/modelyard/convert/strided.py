"""Elements that do not lie row after row, in the order of rows: read in pieces that fit into memory.

Every element is read once, in the order of the source; a turned matrix larger than memory costs small writes, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from modelyard.formats.header import Tensor

BUDGET = 16 << 20
"""Bytes of source, and of result, that are in memory at once."""
CODES: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""How memoryview calls whole elements by their bytes."""
Read = Callable[[int, int], bytes]
"""Bytes of the source from an offset on."""


class Side(Struct, frozen=True):
    """One side of a tensor: its length, and the steps of source and result, in elements."""

    length: int
    source: int
    result: int


def rows(tensor: Tensor, read: Read) -> Iterator[tuple[int, bytes]]:
    """All elements as stretches of the result: where each begins, in bytes, and the bytes. For widths of 1 to 16."""
    start = tensor.offset
    assert start is not None
    assert tensor.strides is not None
    if not tensor.elements:
        return
    width = tensor.bytes // tensor.elements
    if width > max(CODES):  # complex numbers of 16 bytes are pairs of 8
        pairs = (*(2 * step for step in tensor.strides), 1)
        tensor, width = replace(tensor, shape=(*tensor.shape, 2), strides=pairs), width // 2
    shape, strides = tensor.shape, tensor.strides or ()
    steps = [prod(shape[at + 1 :]) for at in range(len(shape))]
    sides = [
        Side(length, source, result) for length, source, result in zip(shape, strides, steps, strict=True) if length > 1
    ]
    sides.sort(key=lambda side: (side.source != 0, -side.source))
    yield from _pieces(sides, start, 0, width, read)


def _span(sides: list[Side]) -> int:
    """Elements of the source from the first to the last one."""
    return sum((side.length - 1) * side.source for side in sides) + 1


def _pieces(sides: list[Side], source: int, result: int, width: int, read: Read) -> Iterator[tuple[int, bytes]]:
    """Cuts the outermost side into parts that fit, where the whole does not."""
    if max(_span(sides), prod(side.length for side in sides)) * width <= BUDGET:
        yield from _gathered(sides, read(source, _span(sides) * width), result, width)
        return
    first, inner = sides[0], sides[1:]
    each = max(prod(side.length for side in inner), first.source, 1) * width
    count = max(1, (BUDGET - _span(inner) * width) // each)
    for at in range(0, first.length, count):
        length = min(count, first.length - at)
        part = [Side(length, first.source, first.result), *inner] if length > 1 else inner
        yield from _pieces(part, source + at * first.source * width, result + at * first.result * width, width, read)


def _gathered(sides: list[Side], data: bytes, result: int, width: int) -> Iterator[tuple[int, bytes]]:
    """Puts the elements of a stretch of the source in order, and gives them out as stretches of the result."""
    ordered = sorted(sides, key=lambda side: side.result)
    count = prod(side.length for side in sides)
    dense, steps = bytearray(count * width), {}
    step = 1
    for side in ordered:
        steps[side] = step
        step *= side.length
    _fill(memoryview(dense).cast(CODES[width]), memoryview(data).cast(CODES[width]), sides, steps)
    run, scattered = 1, list(ordered)
    while scattered and scattered[0].result == run:
        run *= scattered.pop(0).length
    scattered.reverse()
    offsets = product(*(range(0, side.length * side.result, side.result) for side in scattered))
    for number, place in enumerate(offsets):
        yield result + sum(place) * width, bytes(dense[number * run * width : (number + 1) * run * width])


def _fill(target: memoryview, source: memoryview, sides: list[Side], steps: dict[Side, int]) -> None:
    """Copies along the longest side at once, along the others one by one."""
    moving = [side for side in sides if side.source]
    if not moving:
        width = target.itemsize
        target[:] = memoryview(bytes(source[:1]) * len(target)).cast(CODES[width])
        return
    long = max(moving, key=lambda side: side.length)
    others = [side for side in sides if side is not long]
    for place in product(*(range(side.length) for side in others)):
        to = sum(at * steps[side] for at, side in zip(place, others, strict=True))
        start = sum(at * side.source for at, side in zip(place, others, strict=True))
        stop, end = start + (long.length - 1) * long.source + 1, to + (long.length - 1) * steps[long] + 1
        target[to : end : steps[long]] = source[start : stop : long.source]
