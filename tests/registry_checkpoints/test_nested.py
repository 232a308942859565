"""Nested values of every kind that states hold come back as they were; what cannot be expressed is told by its path."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from modelyard.registry.checkpoints import Checkpoints, DamagedError, UnsaveableError
from modelyard.registry.checkpoints.nested import decode, encode
from modelyard.registry.checkpoints.shelf import Inline, Reading
from registry_checkpoints.alike import alike

pytestmark = pytest.mark.filterwarnings("ignore:ComplexHalf")
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
EIGHTHS = (
    torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e8m0fnu,
)  # fmt: skip
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64)
COMPLEX = (torch.complex128, torch.complex64, torch.complex32)
DTYPES = (*FLOATS, *EIGHTHS, *WHOLE, *COMPLEX, torch.bool, torch.float4_e2m1fn_x2)
CODES = (
    "b1", "i1", "<i2", ">i4", "i8", "u1", ">u2", "u4", "u8", "f2", ">f4", "f8", "c8", "c16", ">c16", "M8[ns]", ">M8[D]",
    "m8[s]",
)  # fmt: skip
SHAPES: Any = some.lists(some.integers(0, 4), max_size=3).map(tuple)


@some.composite
def tensors(draw: Any) -> torch.Tensor:
    """Random bits of any dtype and shape, not always contiguous, at times conjugated, or a parameter."""
    dtype, shape = draw(some.sampled_from(DTYPES)), draw(SHAPES)
    count = math.prod(shape) * dtype.itemsize
    raw = draw(some.binary(min_size=count, max_size=count))
    if dtype is torch.bool:
        raw = bytes(each & 1 for each in raw)
    flat = torch.frombuffer(bytearray(raw), dtype=torch.uint8) if count else torch.empty(0, dtype=torch.uint8)
    made = flat.view(dtype).reshape(shape) if count else torch.empty(shape, dtype=dtype)
    if len(shape) > 1 and draw(some.booleans()):
        made = made.transpose(0, 1)
    if dtype in (torch.complex64, torch.complex128) and draw(some.booleans()):
        made = made.conj()
    if dtype in FLOATS and draw(some.booleans()):
        return torch.nn.Parameter(made, requires_grad=draw(some.booleans()))
    return made


@some.composite
def arrays(draw: Any) -> Any:
    """A numpy array or one of its scalars, in either byte order, not always contiguous."""
    code = draw(some.sampled_from(CODES))
    shape = draw(SHAPES)
    dtype = numpy.dtype(code)
    count = math.prod(shape) * dtype.itemsize
    raw = draw(some.binary(min_size=count, max_size=count))
    raw = bytes(each & 1 for each in raw) if code == "b1" else raw
    made = numpy.frombuffer(bytearray(raw), dtype).reshape(shape)
    if made.size and draw(some.booleans()):
        found = made.reshape(-1)[0]
        return found if not (isinstance(found, numpy.inexact) and found != found) else made  # a NaN has many bits
    return made.T


SCALARS = (
    some.none() | some.booleans() | some.integers() | some.floats() | some.complex_numbers() | some.binary()
    | some.text(some.characters()) | some.text(some.characters(categories=["Cs"]))
    | some.sampled_from([torch.float32, torch.bfloat16, torch.device("cuda:1"), torch.Size([2, 3]), Path("a/b")])
    | some.binary().map(bytearray)
)  # fmt: skip
KEYS = some.text() | some.integers() | some.booleans() | some.none() | some.tuples(some.integers(), some.text())
FACTORIES = some.sampled_from([int, list, dict, None])


def _containers(inner: Any) -> Any:
    return (
        some.lists(inner, max_size=3)
        | some.lists(inner, max_size=3).map(tuple)
        | some.dictionaries(some.text() | some.just("$"), inner, max_size=3)
        | some.dictionaries(KEYS, inner, max_size=3)
        | some.dictionaries(KEYS, inner, max_size=3).map(OrderedDict)
        | some.builds(defaultdict, FACTORIES, some.dictionaries(KEYS, inner, max_size=2))
        | some.builds(deque, some.lists(inner, max_size=3), some.none() | some.integers(0, 5))
        | some.dictionaries(some.integers(), some.integers(), max_size=3).map(Counter)
        | some.frozensets(some.integers() | some.text(), max_size=3)
        | some.sets(some.integers(), max_size=3)
    )


VALUES = some.recursive(SCALARS | tensors() | arrays(), _containers, max_leaves=8)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(VALUES)
def test_any_state_comes_back_as_it_was_through_text(value: Any) -> None:
    text = json.dumps(encode(value, Inline.put, ("state",)), allow_nan=False)
    assert alike(decode(json.loads(text), Reading(None, None, None, copy=True).get), value)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(some.dictionaries(some.text(), VALUES, max_size=4))
def test_any_state_comes_back_as_it_was_through_files(tmp_path: Path, value: dict[str, Any]) -> None:
    kept = Checkpoints(tmp_path / "run", keep_last=1)
    before = copy.deepcopy(value)
    kept.save(1, extra=value)
    found = kept.load()
    assert found is not None and alike(found.parts["extra"], before)


def test_tied_and_expanded_tensors_take_their_bytes_once_and_stay_tied(tmp_path: Path) -> None:
    weight = torch.randn(4, 4)
    kept = Checkpoints(tmp_path)
    path = kept.save(1, extra={"a": weight, "b": weight, "view": weight[:2], "wide": torch.ones(1).expand(1000)})
    found: Any = kept.load()
    extra = found.parts["extra"]
    assert extra["a"] is extra["b"] and torch.equal(extra["view"], weight[:2]) and extra["wide"].sum() == 1000
    assert (path / "extra.safetensors").stat().st_size < 5000


def _holding_itself() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def _quantised() -> torch.Tensor:
    with warnings.catch_warnings(action="ignore"):  # torch tells that it will stop making them
        return torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)


class _Own(torch.Tensor):
    pass


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, object()]}, "extra: a.1 is a builtins.object"),
        ({"a": {"loss": lambda: 0}}, "extra: a.loss is a builtins.function"),
        ({"a": torch.eye(3).to_sparse()}, "extra: a is sparse"),
        ({"a": torch.empty(3, device="meta")}, "extra: a is on the meta device"),
        ({"a": _quantised()}, "extra: a is qint8"),
        ({"a": torch.ones(2).as_subclass(_Own)}, "extra: a is a _Own, a tensor of another kind"),
        ({"a": numpy.array([object()])}, "extra: a is an array of object"),
        ({"a": numpy.longdouble(1)}, "extra: a is a numpy.longdouble"),
        ({"a": defaultdict(lambda: 0)}, "extra: a is a defaultdict that makes"),
        ({"a": {torch.ones(1): 1}}, "extra: a.key is a torch.Tensor"),
        ({"a": _holding_itself()}, "extra: a.0.0 is nested more than 100 deep, or holds itself"),
    ],
)
def test_what_cannot_be_expressed_is_told_by_its_path_and_nothing_is_written(
    tmp_path: Path, value: dict[str, Any], words: str
) -> None:
    kept = Checkpoints(tmp_path / "run")
    with pytest.raises(UnsaveableError, match=words.replace("(", r"\(")):
        kept.save(1, extra=value)
    assert not (tmp_path / "run").exists()


def test_a_tensor_of_a_device_that_is_not_here_comes_to_the_processor() -> None:
    fields: Any = Inline.put(("a",), torch.ones(3))
    found = decode({**fields, "device": "cuda:3"}, Reading(None, None, None, copy=True).get)
    assert found.device.type == "cpu" and found.sum() == 3


@pytest.mark.parametrize(
    "text",
    [
        '{"$": "code"}', '{"$": 7}', '{"$": "bytes"}', '{"$": "bytes", "base64": "!"}',
        '{"$": "float", "value": "one"}',
        '{"$": "int", "hex": "zz"}', '{"$": "tensor", "name": "x"}', '{"$": "tensor"}', '{"$": "dict", "items": [[1]]}',
        '{"$": "dict", "items": [[[], 1]]}', '{"$": "defaultdict", "items": [], "makes": "exec"}',
        '{"$": "deque", "items": [], "longest": -1}', '{"$": "torch.dtype", "name": "load"}',
        '{"$": "torch.device", "name": "no"}', '{"$": "numpy", "dtype": "O", "value": 1}',
        '{"$": "numpy", "dtype": "?!"}',
        '{"$": "complex", "value": [1]}', '{"$": "tensor", "name": "x", "base64": "AAAA", "code": "F32", "shape": [9]}',
        '{"$": "tensor", "name": "x", "base64": "AAAA", "code": "U8", "shape": [4], "dtype": "load"}',
    ],
)  # fmt: skip
def test_a_hostile_state_is_damaged_and_runs_nothing(text: str) -> None:
    with pytest.raises(DamagedError):
        decode(json.loads(text), Reading(None, None, None, copy=True).get)
