"""Whether two nested values are the same: types, keys, order, and every bit of their arrays."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy
import torch


def alike(one: Any, other: Any) -> bool:
    """Bit for bit, with NaN equal to NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return _tensors(one, other)
    if isinstance(one, numpy.ndarray | numpy.generic):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, float):
        return (one == other and math.copysign(1, one) == math.copysign(1, other)) or (one != one and other != other)
    if isinstance(one, complex):
        return alike(one.real, other.real) and alike(one.imag, other.imag)
    if isinstance(one, dict):
        makes = not isinstance(one, defaultdict) or one.default_factory is other.default_factory
        return makes and len(one) == len(other) and all(map(alike, _flat(one), _flat(other)))
    if isinstance(one, list | tuple) or hasattr(one, "maxlen"):
        same = getattr(one, "maxlen", None) == getattr(other, "maxlen", None)
        return same and len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def _flat(value: dict[Any, Any]) -> list[Any]:
    return [each for pair in value.items() for each in pair]


def _tensors(one: torch.Tensor, other: torch.Tensor) -> bool:
    facts = [(each.dtype, each.shape, each.device, each.requires_grad) for each in (one, other)]
    return facts[0] == facts[1] and _bytes(one) == _bytes(other)


def _bytes(value: torch.Tensor) -> bytes:
    plain = value.detach().resolve_conj().resolve_neg().contiguous()
    return bytes(plain.untyped_storage())[: plain.numel() * plain.itemsize] if plain.numel() else b""
