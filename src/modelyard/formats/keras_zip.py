"""Keras since version 3, `.keras`: a zip archive of a configuration and the weights as HDF5.

Layout: `keras/src/saving/saving_lib.py`.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Tensor
from modelyard.formats.json_text import decode
from modelyard.formats.sniffing import Head
from modelyard.formats.zips import Directory, directory, opened, start_of
from modelyard.problem import Problem

TITLE = "Keras"
WEIGHTS = "model.weights.h5"


def sniff(head: Head) -> bool:
    """The configuration, and the weights or who made them."""
    names = set(head.names)
    return "config.json" in names and bool(names & {WEIGHTS, "metadata.json"})


@told
def read(file: File) -> Header:
    """The weights with their offsets in the archive where they are stored as they are."""
    found = directory(file)
    config, facts = _json(file, found, "config.json"), _json(file, found, "metadata.json")
    tensors, notes, complete = _weights(file, found)
    version = facts.get("keras_version")
    inner = config.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    words = [each for each in (config.get("class_name"), name) if isinstance(each, str)]
    return Header(
        TITLE,
        tensors=tensors,
        complete=complete,
        architecture=" ".join(words)[:200],
        framework=f"Keras {version}" if isinstance(version, str) else "Keras",
        metadata=tuple((key, value) for key, value in facts.items() if isinstance(value, str))[:16],
        loads=("keras.models.load_model(path)",),
        notes=notes,
    )


def _json(file: File, found: Directory, name: str) -> dict[str, Any]:
    member = found.find(name)
    return decode(opened(file, member).whole(8 << 20), dict[str, Any]) if member else {}


def _weights(file: File, found: Directory) -> tuple[tuple[Tensor, ...], tuple[str, ...], bool]:
    member = found.find(WEIGHTS)
    if member is None:
        return (), ("has no weights of its own",), True
    inside = opened(file, member).header()
    if isinstance(inside, Problem):
        if inside.code == "truncated" and member.method:
            return (), ("its weights are packed and too long to be unpacked here",), True
        raise BrokenError(f"has weights that cannot be read: {inside.message}", inside.code)
    start = start_of(file, member)
    tensors = tuple(
        replace(each, member=WEIGHTS, offset=None if start is None or each.offset is None else start + each.offset)
        for each in inside.tensors
    )
    return tensors, inside.notes, inside.complete or start is None
