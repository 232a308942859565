"""Proofs that were found before, kept for a while in modelyard's own folder, each for exactly what it was found of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

import msgspec

from modelyard.apply import notes
from modelyard.apply.disk import Disk
from modelyard.inventory import Artifact, Source
from modelyard.problem import Problem
from modelyard.units import SECOND

FILE = b"proofs.json"
MOST = 20_000
MINUTE = 60 * SECOND


class Proof(msgspec.Struct, frozen=True):
    """What a source said, in words, and when: nanoseconds since 1970."""

    at: int
    words: str


class Notes(msgspec.Struct):
    """The file."""

    proofs: dict[str, Proof] = {}
    schema_version: int = 1


class Remembered:
    """The proofs that are not older than `age` nanoseconds at `now`. A file that cannot be read holds none."""

    def __init__(self, folder: bytes, now: int, age: int) -> None:
        self._file, self._now, self._age = os.path.join(folder, FILE), now, age
        self._proofs = {key: each for key, each in _read(self._file).items() if self._is_fresh(each)}
        self._changed = False

    def _is_fresh(self, proof: Proof) -> bool:
        return -MINUTE < self._now - proof.at <= self._age

    def get(self, key: str) -> Proof | None:
        """The proof of exactly this."""
        return self._proofs.get(key)

    def put(self, key: str, words: str) -> None:
        """Notes a proof that was found now."""
        self._proofs[key] = Proof(self._now, words)
        self._changed = True

    def save(self, disk: Disk) -> None:
        """Writes the file where there is something new, in a folder that is there. OSError when it cannot."""
        if self._changed:
            latest = sorted(self._proofs.items(), key=lambda item: -item[1].at)[:MOST]
            notes.save(disk, self._file, msgspec.json.encode(Notes(dict(latest))))


def _read(file: bytes) -> Mapping[str, Proof]:
    text = notes.read(file)
    if isinstance(text, Problem) or not text:
        return {}
    try:
        found = msgspec.json.decode(text, type=Notes)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return found.proofs if found.schema_version == 1 else {}


def key(artifact: Artifact, source: Source, where: str) -> str:
    """What a proof is for: the artifact, the source and its address, and every file with its size and digest."""
    files = sorted((each.path, each.size, each.digest) for each in source.files)
    told = (artifact.id, where, source.service, source.name, source.revision, files)
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()
