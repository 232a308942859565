"""Copies: artifacts of which every file lies byte for byte in another one that stays."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Collection, Iterator, Sequence

from modelyard.api import Survey
from modelyard.api.digests import digests_of
from modelyard.inventory import Artifact
from modelyard.policies.clean import Evidence
from modelyard.problem import Problem
from modelyard.units import size
from modelyard.walk.digest_cache import DigestCache
from modelyard.walk.tree import Tree

KINDS = ("model", "dataset", "checkpoint", "run")
DIGEST = re.compile(rb"sha256[-:]([0-9a-f]{64})")  # 64 digits alone may be a Xet hash
HEAD = 1 << 16
"""Bytes that are compared before two files are read whole."""
Inode = tuple[int, int]
Files = dict[Inode, tuple[int, int]]
"""By device and inode the row of a file and its bytes."""


def duplicates(
    survey: Survey,
    numbers: Sequence[int],
    going: Collection[int],
    cache: DigestCache,
    progress: Callable[[int, int, str], object] | None = None,
) -> dict[str, Evidence]:
    """Evidence by id for those of the numbers whose every file has an equal one in a single artifact that stays.

    Nothing of `going` is such an artifact, and nothing that has become one goes: two copies never justify each other.
    Hard links of one file are no copies. Every byte of both is read, now or when its digest was noted.
    """
    search = _Search(survey, set(going), cache)
    found = {}
    for done, number in enumerate(numbers):
        artifact = survey.artifacts[number]
        if progress:
            progress(done, len(numbers), artifact.id)
        if evidence := search.evidence(number):
            found[artifact.id] = evidence
    return found


class _Search:
    """Remembers what was listed and read, what goes and what has to stay."""

    def __init__(self, survey: Survey, going: set[int], cache: DigestCache) -> None:
        self._survey, self._tree, self._going, self._cache = survey, survey.tree, going, cache
        self._staying: set[int] = set()
        self._read: dict[int, bytes] = {}
        self._listed: dict[int, Files | None] = {}

    def evidence(self, number: int) -> Evidence | None:
        """Why this one is a copy, or None."""
        files = self._files(number)
        if not files or number in self._staying:
            return None
        for other in self._others(number):
            rows = self._equal(files, self._files(other) or {})
            if rows:
                self._going.add(number)
                self._staying.add(other)
                return self._words(files, other, rows)
        return None

    def _words(self, files: Files, other: int, rows: tuple[int, ...]) -> Evidence:
        count = f"{len(files):,} {'file' if len(files) == 1 else 'files'}"
        whole = size(sum(each for _, each in files.values()))
        beside = self._survey.artifacts[other]
        where = f"{self._tree.label(rows[0])} of {beside.id}"
        words = f"byte-equal in {where}: {count}, {whole}, SHA-256 of both"
        return Evidence("duplicate", words, beside=beside.id, copies=rows)

    def _others(self, number: int) -> list[int]:
        """Artifacts that may hold the copies, the one used last first; those that must stay already before others."""
        artifacts = self._survey.artifacts
        found = [
            at
            for at, each in enumerate(artifacts)
            if at != number and at not in self._going and self._files(at) and _is_whole(each)
        ]
        return sorted(found, key=lambda at: (at not in self._staying, -_used(artifacts[at]), artifacts[at].id))

    def _files(self, number: int) -> Files | None:
        """The files of an artifact that holds nothing but files and folders; None for all others."""
        if number not in self._listed:
            artifact = self._survey.artifacts[number]
            fits = _is_whole(artifact) and artifact.kind in KINDS and not artifact.parts
            self._listed[number] = _listed(self._tree, artifact.blobs) if fits else None
        return self._listed[number]

    def _equal(self, files: Files, others: Files) -> tuple[int, ...]:
        """For each file the row of an equal one that is another file on the disk; empty when one has none."""
        by_size: dict[int, list[int]] = {}
        for inode, (row, length) in others.items():
            if inode not in files:
                by_size.setdefault(length, []).append(row)
        if any(length not in by_size for _, length in files.values()):
            return ()
        rows = []
        for row, length in sorted(files.values(), key=lambda each: each[1]):
            copy = next((each for each in by_size[length] if self._same(row, each)), None)
            if copy is None:
                return ()
            rows.append(copy)
        return tuple(dict.fromkeys(reversed(rows)))

    def _same(self, row: int, other: int) -> bool:
        """Names that are digests may tell two files apart; that they are equal is told by their bytes alone."""
        names = [DIGEST.fullmatch(self._tree.name(each)) for each in (row, other)]
        if names[0] and names[1] and names[0][1] != names[1][1]:
            return False
        heads = [self._tree.read(each, HEAD, head=True) for each in (row, other)]
        if heads[0] != heads[1] or isinstance(heads[0], Problem):
            return False
        read = self._digest(row)
        return bool(read) and read == self._digest(other)

    def _digest(self, row: int) -> bytes:
        """The SHA-256 of a file, empty where it cannot be read or changed meanwhile."""
        if row not in self._read:
            read = digests_of(self._tree, row, ["sha256"], self._cache)
            self._read[row] = b"" if isinstance(read, Problem) else read["sha256"]
        return self._read[row]


def _used(artifact: Artifact) -> int:
    return artifact.last_used.at if artifact.last_used else 0


def _is_whole(artifact: Artifact) -> bool:
    return artifact.state == "complete" and artifact.store != "trash"


def _listed(tree: Tree, rows: Sequence[int]) -> Files | None:
    found: Files = {}
    for row in rows:
        for each in _below(tree, row):
            seen = tree.entry(each) if each is not None else None
            if each is None or seen is None or not stat.S_ISREG(seen.mode):
                return None
            if seen.size:
                found.setdefault((seen.device, seen.inode), (each, seen.size))
    return found


def _below(tree: Tree, row: int) -> Iterator[int | None]:
    """Every row at and below one that is no folder; None for what was not looked into."""
    waiting = [row]
    while waiting:
        at = waiting.pop()
        if not tree.is_folder(at):
            yield at
        elif tree.is_whole(at):
            waiting += tree.children(at).values()
        else:
            yield None
