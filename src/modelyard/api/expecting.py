"""What is to be verified: the files of artifacts and paths, each with the word that it is held against."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from modelyard.api import Survey, find_artifact
from modelyard.inventory import Artifact
from modelyard.stores.expects import expects, sums
from modelyard.stores.expects.expectation import Expectation, files_below
from modelyard.walk.hash import Seen
from modelyard.walk.tree import Tree

RECORDED = ("environment", "package cache", "compile cache")
"""Kinds of which only what somebody recorded is looked at: there are no models among the rest."""
LISTED = ("hf",)
"""Stores of which every blob has its word: what else lies there is bookkeeping."""
UNWATCHED = ("trash",)
SILENT = ("there", "nothing")
"""Methods that read nothing."""


class Item(Struct, frozen=True):
    """One file, its word, and the ids of the artifacts that need it; none for a file of no artifact."""

    expectation: Expectation
    artifacts: tuple[str, ...]
    seen: Seen | None
    """Which file the walk saw; None where there is none."""

    @property
    def path(self) -> bytes:
        """Where it is, or should be."""
        return self.expectation.path

    @property
    def size(self) -> int:
        """Bytes that are read to verify it."""
        return self.seen.size if self.seen and self.expectation.method not in SILENT else 0

    @property
    def word(self) -> bytes:
        """16 bytes that stand for what it is held against."""
        told = self.expectation
        return blake2b(f"{told.method} {told.value} {told.size}".encode(), digest_size=16).digest()


class Wanted(Struct, frozen=True):
    """What was asked for: the items, the ids of the artifacts, and of each how many files nobody has recorded."""

    items: tuple[Item, ...]
    artifacts: tuple[str, ...]
    unrecorded: Mapping[str, int]


def wanted(survey: Survey, targets: Sequence[str] = ()) -> Wanted:
    """The items of stores, ids and existing paths; of everything where none is named. LookupError for a wrong name."""
    found = _Found(survey)
    if not targets:
        for number, artifact in enumerate(survey.artifacts):
            if artifact.store not in UNWATCHED:
                found.take(number)
    stores = {each.store.name for each in survey.holdings}
    for target in targets:
        if target in stores:
            for number, artifact in enumerate(survey.artifacts):
                if artifact.store == target:
                    found.take(number)
        elif os.path.lexists(target):
            _take_path(found, os.path.realpath(target))
        else:
            found.take(find_artifact(survey, target)[0])
    return found.wanted()


class _Found:
    """Gathers items, one for each file and word."""

    def __init__(self, survey: Survey) -> None:
        self.survey, self.tree = survey, survey.tree
        self._items: dict[tuple[bytes, str, str], Item] = {}
        self._names: dict[str, None] = {}
        self._unrecorded: dict[str, int] = {}

    def take(self, number: int, below: bytes = b"") -> None:
        """Everything of an artifact, or what of it lies at or below a path."""
        artifact = self.survey.artifacts[number]
        self._names[artifact.id] = None
        for each in of_artifact(self.tree, artifact):
            if isinstance(each, int):
                self._unrecorded[artifact.id] = self._unrecorded.get(artifact.id, 0) + each
            elif not below or _is_below(each.path, below):
                self.add(each, artifact.id)

    def add(self, told: Expectation, *artifacts: str) -> None:
        """One expectation; the first one of a file and a word stands for all."""
        key = told.path, told.method, told.value
        known = self._items.get(key)
        if known is None:
            self._items[key] = Item(told, artifacts, _seen(self.tree, told.row))
        else:
            names = dict.fromkeys((*known.artifacts, *artifacts))
            self._items[key] = replace(known, artifacts=tuple(names))

    def has(self, path: bytes) -> bool:
        """Whether something is expected of a path."""
        return any(key[0] == path for key in self._items)

    def wanted(self) -> Wanted:
        """All of it."""
        return Wanted(tuple(self._items.values()), tuple(self._names), self._unrecorded)


def _take_path(found: _Found, path: str) -> None:
    """Artifacts that lie at or below a path whole; of those around it what lies there; then files of no artifact."""
    tree, place = found.tree, os.fsencode(path)
    for number, artifact in enumerate(found.survey.artifacts):
        rows = [tree.path(row) for row in artifact.rows] if artifact.store not in UNWATCHED else []
        if any(_is_below(each, place) for each in rows) and os.path.isdir(place):
            found.take(number)
        elif any(_is_below(place, each) for each in rows):
            found.take(number, place)
    row = tree.find(place)
    if row is None:
        return
    owned = found.survey.claims.all()
    rest = [each for each in files_below(tree, [row]) if not _is_owned(tree, each, owned)]
    listed = {told.path: told for told in sums.below(tree, [row])}
    for told in listed.values():
        found.add(told)
    for each in rest:
        if tree.path(each) not in listed and tree.name(each) not in sums.NAMES:
            found.add(Expectation(tree.path(each), each, "structure"))


def _is_owned(tree: Tree, row: int, owned: Collection[int]) -> bool:
    at: int | None = row
    while at is not None and at not in owned:
        at = tree.parent(at)
    return at is not None


def _is_below(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _seen(tree: Tree, row: int | None) -> Seen | None:
    entry = tree.entry(row) if row is not None else None
    return None if entry is None else Seen(entry.device, entry.inode, entry.size, entry.mtime, entry.ctime)


def of_artifact(tree: Tree, artifact: Artifact) -> Iterator[Expectation | int]:
    """The expectations of an artifact, then how many of its files nobody has recorded.

    What is no cache and no environment is held against its own format where nobody recorded a digest.
    """
    named: set[bytes] = set()
    for told in expects(tree, artifact):
        named.add(told.path)
        yield told
    if artifact.store in LISTED:
        return
    rest = [row for row in files_below(tree, artifact.blobs) if tree.path(row) not in named]
    if artifact.kind in RECORDED or (artifact.state == "partial" and artifact.store != "checkpoint"):
        yield len(rest)
        return
    for row in rest:
        if tree.name(row) not in sums.NAMES:
            yield Expectation(tree.path(row), row, "structure")
