"""torch's zip archives: one pickle, and a member a storage, stored and aligned.

Layout: torch's `serialization.py` and `caffe2/serialize/inline_container.h`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from modelyard.formats.file import BrokenError, File
from modelyard.formats.header import Header
from modelyard.formats.pickles import Stream, follow
from modelyard.formats.torch_values import Place, Tensors, loading, title_of
from modelyard.formats.value_walk import arrays, plain
from modelyard.formats.zips import STORED, Directory, Member, directory, opened, start_of


class Contents(Struct, frozen=True):
    """What lies in an archive: the pickle, what describes its tensors, the small records beside it, what is odd."""

    stream: Stream
    describe: Tensors
    records: dict[str, str]
    notes: tuple[str, ...]


def read_archive(file: File, title: str, load: tuple[str, ...] = ()) -> Header:
    """The tensors of `data.pkl`, each with its offset in the file. BrokenError for what is no such archive."""
    found = contents(file)
    stream, text = found.stream, found.records
    tensors = arrays(stream.value, found.describe)
    return Header(
        title,
        text.get("version", ""),
        tuple(tensors),
        complete=not found.describe.short,
        architecture=title_of(stream.value),
        framework="PyTorch",
        metadata=(*text.items(), *plain(stream.value)),
        loads=load or loading(stream.names),
        notes=found.notes,
    )


def contents(file: File) -> Contents:
    """The pickle followed, and where its storages lie. BrokenError for what is no such archive."""
    found = directory(file)
    pickle = found.ending("data.pkl")
    if pickle is None:
        raise BrokenError("has no data.pkl")
    root = pickle.name.removesuffix("data.pkl")
    places = {
        each.name.removeprefix(f"{root}data/"): each for each in found.members if each.name.startswith(f"{root}data/")
    }
    stream = follow(opened(file, pickle))

    @cache
    def place(key: str) -> Place | None:
        member = places.get(key)
        return Place(start_of(file, member), member.name, member.size) if member else None

    return Contents(stream, Tensors(place), _records(file, found, root), _notes(found, places.values()))


def _records(file: File, found: Directory, root: str) -> dict[str, str]:
    """The small records beside the pickle."""
    text = {}
    for name in ("version", "byteorder", ".format_version", ".storage_alignment"):
        member = found.find(root + name)
        if member and member.size < 64:
            text[name.lstrip(".")] = opened(file, member).head(64).decode("utf-8", "replace").strip()
    return text


def _notes(found: Directory, storages: Iterable[Member]) -> tuple[str, ...]:
    notes = []
    if found.before:
        notes.append(f"{found.before:,} bytes lie before the archive")
    if any(each.method != STORED for each in storages):
        notes.append("storages are packed, which torch does not do")
    if len({each.name for each in found.members}) < len(found.members):
        notes.append("two members have the same name")
    return tuple(notes)
