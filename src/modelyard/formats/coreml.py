"""Core ML: a protobuf message with a network, or with a program whose weights lie in a file beside it.

Layout: `mlmodel/format/Model.proto`, `NeuralNetwork.proto` and `MIL.proto` in github.com/apple/coremltools.
"""

from __future__ import annotations

import re
import struct
from math import prod

from modelyard.formats.dtypes import BLOCKS, WIDTHS, size_of
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Need, Tensor
from modelyard.formats.protobuf import LENGTH, Field, Message
from modelyard.formats.sniffing import Head

TITLE = "Core ML"
START = re.compile(rb"(?s)\x08[\x01-\x20]\x12[\x80-\xff]*[\0-\x7f](?:[\x0a\x52][\x80-\xff]*[\0-\x7f]\x0a|\xa2\x06)")
KINDS = {
    200: "pipeline classifier", 201: "pipeline regressor", 202: "pipeline", 300: "linear regressor",
    301: "support vector regressor", 302: "tree regressor", 303: "neural network regressor", 400: "linear classifier",
    401: "support vector classifier", 402: "tree classifier", 403: "neural network classifier", 500: "neural network",
    502: "program", 555: "custom model", 556: "linked model", 600: "one-hot encoder", 601: "imputer",
    602: "feature vectorizer", 603: "dictionary vectorizer", 604: "scaler", 609: "array feature extractor",
    610: "non-maximum suppression", 900: "identity", 2000: "text classifier", 2001: "word tagger",
    2002: "vision feature print",
}  # fmt: skip
"""The kind of model that a field of the message is."""
NETWORKS, PROGRAM = (303, 403, 500), 502
WEIGHTS = {
    100: {90: "weight", 91: "bias"}, 140: {20: "weight", 21: "bias"}, 150: {20: "weight", 21: "bias"},
    160: {15: "gamma", 16: "beta", 17: "mean", 18: "variance"},
}  # fmt: skip
"""Where convolutions, inner products, embeddings and normalisations keep their weights."""
DTYPES = {
    1: "BOOL", 2: "text", 10: "F16", 11: "F32", 12: "F64", 13: "BF16", 21: "I8", 22: "I16", 23: "I32", 24: "I64",
    25: "I4", 31: "U8", 32: "U16", 33: "U32", 34: "U64", 35: "U4", 36: "U2", 40: "F8_E4M3", 41: "F8_E5M2",
}  # fmt: skip
"""DataType of MIL."""
BESIDE = "@model_path/"


def sniff(head: Head) -> bool:
    """A version, then a description that begins with a feature."""
    return bool(START.match(head.data))


@told
def read(file: File) -> Header:
    """The network's weights, or those of the program with their place in the file beside it."""
    message = Message(file, 0, file.size)
    version, kind = 0, 0
    facts: list[tuple[str, str]] = []
    tensors: list[Tensor] = []
    for each in message.fields():
        if each.number == 1:
            version = each.value
        elif each.number == 2:
            facts = _facts(message.inner(each))
        elif each.number in KINDS:
            kind = each.number
            if kind in NETWORKS:
                tensors = _network(message.inner(each))
            elif kind == PROGRAM:
                tensors = _program(file, message.inner(each))
    if not kind:
        raise BrokenError("has no model of a kind that is known")
    names = sorted({each.file for each in tensors if each.file})
    made = dict(facts).get("com.github.apple.coremltools.version", "")
    return Header(
        TITLE,
        str(version),
        tuple(tensors),
        architecture=KINDS[kind],
        framework=f"coremltools {made}" if made else "Core ML",
        metadata=tuple(facts),
        needs=tuple(Need(name, file.has(name), "its weights") for name in names),
        loads=("coremltools.models.MLModel(path)",),
    )


def _facts(description: Message) -> list[tuple[str, str]]:
    """Inputs, outputs and what the author wrote."""
    found: dict[str, list[str]] = {"inputs": [], "outputs": []}
    facts: list[tuple[str, str]] = []
    for each in description.fields():
        if each.number in (1, 10):
            inner = description.inner(each)
            found["inputs" if each.number == 1 else "outputs"] += [
                inner.text(a, 100) for a in inner.fields() if a.number == 1
            ]
        elif each.number == 100:
            facts = _metadata(description.inner(each))
    return [(name, ", ".join(names[:16])) for name, names in found.items()] + facts


