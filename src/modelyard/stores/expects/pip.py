"""pip's cache: a download and the answer that it came with, wheels that were built here.

An entry is `cc=4,` and a msgpack map beside `NAME.body` (CacheControl's `serialize.py` and `SeparateBodyFileCache`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import msgspec

from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.stores.expects.expectation import Expectation, files_below
from modelyard.walk.tree import Tree

CAP = 16 << 20
BEGIN, OLD = b"cc=4,", b"cc="
BODY = b".body"
MD5 = re.compile(r"\bmd5=([A-Za-z0-9+/]{22}==)")


class Response(msgspec.Struct):
    """An answer without its body."""

    headers: dict[str, str] = {}


class Entry(msgspec.Struct):
    """One entry of the cache."""

    response: Response = msgspec.field(default_factory=Response)


def expects(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Bodies by the length and the digest that their server told; wheels and sources by their own checksums."""
    for row in files_below(tree, artifact.blobs):
        name = tree.name(row)
        if name.endswith(b".whl"):
            yield Expectation(tree.path(row), row, "structure")
        elif name.endswith(BODY):
            note = tree.child(tree.parent(row), name[: -len(BODY)])
            if note is not None:
                yield _body(tree, row, note)
        elif _is_entry(tree, row) and tree.child(tree.parent(row), name + BODY) is None:
            yield Expectation(tree.path(row) + BODY, None, "there", by="its entry")


def _is_entry(tree: Tree, row: int) -> bool:
    head = tree.read(row, len(OLD), head=True)
    return not isinstance(head, Problem) and head == OLD and b"http-v2" in tree.path(row).split(b"/")


def _body(tree: Tree, row: int, note: int) -> Expectation:
    text = tree.read(note, CAP)
    if isinstance(text, Problem) or not text.startswith(BEGIN):
        return Expectation(tree.path(row), row, "structure", why="its entry cannot be understood")
    try:
        entry = msgspec.msgpack.decode(text[len(BEGIN) :], type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Expectation(tree.path(note), note, "structure", why="its entry cannot be understood")
    headers = {name.lower(): value for name, value in entry.response.headers.items()}
    length = headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdecimal() and "content-encoding" not in headers else None
    if found := MD5.search(headers.get("x-goog-hash", "")):
        digest = base64.b64decode(found[1]).hex()
        return Expectation(tree.path(row), row, "md5", digest, size, "x-goog-hash of its answer")
    return Expectation(tree.path(row), row, "structure", size=size, by="Content-Length of its answer")
