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

RECORDS = ("version", "byteorder", ".format_version", ".storage_alignment")
OWN = ("data/", "code/", ".data/", *RECORDS)
"""How the names begin of what torch writes beside the pickle of every archive and script."""


class Contents(Struct, frozen=True):
    """What lies in an archive: the pickle, what describes its tensors, the small records beside it, what is odd.

    `beside` are the members that are neither, by name, with the bytes of each; the program of a script is none.
    """

    stream: Stream
    describe: Tensors
    records: dict[str, str]
    notes: tuple[str, ...]
    beside: dict[str, int]


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

    beside = {
        each.name.removeprefix(root): each.size
        for each in found.members
        if each is not pickle and each.size and not each.name.removeprefix(root).startswith(OWN)
    }
    return Contents(stream, Tensors(place), _records(file, found, root), _notes(found, places.values()), beside)


def _records(file: File, found: Directory, root: str) -> dict[str, str]:
    """The small records beside the pickle."""
    text = {}
    for name in RECORDS:
        member = found.find(root + name)
        if member and member.size < 64:
            text[name.lstrip(".")] = opened(file, member).head(64).decode("utf-8", "replace").strip()
    return text


def _notes(found: Directory, storages: Iterable[Member]) -> tuple[str, ...]:
    notes = []
    if found.before:
        notes.append(f"{found.before:,} bytes lie before the archive that is told here")
    if any(each.method != STORED for each in storages):
        notes.append("storages are packed, which torch does not do")
    if len({each.name for each in found.members}) < len(found.members):
        notes.append("two members have the same name")
    return tuple(notes)
