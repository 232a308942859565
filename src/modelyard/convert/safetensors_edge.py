"""safetensors to tensors again: to be cut anew, put together, rounded, or written for `torch.load`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from modelyard.convert.header_edges import header_of
from modelyard.convert.weights import MOST_TENSORS, Weights, Wish
from modelyard.formats import safetensors
from modelyard.formats.file import BrokenError, File
from modelyard.formats.header import Tensor

FORMATS: tuple[str, ...] = (safetensors.TITLE,)


def read(file: File, wish: Wish) -> Weights:
    """The tensors. BrokenError where the wish would give the same file again."""
    if wish.to == "safetensors" and not (wish.dtype or wish.max_shard or wish.strip):
        raise BrokenError("is safetensors already", "unsupported")
    return contents(file)


def contents(file: File) -> Weights:
    """The tensors with the other names that a file's texts give some of them, as `safetensors.torch.save_model` does.

    BrokenError for bytes that belong to nothing: what is hidden there would be lost without a word.
    """
    header = header_of(safetensors.read, file, MOST_TENSORS)
    if header.notes:
        raise BrokenError(f"is odd: {header.notes[0]}", "damaged")
    return Weights(*untied(header.tensors, dict(header.metadata)))


def untied(tensors: tuple[Tensor, ...], texts: Mapping[str, str]) -> tuple[tuple[Tensor, ...], dict[str, str]]:
    """The tensors and one more for each text that names one of them; and the other texts."""
    here = {each.name: each for each in tensors}
    tied = {key: name for key, name in texts.items() if key != "format" and key not in here and name in here}
    shared = {name: replace(here[name], storage=f"tied {name}") for name in tied.values()}
    others = (replace(shared[name], name=key) for key, name in tied.items())
    rest = {key: text for key, text in texts.items() if key not in tied}
    return (*(shared.get(each.name, each) for each in tensors), *others), rest
