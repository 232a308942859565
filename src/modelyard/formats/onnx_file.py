"""ONNX: a protobuf message of a graph and its initializers, whose bytes may lie in other files.

Layout: `onnx/onnx.proto` and `docs/ExternalData.md` in github.com/onnx/onnx.
"""

from __future__ import annotations

import re
from collections import Counter

from msgspec import Struct, field

from modelyard.formats.dtypes import size_of
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Need, Tensor
from modelyard.formats.protobuf import LENGTH, Field, Message
from modelyard.formats.sniffing import Head

TITLE = "ONNX"
DTYPES = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 9: "BOOL", 10: "F16", 11: "F64", 12: "U32",
    13: "U64", 14: "C64", 15: "C128", 16: "BF16", 17: "F8_E4M3", 18: "F8_E4M3FNUZ", 19: "F8_E5M2", 20: "F8_E5M2FNUZ",
    21: "U4", 22: "I4", 23: "F4", 24: "F8_E8M0", 25: "U2", 26: "I2",
}  # fmt: skip
"""TensorProto.DataType; 8 is text."""
START = re.compile(
    rb"(?s)\x08[\x01-\x20](?:[\x12\x1a\x22\x32\x42\x72]|\x28[\0-\x7f]|\x3a[\x80-\xff]*[\0-\x7f][\x0a\x12\x2a])"
)
PLAIN = (4, 10)
"""Fields of floats and doubles, which protobuf packs as they are."""
DEEPEST = 8
"""Graphs inside nodes that are followed."""
MOST_TENSORS = 65_536
MOST_FILES = 256
STANDARD = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training")


class _Found(Struct):
    """What was gathered from the whole message."""

    tensors: list[Tensor] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    operators: Counter[str] = field(default_factory=Counter)
    domains: set[str] = field(default_factory=set)
    inputs: list[str] = field(default_factory=list)
    graph: str = ""


def sniff(head: Head) -> bool:
    """A version, then the producer, the domain, or a graph: ONNX has no magic."""
    return bool(START.match(head.data)) and head.data[:2] != b"\x08\0"


@told
def read(file: File) -> Header:
    """The initializers of the graph and of the graphs inside it, with their offsets."""
    text: dict[int, str] = {}
    opsets, metadata = [], []
    found = _Found()
    message = Message(file, 0, file.size)
    seen = False
    for each in message.fields():
        if each.number == 1:
            text[1] = str(each.value)
        elif each.number in (2, 3, 4, 6):
            text[each.number] = message.text(each, 200)
        elif each.number == 7:
            seen = True
            _graph(message.inner(each), found, 0)
        elif each.number == 8:
            opsets.append(_opset(message.inner(each)))
        elif each.number == 14:
            metadata.append(_pair(message.inner(each)))
        elif each.number == 25:
            _function(message.inner(each), found)
    if not seen:
        raise BrokenError("has no graph", "truncated")
    own = sorted(found.domains.difference(STANDARD))
    return Header(
        TITLE,
        f"IR {text.get(1, '?')}, " + ", ".join(f"{name or 'ai.onnx'} {version}" for name, version in opsets[:8]),
        tuple(found.tensors),
        complete=all(_reaches(file, name, end) for name, end in found.files.items()),
        architecture=found.graph,
        framework=f"{text.get(2, '')} {_version(text.get(3, ''))}".strip(),
        metadata=(*metadata[:64], ("inputs", ", ".join(found.inputs[:16])), ("operators", _common(found.operators))),
        needs=tuple(Need(name, file.has(name), "its tensors") for name in _most_telling(found.files, file)),
        loads=("onnxruntime.InferenceSession(path)",),
        notes=(f"operators of domains that are not ONNX's own: {', '.join(own[:8])}",) if own else (),
    )


def _version(text: str) -> str:
    """The version of who made it; CatBoost writes half a page there."""
    return "" if "\n" in text else text


def _most_telling(files: dict[str, int], file: File) -> list[str]:
    """The names of other files, those that lead out of the folder first; many names do not hide one."""
    return sorted(files, key=lambda name: (file.beside(name) is not None, name))[:MOST_FILES]


def _common(operators: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in operators.most_common(12))


def _opset(message: Message) -> tuple[str, int]:
    domain, version = "", 0
    for each in message.fields():
        if each.number == 1:
            domain = message.text(each, 200)
        elif each.number == 2:
            version = each.value
    return domain, version


