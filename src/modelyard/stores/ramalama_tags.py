"""RamaLama's folders of models: which there are, and what each tag of one stands for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

REFS, CAP = b"refs", 1 << 20


class File(msgspec.Struct):
    """A file of a model, by the name of its blob."""

    hash: str
    name: str


class Reference(msgspec.Struct):
    """What a tag stands for."""

    hash: str
    files: list[File]


class Tag(Struct, frozen=True):
    """A tag with the row of its file, and what that says where it could be understood."""

    name: str
    row: int
    reference: Reference | None


def models(tree: Tree, row: int | None, way: tuple[bytes, ...]) -> Iterator[tuple[str, int]]:
    """Folders with tags, at any depth: a file's address is a path of its own."""
    for name, inner in sorted(tree.children(row).items() if row is not None else ()):
        if REFS in tree.children(inner) and way:
            yield f"{shown(way[0])}://{'/'.join(shown(part) for part in (*way[1:], name))}", inner
        elif tree.is_folder(inner):
            yield from models(tree, inner, (*way, name))


def tags(tree: Tree, row: int) -> Iterator[Tag]:
    """The tags of a model's folder."""
    for name, file in sorted(tree.children(tree.children(row)[REFS]).items()):
        text = tree.read(file, CAP)
        reference = None if isinstance(text, Problem) else parsed(text, Reference)
        known = None if isinstance(reference, ValueError) else reference
        yield Tag(shown(name).removesuffix(".json"), file, known)


def blob_name(digest: str) -> bytes:
    """The file name of a blob or snapshot."""
    return shown(digest).replace(":", "-").encode("utf-8", "replace")
