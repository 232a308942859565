"""The index of TensorFlow's checkpoints: which tensor lies where in which data file.

Layout: `tensorflow/core/protobuf/tensor_bundle.proto` and `types.proto`.
"""

from __future__ import annotations

from math import prod

from modelyard.formats.file import BrokenError, File
from modelyard.formats.header import Need, Tensor
from modelyard.formats.protobuf import Message
from modelyard.formats.tables import rows

DTYPES = {
    1: "F32", 2: "F64", 3: "I32", 4: "U8", 5: "I16", 6: "I8", 7: "text", 8: "C64", 9: "I64", 10: "BOOL", 11: "QI8",
    12: "QU8", 13: "QI32", 14: "BF16", 17: "U16", 18: "C128", 19: "F16", 20: "resource", 21: "variant", 22: "U32",
    23: "U64", 24: "F8_E5M2", 25: "F8_E4M3", 29: "I4", 30: "U4",
}  # fmt: skip
"""DataType."""


def bundle(file: File, stem: str) -> tuple[list[Tensor], tuple[Need, ...], bool]:
    """The tensors of an index, the data files it needs, and whether these are long enough.

    `stem` is the name that index and data files share, relative to the folder of the file.
    """
    shards = 1
    ends: dict[int, int] = {}
    tensors: list[Tensor] = []
    for key, value in rows(file):
        entry = file.unpacked("entry", value)
        if not key:
            shards = next((each.value for each in Message(entry, 0, entry.size).fields() if each.number == 1), 1)
            continue
        shard, tensor = _entry(key.decode("utf-8", "replace"), Message(entry, 0, entry.size))
        ends[shard] = max(ends.get(shard, 0), (tensor.offset or 0) + tensor.bytes)
        tensors.append(_moved(tensor, f"{stem}.data-{shard:05d}-of-{max(shards, 1):05d}"))
    if not 0 < shards <= 4096:
        raise BrokenError(f"promises {shards:,} data files", "too-large")
    names = {number: f"{stem}.data-{number:05d}-of-{shards:05d}" for number in range(shards)}
    needs = tuple(Need(name, file.has(name), "its tensors") for name in names.values())
    return tensors, needs, all(_reaches(file, name, ends.get(number, 0)) for number, name in names.items())


def _moved(tensor: Tensor, name: str) -> Tensor:
    return Tensor(tensor.name, tensor.dtype, tensor.shape, tensor.bytes, tensor.offset, file=name)


def _entry(name: str, message: Message) -> tuple[int, Tensor]:
    found = {1: 0, 3: 0, 4: 0, 5: 0}
    shape: tuple[int, ...] = ()
    for each in message.fields():
        if each.number in found:
            found[each.number] = each.value
        elif each.number == 2:
            shape = tuple(_sides(message.inner(each)))
    if prod(shape) >= 1 << 62 or found[3] >= 1 << 20 or found[5] >= 1 << 62:
        raise BrokenError(f"has a tensor {name[:80]!r} that cannot be")
    dtype = DTYPES.get(found[1], f"type {found[1]}")
    return found[3], Tensor(name, dtype, shape, found[5], found[4])


def _sides(message: Message) -> list[int]:
    """The sides of a TensorShapeProto."""
    found = []
    for each in message.fields():
        if each.number == 2:
            side = next((part.value for part in message.inner(each).fields() if part.number == 1), 0)
            found.append(0 if side >> 63 else side)
    return found


def _reaches(file: File, name: str, end: int) -> bool:
    if not file.has(name):
        return True
    try:
        with file.neighbour(name) as other:
            return end <= other.size
    except (BrokenError, OSError):
        return False