def _metadata(message: Message) -> list[tuple[str, str]]:
    names = {1: "description", 2: "version", 3: "author", 4: "license"}
    facts = []
    for each in message.fields():
        if each.number in names:
            facts.append((names[each.number], message.text(each, 200)))
        elif each.number == 100:
            inner = message.inner(each)
            pair = {one.number: inner.text(one, 200) for one in inner.fields() if one.number in (1, 2)}
            facts.append((pair.get(1, ""), pair.get(2, "")))
    return facts[:64]


def _network(network: Message) -> list[Tensor]:
    found: list[Tensor] = []
    for each in network.fields():
        if each.number != 1 or each.kind != LENGTH:
            continue
        layer = network.inner(each)
        name = ""
        for part in layer.fields():
            if part.number == 1 and part.kind == LENGTH:
                name = layer.text(part, 200)
            elif part.number in WEIGHTS:
                params = layer.inner(part)
                inside = WEIGHTS[part.number]
                found += [
                    tensor
                    for one in params.fields()
                    if one.number in inside and (tensor := _weights(f"{name}.{inside[one.number]}", params.inner(one)))
                ]
    return found


def _weights(name: str, message: Message) -> Tensor | None:
    """The numbers of one WeightParams: packed floats, halves, or quantised bytes."""
    best: tuple[Field, str, int] | None = None
    for each in message.fields():
        if each.kind == LENGTH and each.number in (1, 2, 30, 31):
            best = each, {1: "F32", 2: "F16", 30: "U8", 31: "I8"}[each.number], {1: 4, 2: 2}.get(each.number, 1)
    if best is None:
        return None
    field, dtype, width = best
    return Tensor(name, dtype, (field.length // width,), field.length, field.offset)


def _program(file: File, program: Message) -> list[Tensor]:
    """The constants of every function whose values lie in a file."""
    found: list[Tensor] = []
    for function in _values(program, 2):
        for block in _values(function, 3):
            for each in block.fields():
                if each.number == 3:
                    found += _operation(file, block.inner(each))
    return found


def _values(message: Message, number: int) -> list[Message]:
    """The messages of a map."""
    entries = [message.inner(each) for each in message.fields() if each.number == number]
    return [entry.inner(each) for entry in entries for each in entry.fields() if each.number == 2]


def _operation(file: File, operation: Message) -> list[Tensor]:
    name, found = "", []
    for each in operation.fields():
        if each.number == 3:
            output = operation.inner(each)
            name = next((output.text(one, 200) for one in output.fields() if one.number == 1), name)
    for value in _values(operation, 5):
        parts = {each.number: each for each in value.fields()}
        if 2 in parts and 5 in parts:
            found.append(_constant(file, name, value.inner(parts[2]), value.inner(parts[5])))
    return found


def _constant(file: File, name: str, kind: Message, blob: Message) -> Tensor:
    dtype, shape = "", []
    for outer in kind.fields():
        for each in kind.inner(outer).fields() if outer.number == 1 else ():
            if each.number == 1:
                dtype = DTYPES.get(each.value, f"type {each.value}")
            elif each.number == 3:
                numbers = [one for side in _inside(kind.inner(outer).inner(each), 1) for one in side.fields()]
                shape.append(next((one.value for one in numbers if one.number == 1), 0))
    place = {each.number: each for each in blob.fields()}
    where = blob.text(place[1], 400).removeprefix(BESIDE) if 1 in place else ""
    if prod(shape) >= 1 << 62:
        raise BrokenError(f"has a tensor {name[:80]!r} that cannot be")
    size = size_of(dtype, shape) if dtype in WIDTHS or dtype in BLOCKS else 0
    return Tensor(name, dtype, tuple(shape), size, _start(file, where, place[2].value if 2 in place else 0), file=where)


def _inside(message: Message, number: int) -> list[Message]:
    return [message.inner(each) for each in message.fields() if each.number == number]


def _start(file: File, name: str, at: int) -> int | None:
    """Where a blob's bytes begin: a record of 64 bytes tells, which begins with 0xDEADBEEF."""
    if not file.has(name):
        return None
    try:
        with file.neighbour(name) as other:
            sign, start = struct.unpack("<I12xQ", other.at(at, 24))
    except (BrokenError, OSError):
        return None
    return int(start) if sign == 0xDEADBEEF else None
