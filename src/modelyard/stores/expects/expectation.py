"""What a file has to be, by a word that somebody left beside it or in its name. No I/O but through the tree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from modelyard.walk.tree import Tree

Method = Literal[
    "sha256", "sha512", "sha1", "md5", "git-sha1", "sha256-prefix", "md5-dos2unix", "size", "there",
    "structure", "nothing",
]  # fmt: skip
"""How a file is held against its word: a digest of its bytes (git's SHA-1 has a header, DVC 2 hashed text without
carriage returns), its length, that it is there, its own format. `nothing`: its bytes cannot be held against anything.
"""
HEX = {32: "md5", 40: "git-sha1", 64: "sha256"}
DIGEST = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})$")


class Expectation(Struct, frozen=True):
    """One file and its word: `value` is a digest in hex, `size` bytes where they are known, `by` says who tells it.

    `row` is None for a file that is not in the tree. `why` says why there is no word for its bytes. `noted`:
    nanoseconds since 1970 when the word was given; a file that was written later is another one. `name` is what the
    source of the artifact calls the file.
    """

    path: bytes
    row: int | None
    method: Method
    value: str = ""
    size: int | None = None
    by: str = ""
    why: str = ""
    noted: int | None = None
    name: str = ""


def files_below(tree: Tree, rows: Iterable[int]) -> Iterator[int]:
    """The rows of the regular files at and below rows, in the order of names."""
    waiting = list(reversed(list(rows)))
    while waiting:
        row = waiting.pop()
        if tree.is_folder(row):
            waiting += [child for _, child in sorted(tree.children(row).items(), reverse=True)]
        elif tree.is_file(row):
            yield row


def at(tree: Tree, folder: int, name: str) -> tuple[bytes, int | None]:
    """The path and the row of a name below a folder, as notes write it: with slashes, `..` out of it or back."""
    path = tree.path(folder)
    parts = name.encode("utf-8", "surrogateescape").split(b"/")
    row: int | None = folder
    for part in parts:
        if part == b"..":
            path = path.rpartition(b"/")[0]
            row = tree.parent(row) if row is not None else None
        elif part not in (b"", b"."):
            path += b"/" + part
            row = tree.child(row, part) if row is not None else None
    return path, row


def size_of(tree: Tree, row: int) -> int | None:
    """Bytes of a file as the walk saw it."""
    seen = tree.entry(row)
    return None if seen is None else seen.size
