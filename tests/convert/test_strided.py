"""Turned and scattered elements, with so little memory that every cut is made."""

from __future__ import annotations

from itertools import permutations

import numpy
import pytest

from modelyard.convert import strided
from modelyard.formats.header import Tensor

WIDE = {1: "u1", 2: "u2", 4: "u4", 8: "u8"}


@pytest.mark.parametrize("budget", [8, 100, 1000, 1 << 20])
@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_every_order_of_sides_within_any_memory(budget: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strided, "BUDGET", budget)
    whole = numpy.arange(2 * 7 * 3 * 5, dtype=WIDE[width]).reshape(2, 7, 3, 5)
    data = b"xyz" + whole.tobytes()
    for order in permutations(range(4)):
        for view in (whole.transpose(order), whole.transpose(order)[:, ::2], whole.transpose(order)[..., 1:]):
            start = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0] + 3
            steps = tuple(step // width for step in view.strides)
            tensor = Tensor("w", "?", view.shape, view.nbytes, start, strides=steps)
            largest = 0

            def read(at: int, length: int) -> bytes:
                nonlocal largest
                largest = max(largest, length)
                return data[at : at + length]

            found = bytearray(view.nbytes)
            for at, piece in strided.rows(tensor, read):
                found[at : at + len(piece)] = piece
            assert bytes(found) == view.tobytes()
            assert largest <= max(budget, width)


def test_spread_elements_are_written_as_often_as_they_show() -> None:
    tensor = Tensor("w", "?", (3, 2, 4), 48, 2, strides=(0, 1, 0))
    pieces = dict(strided.rows(tensor, lambda at, length: b"xxABCD"[at : at + length]))
    assert b"".join(pieces[at] for at in sorted(pieces)) == (b"AB" * 4 + b"CD" * 4) * 3