def _pair(message: Message) -> tuple[str, str]:
    pair = {each.number: message.text(each) for each in message.fields() if each.number in (1, 2)}
    return pair.get(1, ""), pair.get(2, "")


def _function(message: Message, found: _Found) -> None:
    for each in message.fields():
        if each.number == 7:
            _node(message.inner(each), found, 1)
        elif each.number == 11:
            _attribute(message.inner(each), found, 1, "")


def _graph(message: Message, found: _Found, depth: int) -> None:
    if depth > DEEPEST:
        raise BrokenError("has graphs too deep inside each other", "too-deep")
    for each in message.fields():
        if each.number == 1:
            _node(message.inner(each), found, depth)
        elif each.number == 2 and not depth:
            found.graph = message.text(each, 200)
        elif each.number == 5:
            _tensor(message.inner(each), found)
        elif each.number == 15:
            _sparse(message.inner(each), found)
        elif each.number == 11 and not depth and len(found.inputs) < 64:
            inner = message.inner(each)
            found.inputs += [inner.text(part, 200) for part in inner.fields() if part.number == 1]


def _node(message: Message, found: _Found, depth: int) -> None:
    output = ""
    for each in message.fields():
        if each.number == 2 and not output:
            output = message.text(each, 400)
        elif each.number == 4:
            found.operators[message.text(each, 100)] += 1
        elif each.number == 7:
            found.domains.add(message.text(each, 100))
        elif each.number == 5:
            _attribute(message.inner(each), found, depth, output)


def _attribute(message: Message, found: _Found, depth: int, output: str) -> None:
    for each in message.fields():
        if each.number in (6, 11):
            _graph(message.inner(each), found, depth + 1)
        elif each.number in (5, 10):
            _tensor(message.inner(each), found, output)
        elif each.number in (22, 23):
            _sparse(message.inner(each), found)


def _sparse(message: Message, found: _Found) -> None:
    """The values and the places of a sparse tensor."""
    for each in message.fields():
        if each.number in (1, 2):
            _tensor(message.inner(each), found)


def _tensor(message: Message, found: _Found, name: str = "") -> None:
    """Notes a tensor; `name` is for one that has none, the constant of a node."""
    shape: list[int] = []
    kind, outside = 0, {}
    raw: Field | None = None
    for each in message.fields():
        if each.number == 1:
            shape += message.numbers(each, 64)
        elif each.number == 2:
            kind = each.value
        elif each.number == 8:
            name = message.text(each, 400) or name
        elif each.number == 9 or (each.number in PLAIN and each.kind == LENGTH):
            raw = each
        elif each.number == 13:
            key, value = _pair(message.inner(each))
            outside[key] = value
    if len(found.tensors) >= MOST_TENSORS:
        raise BrokenError(f"has more than {MOST_TENSORS:,} tensors", "too-large")
    if len(shape) > 64 or any(side >> 62 for side in shape):
        raise BrokenError(f"has a tensor {name[:80]!r} whose shape is no shape")
    dtype = DTYPES.get(kind, "text" if kind == 8 else f"type {kind}")
    size = size_of(dtype, shape) if kind in DTYPES else raw.length if raw else 0
    if size >= 1 << 62:
        raise BrokenError(f"has a tensor {name[:80]!r} of {size:.3g} bytes")
    if outside:
        found.tensors.append(_outside(outside, found, name, dtype, tuple(shape), size))
    else:
        found.tensors.append(
            Tensor(name, dtype, tuple(shape), size, raw.offset if raw and raw.length == size else None)
        )


def _outside(
    told_place: dict[str, str], found: _Found, name: str, dtype: str, shape: tuple[int, ...], size: int
) -> Tensor:
    where, start = told_place.get("location", ""), told_place.get("offset", "0")
    offset = int(start) if start.isascii() and start.isdecimal() and len(start) < 19 else 0
    found.files[where] = max(found.files.get(where, 0), offset + size)
    return Tensor(name, dtype, shape, size, offset, file=where)


def _reaches(file: File, name: str, end: int) -> bool:
    """Whether a file beside this one is long enough; one that is not there is told by its Need."""
    if not file.has(name):
        return True
    try:
        with file.neighbour(name) as other:
            return end <= other.size
    except (BrokenError, OSError):
        return False
