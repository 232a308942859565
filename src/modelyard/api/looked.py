"""What was found out about artifacts by reading their files, noted in modelyard's own folder for `ls` to show.

A note holds for exactly the files that it was made of (path, device, inode, size, times of writing and of change) and
for exactly this policy. Nobody's answer depends on notes being written: a full disk or a foreign home goes without.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from operator import itemgetter
from pathlib import Path

import msgspec

import modelyard
from modelyard.apply import notes
from modelyard.apply.disk import Disk
from modelyard.apply.rooms import known_rooms, state_room
from modelyard.inventory import Artifact, Platform
from modelyard.problem import Problem
from modelyard.units import SECOND
from modelyard.walk.tree import Tree

FILE = b"looked.json"
MOST = 20_000
"""Artifacts that are remembered, the latest ones."""
MOST_FILES = 20_000
"""Files of an artifact; one that has more is not remembered."""
TICK = 20_000_000
"""Nanoseconds in which a file may be written twice and show the same times."""
READERS = ("safety", "formats")
"""The folders of the program whose source decides what is found."""


class Model(msgspec.Struct, frozen=True):
    """What the largest model of an artifact says of itself; all empty where it holds none."""

    format: str = ""
    precision: str = ""
    parameters: int | None = None


class Note(msgspec.Struct, frozen=True):
    """What is known of an artifact whose files have this print: None for what nobody looked at."""

    print: str
    at: int
    model: Model | None = None
    verdict: str | None = None


NOTHING = Note("", 0)


class Notes(msgspec.Struct):
    """The file. `edition`: that of the program that wrote it."""

    edition: str
    artifacts: dict[str, Note] = {}


class Looked:
    """The notes about the artifacts of one survey, as far as they still hold."""

    def __init__(self, tree: Tree, env: Mapping[str, str], home: Path, platform: Platform) -> None:
        self._tree, self._where = tree, (env, home, platform)
        self._file = os.path.join(known_rooms(*self._where).state, FILE)
        self._known = _read(self._file)
        self._prints: dict[str, str] = {}
        self._new: dict[str, Note] = {}
        self._marked: set[str] = set()

    def of(self, artifact: Artifact) -> Note:
        """What is known of an artifact as it is now."""
        found = self._known.get(artifact.id)
        if found is None:
            return NOTHING
        if artifact.id not in self._prints:
            self._prints[artifact.id] = fingerprint(self._tree, artifact)[0]
        return found if found.print == self._prints[artifact.id] else NOTHING

    def mark(self, artifact: Artifact) -> None:
        """Has to come before its files are read: they are told from others as they are now.

        What was changed in this instant may be changed again without a trace, so the instant is waited for.
        """
        if artifact.id in self._marked:
            return
        self._marked.add(artifact.id)
        seen, newest = fingerprint(self._tree, artifact)
        left = newest + TICK - time.time_ns()
        if 0 < left <= TICK:
            time.sleep(left / SECOND)
        self._prints[artifact.id] = seen if left <= TICK else ""

    def put(self, artifact: Artifact, *, model: Model | None = None, verdict: str | None = None) -> None:
        """Notes what was found out of an artifact that was marked; what was known of the same files stays."""
        before, seen = self.of(artifact), self._prints.get(artifact.id, "")
        note = Note(seen, time.time_ns(), model or before.model, verdict or before.verdict)
        self._known[artifact.id] = note
        if seen:
            self._new[artifact.id] = note

    def save(self) -> None:
        """Writes what is new; where that cannot be done, as on a full disk, it is found out again another time."""
        if not self._new or not _is_own(self._where[1]):
            return
        with suppress(OSError):
            disk = Disk()
            state_room(*self._where, disk)
            both = sorted((_read(self._file) | self._new).items(), key=lambda item: -item[1].at)
            notes.save(disk, self._file, msgspec.json.encode(Notes(edition(), dict(both[:MOST]))))
            self._new = {}


def edition() -> str:
    """The version of the program and of what it judges by: whatever of it is changed, notes of another hold no more."""
    told = hashlib.sha256(modelyard.__version__.encode())
    top = os.path.dirname(modelyard.__file__)
    for folder, _, names in sorted(step for reader in READERS for step in os.walk(os.path.join(top, reader))):
        for name in sorted(each for each in names if not each.endswith(".pyc")):
            seen = os.stat(os.path.join(folder, name))
            told.update(f"{name} {seen.st_size} {seen.st_mtime_ns}\n".encode())
    return told.hexdigest()[:32]


def fingerprint(tree: Tree, artifact: Artifact) -> tuple[str, int]:
    """What tells these very files from others, empty where it cannot be told, and when the newest was changed.

    Of links what they lead to counts as well.
    """
    rows, newest = list(dict.fromkeys(artifact.rows)), 0
    told: list[tuple[object, ...]] = []
    while rows:
        row = rows.pop()
        seen = tree.entry(row)
        if seen is None or len(told) >= MOST_FILES or not tree.is_whole(row):
            return "", 0
        path = tree.path(row)
        if stat.S_ISDIR(seen.mode):
            rows += tree.children(row).values()
            told.append((path,))
            continue
        found = [(seen.device, seen.inode, seen.size, seen.mtime, seen.ctime)]
        if stat.S_ISLNK(seen.mode):
            with suppress(OSError):
                behind = os.stat(path)
                found.append((behind.st_dev, behind.st_ino, behind.st_size, behind.st_mtime_ns, behind.st_ctime_ns))
        newest = max(newest, *(max(each[3:]) for each in found))
        told.append((path, *found))
    return (hashlib.sha256(repr(sorted(told, key=itemgetter(0))).encode()).hexdigest()[:32] if told else ""), newest


def _is_own(home: Path) -> bool:
    """root leaves no files in other people's homes."""
    return not hasattr(os, "geteuid") or os.stat(home).st_uid == os.geteuid()


def _read(file: bytes) -> dict[str, Note]:
    text = notes.read(file)
    if isinstance(text, Problem) or not text:
        return {}
    try:
        found = msgspec.json.decode(text, type=Notes)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return found.artifacts if found.edition == edition() else {}
