"""Tensors and nested state dicts come back bit for bit, and the real safetensors library reads what was written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import modelyard as my
from modelyard.registry.blocks import NAMES
from modelyard.registry.errors import RegistryError
from modelyard.registry.nesting import flatten, unflatten

TORCH = sorted(name for name in NAMES if hasattr(torch, name))
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["a.b", "a/b", "", "__metadata__", "größe", "層", "a", "\x00", "..", "a#2", '"', "\n"]
)


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """A tensor of any dtype and shape, row after row or not, its bits at random: NaN among them."""
    dtype, shape = getattr(torch, draw(st.sampled_from(TORCH))), draw(SHAPES)
    width = torch.empty(0, dtype=dtype).element_size()
    count = int(np.prod(shape, dtype=int)) * width
    bits = torch.from_numpy(np.frombuffer(draw(st.binary(min_size=count, max_size=count)), np.uint8).copy())
    made = (bits % 2).bool() if dtype is torch.bool else bits.view(dtype) if count else torch.empty(0, dtype=dtype)
    made = made.reshape(shape)
    return made.transpose(0, -1) if draw(st.booleans()) and made.ndim else made


def bits(value: torch.Tensor) -> bytes:
    """The bits of a tensor's elements, row after row."""
    flat = value.contiguous().reshape(-1)
    return bytes(flat.view(torch.uint8).numpy().tobytes()) if flat.numel() else b""


def same(one: Any, other: Any) -> bool:
    """Equal in kind, structure and every bit."""
    if isinstance(one, torch.Tensor):
        return (one.dtype, one.shape, bits(one)) == (other.dtype, other.shape, bits(other))
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(each, other[key]) for key, each in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


PLAIN = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats() | st.text(max_size=5).filter(str.isascii)
STATES = st.recursive(
    tensors() | PLAIN,
    lambda each: st.lists(each, max_size=3) | st.lists(each, max_size=2).map(tuple)
    | st.dictionaries(KEYS | st.integers(0, 9), each, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(STATES)
def test_what_is_nested_is_flattened_and_back(value: Any) -> None:
    tree, found = flatten(value)
    assert all(isinstance(name, str) and name != "__metadata__" for name in found)
    assert same(unflatten(tree, found), value)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.dictionaries(KEYS, STATES, max_size=4), st.booleans())
def test_nested_state_dicts_of_every_dtype_shape_and_name(value: dict[str, Any], mmap: bool) -> None:
    value["one"] = torch.arange(3)
    with tempfile.TemporaryDirectory() as folder:
        registry = my.Registry(folder)
        which = registry.save(value, "net")
        assert same(registry.load(which, mmap=mmap), value)
        held = safetensors.torch.load_file(registry.path(which) / "model.safetensors")
        assert {name: bits(each) for name, each in flatten(value)[1].items()} == {
            name: bits(each) for name, each in held.items()
        }
        assert all(each.state == "ok" for each in registry.verify())


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<i2", ">u8", "?", "<c8", "<f2", "i1"])
def test_arrays_of_numpy_in_any_order_of_bytes(tmp_path: Path, dtype: str) -> None:
    value = np.arange(24).reshape(2, 3, 4).astype(dtype).transpose(2, 0, 1)
    registry = my.Registry(tmp_path)
    found = registry.load(registry.save({"a": value, "b": np.array(3).astype(dtype)}, "net"))
    assert np.array_equal(found["a"], value) and found["b"].shape == ()


def test_arrays_and_tensors_together_stay_what_they_are(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    found = registry.load(registry.save([np.ones(2), torch.ones(3)], "net"))
    assert isinstance(found[0], np.ndarray) and isinstance(found[1], torch.Tensor)


REFUSED: dict[str, Callable[[], Any]] = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8),
    "complex128": lambda: torch.ones(2, dtype=torch.complex128),
    "objects": lambda: np.array([{"a": 1}], dtype=object),
    "without memory": lambda: torch.ones(2, device="meta"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_safetensors_cannot_hold_is_told(tmp_path: Path, kind: str) -> None:
    registry = my.Registry(tmp_path)
    with pytest.raises(RegistryError, match=r"split|numbers"):
        registry.save({"a": REFUSED[kind]()}, "net")
    assert not list(registry.models()) and not (tmp_path / "net" / "v1.0.0").exists()


def test_weights_are_mapped_and_a_change_of_them_stays_in_memory(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    which = registry.save({"w": torch.zeros(100_000)}, "net")
    path = str(registry.path(which) / "model.safetensors")
    found = registry.load(which)["w"]
    assert path in Path("/proc/self/maps").read_text()
    found += 1
    assert found.sum() == 100_000
    assert registry.load(which)["w"].sum() == 0
    del found
    copied = registry.load(which, mmap=False)["w"]
    assert copied.data_ptr() % 64 == 0
    assert registry.load(which, dtype=torch.float16)["w"].dtype is torch.float16
