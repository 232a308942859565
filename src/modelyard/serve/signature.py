"""What a model takes and gives: names, shapes with None for free axes, dtypes; and JSON types made of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Struct

FLOATS: Mapping[str, float] = {"float16": 65504.0, "float32": 3.4028234663852886e38, "float64": sys.float_info.max}
INTEGERS: Mapping[str, tuple[int, int]] = {
    f"{'u' * unsigned}int{bits}": (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for bits in (8, 16, 32, 64)
    for unsigned in (False, True)
}
DTYPES = (*FLOATS, *INTEGERS, "bool", "str")
"""What can be asked for over HTTP."""
SIGNED = 2**63 - 1
"""The largest bound that msgspec takes."""


class Spec(Struct, frozen=True):
    """One input or output: its shape with None for free axes, its dtype as numpy calls it, `str` for text."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"{self.name!r} is of {self.dtype}, which cannot be sent as JSON")

    @property
    def is_free(self) -> bool:
        """Whether its first axis may be of any length."""
        return bool(self.shape) and self.shape[0] is None

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an array of this shape is one of these; a free axis has at least one element."""
        pairs = zip(self.shape, shape, strict=False)
        return len(shape) == len(self.shape) and all(n == want or (want is None and n > 0) for want, n in pairs)


class Signature(Struct, frozen=True):
    """All inputs and outputs of a model, in its order."""

    inputs: tuple[Spec, ...]
    outputs: tuple[Spec, ...]

    @property
    def batches(self) -> bool:
        """Whether rows of several requests may go through the model together."""
        return bool(self.inputs) and all(each.is_free for each in (*self.inputs, *self.outputs))


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape as people write it, `?` for a free axis."""
    return f"({', '.join('?' if each is None else str(each) for each in shape)})"


def element(dtype: str) -> Any:
    """The JSON type of one element, within what the dtype holds; null is a float that is not a number."""
    if dtype in FLOATS:
        most = FLOATS[dtype]
        return Annotated[float, msgspec.Meta(ge=-most, le=most)] | None
    if dtype in INTEGERS:
        least, most_whole = INTEGERS[dtype]
        return Annotated[int, msgspec.Meta(ge=least, le=min(most_whole, SIGNED))]
    return bool if dtype == "bool" else str


def accepted(dtype: str) -> Any:
    """As `element`, and 1.0 where a whole number is wanted: JSON does not tell them apart."""
    if dtype not in INTEGERS:
        return element(dtype)
    least, most = INTEGERS[dtype]
    return element(dtype) | Annotated[float, msgspec.Meta(ge=least, le=min(most, SIGNED), multiple_of=1)]


def nested(spec: Spec, kind: Any) -> Any:
    """The JSON type of a whole array of these elements: lists in lists."""
    for length in reversed(spec.shape):
        bounds = msgspec.Meta(min_length=1) if length is None else msgspec.Meta(min_length=length, max_length=length)
        kind = Annotated[list[kind], bounds]
    return kind


def fields_of(specs: Sequence[Spec], title: str, kind: Callable[[str], Any] = element) -> type[msgspec.Struct]:
    """The JSON object with one array for each of these, and nothing else."""
    places = [(f"field{at}", nested(each, kind(each.dtype))) for at, each in enumerate(specs)]
    names = {f"field{at}": each.name for at, each in enumerate(specs)}
    return msgspec.defstruct(title, places, rename=names, forbid_unknown_fields=True)


def body_of(inputs: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The JSON body of a request: `{"inputs": {...}}`."""
    return msgspec.defstruct("PredictRequest", [("inputs", inputs)], forbid_unknown_fields=True)
