"""A model in several files, by the index that says which tensor lies where: safetensors and torch."""

from __future__ import annotations

from msgspec.structs import replace

from modelyard.convert import safetensors_edge, torch_edges
from modelyard.convert.header_edges import header_of
from modelyard.convert.weights import LeftOut, Weights, Wish
from modelyard.formats import safetensors, shards
from modelyard.formats.file import BrokenError, File
from modelyard.formats.header import Header, Need, Tensor

FORMATS: tuple[str, ...] = (safetensors.TITLE, *torch_edges.FORMATS)
"""Of the files in a set."""
BETWEEN = " in "
"""Stands between the format and the number of the files, as the reader of headers calls a set."""


def is_set(format_: str) -> bool:
    """Whether a header is that of a set of files that is read here."""
    title, between, rest = format_.partition(BETWEEN)
    return bool(between) and title in FORMATS and rest.endswith(" files")


def read(file: File, wish: Wish) -> Weights:
    """The tensors of all files of a set. BrokenError where one is missing or cannot be read."""
    header = header_of(shards.read, file, shards.MOST_TENSORS)
    if header.notes:
        raise BrokenError(f"has a file that cannot be read: {header.notes[0]}", "damaged")
    tensors: list[Tensor] = []
    texts: dict[str, str] = {}
    left: list[LeftOut] = []
    notes: dict[str, None] = {}
    for need in header.needs:
        found = _one(file, need, header, wish)
        texts |= found.metadata
        left += found.left_out
        notes |= dict.fromkeys(found.notes)
        tensors += [replace(each, file=need.path, storage=_own(need, each)) for each in found.tensors]
    return Weights(*safetensors_edge.untied(tuple(tensors), texts), tuple(left), tuple(notes))


def _own(need: Need, tensor: Tensor) -> str:
    return f"{need.path}:{tensor.storage}" if tensor.storage else ""


def _one(file: File, need: Need, header: Header, wish: Wish) -> Weights:
    with file.neighbour(need.path) as part:
        try:
            if header.format.startswith(safetensors.TITLE + BETWEEN):
                found = header_of(safetensors.read, part, shards.MOST_TENSORS)
                if found.notes:
                    raise BrokenError(f"is odd: {found.notes[0]}", "damaged")
                return Weights(found.tensors, dict(found.metadata))
            return torch_edges.read(part, wish)
        except BrokenError as error:
            raise BrokenError(f"has a file {need.path[:80]!r} that {error}", error.code) from error
