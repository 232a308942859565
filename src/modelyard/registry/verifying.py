"""Whether every version is what was saved: by its sums, and by the structure of its files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct

from modelyard.problem import Problem
from modelyard.registry.layout import CODE, SUMS, folder_of
from modelyard.registry.loading import metadata_of
from modelyard.registry.references import Reference
from modelyard.registry.sums import read_sums
from modelyard.walk.read import opened_below, opened_folder

State = Literal["ok", "corrupt", "missing", "extra", "unreadable", "newer"]
PIECE = 8 << 20
Progress = Callable[[int], None]


class Verified(Struct, frozen=True):
    """A file of a version, or the version as a whole (`path` empty): what state it is in, and why."""

    version: str
    path: str
    state: State
    why: str = ""
    bytes: int = 0
    """Bytes that were digested."""


def silent(_: int) -> None:
    """Nobody wants to know how many bytes were digested."""


def verify(root: str, which: Reference, progress: Progress = silent) -> list[Verified]:
    """Every file of a version against its sums, and whether its structure is whole."""
    path = folder_of(root, which.name, which.version)
    found = list(_verified(path, str(which), progress))
    metadata = metadata_of(root, which)
    if isinstance(metadata, Problem):
        newer = metadata.code == "newer-schema"
        found.append(Verified(str(which), "", "newer" if newer else "corrupt", metadata.message))
    else:
        listed = {each.path for each in metadata.files}
        summed = {each.path for each in found if each.state != "extra"} - {"", SUMS, "metadata.json"}
        found += [
            Verified(str(which), each, "corrupt", "the metadata and the sums disagree") for each in listed ^ summed
        ]
    return found


def _verified(path: str, version: str, progress: Progress) -> Iterator[Verified]:
    try:
        with opened_folder(os.fsencode(path)) as folder:
            sums = read_sums(folder, path)
            if isinstance(sums, Problem):
                state: State = "missing" if sums.code == "vanished" else "corrupt"
                yield Verified(version, SUMS, state, sums.message)
                return
            for name, digest in sums.items():
                yield _file(folder, path, version, name, digest, progress)
    except OSError as error:
        yield Verified(version, "", "unreadable", os.strerror(error.errno or 0))
        return
    for name in files_below(path):
        if name not in sums and name != SUMS:
            yield Verified(version, name, "extra", "it was put there after the version was saved")


def files_below(path: str) -> Iterator[str]:
    """The files and links in a folder, relative to it, in order."""
    for folder, folders, names in os.walk(path):
        folders.sort()
        links = [each for each in folders if os.path.islink(os.path.join(folder, each))]
        for name in sorted((*names, *links)):
            yield os.path.relpath(os.path.join(folder, name), path)


def _file(folder: int, path: str, version: str, name: str, digest: str, progress: Progress) -> Verified:
    found, at = hashlib.sha256(), 0
    try:
        with opened_below(folder, os.fsencode(name)) as descriptor:
            while piece := os.pread(descriptor, PIECE, at):
                found.update(piece)
                at += len(piece)
                progress(len(piece))
    except FileNotFoundError:
        return Verified(version, name, "missing", "it is gone")
    except OSError as error:
        return Verified(version, name, "unreadable", os.strerror(error.errno or 0))
    if found.hexdigest() != digest:
        return Verified(version, name, "corrupt", _structure(os.path.join(path, name)) or "its bytes were changed", at)
    why = "" if name.startswith(f"{CODE}/") or name.endswith(".json") else _structure(os.path.join(path, name))
    return Verified(version, name, "corrupt" if why else "ok", why, at)


def _structure(path: str) -> str:
    """What the reader of its format has to say against a file; nothing for one of no format that is known."""
    from modelyard.formats.known import read_header  # late: it knows every format, and a load needs none of them

    header = read_header(path)
    if isinstance(header, Problem):
        return "" if header.code == "unknown" else header.message
    return "" if header.complete else "it ends before its last tensor"
