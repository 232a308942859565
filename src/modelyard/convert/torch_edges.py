"""torch's files to tensors: the archive of today, the five pickles of before 1.6, and TorchScript's parameters."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from modelyard.convert.torch_parts import chosen, is_optimizer, texts
from modelyard.convert.torch_tensors import Walk
from modelyard.convert.weights import LeftOut, Weights, Wish
from modelyard.formats import torch_archives, torch_legacy, torch_zip, torchscript
from modelyard.formats.file import BrokenError, File
from modelyard.formats.header import Tensor
from modelyard.formats.pickles import Mapping, Stream, Value
from modelyard.formats.torch_values import Tensors, is_plain
from modelyard.formats.value_walk import arrays, pairs_of, plain_values

FORMATS: tuple[str, ...] = (torch_zip.TITLE, torchscript.TITLE, torch_legacy.TITLE)
EMPTY = 4
"""Bytes of the pickle of no constants."""
ALONE = "tensor"
"""What a tensor is called that was saved by itself."""
ALWAYS = frozenset(("torch.nn.parameter.Parameter",))
LEFT_BY_TRAINING = ("module.", "_orig_mod.", "_forward_module.")
"""What data parallel training, `torch.compile` and fabric put before every name."""


def read(file: File, wish: Wish) -> Weights:
    """The weights of one part of a file that torch wrote. Nothing in the pickle is called, whatever it asks for."""
    if file.head(4)[:2] == b"PK":
        return _archive(file, wish)
    streams, describe, end = torch_legacy.contents(file)
    system = streams[2].value
    if isinstance(system, Mapping) and system.get("little_endian") is not True:
        raise BrokenError("was written by a machine whose numbers are the other way round (big-endian)", "big-endian")
    if end > file.size:
        raise BrokenError("ends within a storage", "truncated")
    weights = _weights(streams[3], describe, wish, ())
    behind = (LeftOut("end", f"{file.size - end:,} bytes behind the last storage"),) if end < file.size else ()
    return replace(weights, left_out=(*weights.left_out, *behind))


def _archive(file: File, wish: Wish) -> Weights:
    found = torch_archives.contents(file)
    if found.records.get("byteorder", "little") != "little":
        raise BrokenError("was written by a machine whose numbers are the other way round (big-endian)", "big-endian")
    weights = _weights(found.stream, found.describe, wish, ())
    beside = [LeftOut("file", each) for each in found.notes]
    beside += [LeftOut(name, what) for name, size in found.beside.items() if (what := _beside(name, size))]
    return replace(weights, left_out=(*weights.left_out, *beside))


def _beside(name: str, size: int) -> str:
    """What a member of an archive is that is no part of the weights; empty for one that says nothing."""
    if name == "constants.pkl":
        return "what the program names beside the weights" if size > EMPTY else ""
    return f"a file of the archive, {size:,} bytes"


def _weights(stream: Stream, describe: Tensors, wish: Wish, notes: tuple[str, ...]) -> Weights:
    part, value, training = chosen(stream.value, wish.part, describe)
    if is_optimizer(value) and not wish.part:
        raise BrokenError(
            "holds the state of an optimizer and no weights; --part . takes it all the same", "no-tensors"
        )
    walk = Walk(describe)
    skipped = {each.name for each in training}
    walk.visit("", _without(value, skipped) if not part else value)
    if describe.short:
        raise BrokenError("has a storage that ends before its tensors do", "truncated")
    if not walk.tensors:
        raise BrokenError("holds no tensors of a model", "no-tensors")
    metadata, odd = texts(stream.value, part, describe)
    odd = [each for each in odd if not any(_below(each.name, tensor.name) for tensor in walk.tensors)]
    known = {each.name.partition(".")[0] for each in walk.left_out}
    left = [
        *training,
        *walk.left_out,
        *walk.unnamed(),
        *(each for each in odd if each.name not in known),
        *_among(value, part, skipped, describe),
        *_calls(stream.names),
    ]
    tensors = tuple(each if each.name else replace(each, name=ALONE) for each in walk.tensors)
    told = [*notes, *_told(part, wish, tensors)]
    if tensors != tuple(walk.tensors):
        told.append(f"the tensor has no name in its file; in the copy it is `{ALONE}`")
    return Weights(tensors, {**metadata, "format": "pt"}, tuple(left), tuple(told))


def _among(value: Value, part: str, skipped: set[str], describe: Tensors) -> list[LeftOut]:
    """Numbers and texts among the tensors; those beside them are kept as texts, or told one by one."""
    pairs = pairs_of(value) if not part else []
    mixed = [each for key, each in pairs if key not in skipped and arrays(each, describe)] if pairs else [value]
    lost = sum(plain_values(each, describe) for each in mixed)
    return [LeftOut("values", f"{lost:,} numbers and texts among the tensors")] if lost else []


def _without(value: Value, skipped: set[str]) -> Value:
    return Mapping([(key, each) for key, each in pairs_of(value) if key not in skipped]) if skipped else value


def _below(name: str, tensor: str) -> bool:
    return tensor == name or tensor.startswith(f"{name}.")


def _calls(names: Iterable[str]) -> list[LeftOut]:
    """What loading would look up beyond what rebuilds tensors: not one of them is."""
    found = set(names) - ALWAYS
    scripted = {each for each in found if each.startswith("__torch__.")}
    odd = sorted(each for each in found - scripted if not is_plain((each,)))
    left = [LeftOut(each[:120], "a name that loading would import; it was not") for each in odd]
    return [*left, LeftOut("code", "the program that TorchScript runs")] if scripted else left


def _told(part: str, wish: Wish, tensors: Iterable[Tensor]) -> list[str]:
    """What a person should know about the names."""
    told = []
    if part and not wish.part:
        told.append(f"the names are those within `{part}`, the only part with weights")
    names = [each.name for each in tensors]
    common = [each for each in LEFT_BY_TRAINING if not wish.strip and all(name.startswith(each) for name in names)]
    return told + [
        f"every name begins with `{each}`, which training puts there: --strip {each} takes it away" for each in common
    ]
