"""A hub cache: blobs are named by their digest, and `trees/<commit>.json` lists all files of a revision.

What the client writes: huggingface_hub's `_tree_cache.py` and `file_download.py`. A 64-digit etag is the SHA-256 of
the content, a 40-digit one git's SHA-1. A payload of the shared store is named by a Xet hash, which is neither: it is
held against the name of the repository's blob that leads to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.stores.expects.expectation import HEX, Expectation, files_below, size_of
from modelyard.stores.hub_repo import HELPERS, LISTING_CAP, UNFINISHED
from modelyard.stores.json import parsed
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

NAME, LISTING = "its name", "trees/{}.json"
XET = "a payload of the shared store is named by its Xet hash, and no repository's blob leads to it"
ETAG = "its name is no digest: the server gave another etag"
ABSENT = "of the revision, and not here: nobody tells whether it was ever downloaded"
PLAIN = "a plain file where links are usual: nobody tells what it should be"


class Listed(msgspec.Struct):
    """One file of a revision; `blob_id` is git's SHA-1, of the pointer where the file is kept outside git."""

    size: int | None = None
    blob_id: str = ""
    lfs_sha256: str | None = None


class Listing(msgspec.Struct):
    """All files of a revision at a commit."""

    files: dict[str, Listed] = {}


def expects(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """The files of a revision by its links and its listing; blobs of no revision by their names."""
    snapshot = next((row for row in artifact.pins if artifact.revision and _is_snapshot(tree, row, artifact)), None)
    if snapshot is None:
        yield from (_blob(tree, row) for row in files_below(tree, artifact.blobs) if not _beside(tree, row))
        return
    listed = _listing(tree, artifact)
    entries = dict(_entries(tree, snapshot))
    for path in sorted(listed.keys() - entries.keys()):
        yield Expectation(tree.path(snapshot) + b"/" + path.encode("utf-8", "replace"), None, "nothing", why=ABSENT)
    for path, row in entries.items():
        yield replace(_entry(tree, row, listed.get(path), artifact.revision), name=path)


def _is_snapshot(tree: Tree, row: int, artifact: Artifact) -> bool:
    above = tree.parent(row)
    return shown(tree.name(row)) == artifact.revision and above is not None and tree.name(above) == b"snapshots"


def _listing(tree: Tree, artifact: Artifact) -> Mapping[str, Listed]:
    row = next((each for each in artifact.pins if tree.name(each) == artifact.revision.encode() + b".json"), None)
    text = tree.read(row, LISTING_CAP) if row is not None else b"{}"
    listing = Listing() if isinstance(text, Problem) else parsed(text, Listing)
    return {} if isinstance(listing, ValueError) else listing.files


def _entries(tree: Tree, snapshot: int) -> Iterator[tuple[str, int]]:
    """The names in a revision."""
    waiting = [("", snapshot)]
    while waiting:
        prefix, folder = waiting.pop()
        for name, row in sorted(tree.children(folder).items()):
            if tree.is_folder(row):
                waiting.append((f"{prefix}{shown(name)}/", row))
            elif prefix or name not in HELPERS:
                yield prefix + shown(name), row


def _entry(tree: Tree, row: int, told: Listed | None, commit: str) -> Expectation:
    """What lies behind one name of a revision."""
    if not tree.is_link(row):
        word = _by_listing(tree, row, told, commit)
        return word or Expectation(tree.path(row), row, "structure", why=PLAIN)
    target = tree.link_target(row)
    blob = tree.follow(row)
    if isinstance(target, Problem) or blob is None:
        path = tree.path(row) if isinstance(target, Problem) else target
        if not isinstance(target, Problem) and os.path.lexists(target):
            return Expectation(path, None, "nothing", why="a link to what lies outside of the cache")
        digest = shown(os.path.basename(path))
        known = Expectation(path, None, "there", by=f"the link {tree.label(row)}")
        return replace(known, value=digest, size=told.size if told else None)
    return replace(_blob(tree, blob), size=told.size if told else None)


def _by_listing(tree: Tree, row: int, told: Listed | None, commit: str) -> Expectation | None:
    if told is None:
        return None
    method, digest = ("sha256", told.lfs_sha256) if told.lfs_sha256 else ("git-sha1", told.blob_id)
    return Expectation(tree.path(row), row, method, digest, told.size, LISTING.format(commit[:12]))  # type: ignore[arg-type]


def _blob(tree: Tree, blob: int) -> Expectation:
    """A repository's blob, or the payload that it is a link to, by the name of the first."""
    row: int | None = blob
    name = shown(tree.name(blob))
    if tree.is_link(blob):
        row = tree.follow(blob)
        target = tree.link_target(blob)
        if row is None:
            path = tree.path(blob) if isinstance(target, Problem) else target
            return Expectation(path, None, "there", name, by=f"the link {tree.label(blob)}")
    assert row is not None
    if UNFINISHED.search(tree.name(row)):
        return Expectation(tree.path(row), row, "nothing", why="an unfinished download")
    if _is_payload(tree, row) and row == blob:
        return Expectation(tree.path(row), row, "structure", why=XET)
    method = HEX.get(len(name), "") if all(letter in "0123456789abcdef" for letter in name) else ""
    if method not in ("sha256", "git-sha1"):
        return Expectation(tree.path(row), row, "structure", why=ETAG)
    return Expectation(tree.path(row), row, method, name, by=NAME)  # type: ignore[arg-type]


def _is_payload(tree: Tree, row: int) -> bool:
    """Whether a file lies in the blob store that repositories share: one folder deeper than their own."""
    folder = tree.parent(row)
    above = tree.parent(folder) if folder is not None else None
    return above is not None and tree.name(above) == b"blobs" and len(tree.name(folder or 0)) == 2


def _beside(tree: Tree, row: int) -> bool:
    """Whether it is what the client keeps beside a payload: a list of users, a lock."""
    return tree.name(row).endswith((b".refs", b".lock")) or size_of(tree, row) is None
