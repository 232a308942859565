"""What tests of conversions share: one that must work, one that must not, and equality bit for bit."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import safetensors.torch
import torch

from modelyard.api.converting import Receipt, Wish, convert
from modelyard.apply.disk import Disk
from modelyard.problem import Problem

PLAIN = Wish()


def converted(source: Path, wish: Wish = PLAIN, target: Path | None = None) -> Receipt:
    """The receipt of a conversion, which works."""
    found = convert(source, target, wish)
    assert isinstance(found, Receipt), found
    return found


def refused(source: Path, wish: Wish = PLAIN, target: Path | None = None) -> Problem:
    """Why a conversion is refused; nothing is left beside the source."""
    before = sorted(source.parent.iterdir())
    found = convert(source, target, wish)
    assert isinstance(found, Problem), found
    assert sorted(source.parent.iterdir()) == before
    return found


def words(tensor: torch.Tensor) -> bytes:
    """The bits of a tensor's elements, row after row."""
    flat = tensor.detach().contiguous().clone(memory_format=torch.contiguous_format).reshape(-1)
    return bytes(flat.view(torch.uint8).numpy().tobytes()) if flat.numel() else b""


def holds(path: Path, wanted: Mapping[str, torch.Tensor]) -> None:
    """A file has exactly these tensors, as the real library loads them, bit for bit: NaN and -0.0 too."""
    found = safetensors.torch.load_file(path)
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype, name
        assert found[name].shape == tensor.shape, name
        assert words(found[name]) == words(tensor), name
        if not tensor.dtype.is_floating_point or tensor.dtype.itemsize > 1:
            assert tensor.isnan().any() or torch.equal(found[name], tensor.detach()), name


def without_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements go through our memory, because the system cannot copy them."""

    def cannot(self: Disk, *arguments: object) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Disk, "copy", cannot)


def damaged_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit turns in every piece of elements that goes through our memory; what lies around them is written well."""
    real = Disk.put

    def damaged(self: Disk, descriptor: int, data: bytes | memoryview, at: int) -> None:
        if isinstance(data, memoryview):
            data = bytes([data[0] ^ 1]) + data[1:]
        real(self, descriptor, data, at)

    without_the_system(monkeypatch)
    monkeypatch.setattr(Disk, "put", damaged)
