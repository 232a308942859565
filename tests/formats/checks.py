"""What tests of headers share: a header that must be there, and tensors held against the arrays that were saved."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy

from modelyard.formats.header import Header, Tensor
from modelyard.formats.known import read_header
from modelyard.problem import Problem

Array = numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.generic]]


def header(path: Path) -> Header:
    """The header of a file, which has one."""
    found = read_header(str(path))
    assert isinstance(found, Header), found
    return found


def problem(path: Path) -> Problem:
    """What is wrong with a file, which has no header."""
    found = read_header(str(path))
    assert isinstance(found, Problem), found
    return found


def by_name(found: Header) -> dict[str, Tensor]:
    """The tensors by their names, which differ."""
    named = {each.name: each for each in found.tensors}
    assert len(named) == len(found.tensors)
    return named


def elements(path: Path, tensor: Tensor) -> bytes:
    """The elements row after row, from where the header says that they lie."""
    assert tensor.offset is not None, tensor
    data = (path.parent / tensor.file if tensor.file else path).read_bytes()
    width = tensor.bytes // max(prod(tensor.shape), 1)
    if tensor.strides is None:
        return data[tensor.offset : tensor.offset + tensor.bytes]
    steps = [width * step for step in tensor.strides]
    view = numpy.ndarray(tensor.shape, f"V{width}", data, tensor.offset, steps)
    return view.tobytes()


def holds(path: Path, found: Header, arrays: Mapping[str, Array]) -> None:
    """Names, shapes and every byte of the tensors are those of the arrays."""
    named = by_name(found)
    assert set(named) == set(arrays)
    for name, array in arrays.items():
        assert named[name].shape == array.shape, name
        assert elements(path, named[name]) == array.tobytes(), name
