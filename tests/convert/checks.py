"""What tests of conversions share: one that must work, one that must not, and equality bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch

from modelyard.api.converting import Receipt, Wish, convert
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
