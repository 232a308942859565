"""Code that is edited in place: what of it exists nowhere else. Reads files alone and runs nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from modelyard.capsules.addresses import clean, fetchable
from modelyard.capsules.git_ignore import Ignored, ignored_by, is_made, is_secret, rules_in
from modelyard.capsules.git_index import noted
from modelyard.capsules.git_objects import Unreadable
from modelyard.capsules.git_patch import Side, blob, change
from modelyard.capsules.git_repository import LINKED, Repository, git_folder, repository
from modelyard.problem import Problem
from modelyard.walk.read import names_in, read_file
from modelyard.walk.text import shown

LARGEST = 4 << 20
"""Bytes of one file that is kept."""
MOST_BYTES = 64 << 20
MOST_FILES = 20_000
DEEPEST = 64


class Collected(Struct):
    """What a folder of code gives a capsule: a commit with a patch, or files by their path."""

    folder: bytes
    remote: str = ""
    commit: str = ""
    patch: bytes = b""
    files: dict[bytes, tuple[bytes, bool]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    secret: bool = False
    """Whether something secret was taken out of the address."""
    room: int = MOST_BYTES

    def leave(self, path: bytes, why: str) -> None:
        """Notes what is not kept."""
        self.left_out.append(f"{shown(path)}: {why}")


def collect(folder: str) -> Collected:
    """What there is of a folder that a distribution is edited in.

    A repository whose commit some remote has is its commit and a patch. Everything else is kept as files.
    """
    place = os.fsencode(os.path.abspath(folder))
    found = repository(folder)
    if not isinstance(found, Repository):
        return _files(Collected(place), found.message if isinstance(found, Problem) else "")
    remote, secret = clean(found.remote)
    try:
        tracked = found.tracked()
        if not _tracks(found.folder, place, tracked):
            return _files(Collected(place), f"the repository {shown(found.folder)} does not track it")
        made = Collected(found.folder, remote, found.commit, secret=secret)
        if not found.pushed or not fetchable(remote) or remote.startswith(("/", "file:")):
            return _files(made, "no remote is known to have its commit")
        made.patch = b"".join(_changes(made, found, tracked))
    except Unreadable as error:
        return _files(Collected(place), f"its commit could not be read: {error}")
    return made


def _tracks(root: bytes, folder: bytes, tracked: Iterable[bytes]) -> bool:
    """Whether a repository has anything of a folder: one that holds somebody's whole home mostly has not."""
    inside = os.path.relpath(os.path.realpath(folder), os.path.realpath(root))
    return inside == b"." or any(path.startswith(inside + b"/") for path in tracked)


def _changes(made: Collected, found: Repository, tracked: Mapping[bytes, tuple[str, str]]) -> Iterator[bytes]:
    """The patch from the commit to what lies in the folder, file by file."""
    known = noted(git_folder(found.folder))
    present = dict(_below(made, ignoring=True))
    for path, (mode, name) in sorted(tracked.items()):
        if mode == LINKED:
            made.leave(path, "a repository inside this one; its own changes are not kept")
            continue
        seen = _look(os.path.join(found.folder, path))
        if seen is not None and known.get(path) == (seen.st_mtime_ns, seen.st_size, name) and _mode(seen) == mode:
            continue
        new = Side() if seen is None else _side(made, path, seen)
        if new is None or (new.mode == mode and blob(new.data) == name):
            continue
        if is_secret(os.fsdecode(path)):
            made.leave(path, "its name tells of a secret")
            continue
        yield change(path, Side(mode, found.objects.read(name, "blob")), new)
    for path, seen in sorted(present.items()):
        if path not in tracked and not _kept_out(made, path):
            new = _side(made, path, seen)
            if new is None or (b"\0" in new.data and path not in known):
                made.leave(path, "untracked, and no text") if new is not None else None
            else:
                yield change(path, Side(), new)


def _files(made: Collected, why: str) -> Collected:
    """All files of a folder, as far as there is room; `why` it is not a commit."""
    made.left_out += [f"its history: {why}"] if why else []
    repository_like = os.path.lexists(os.path.join(made.folder, b".git"))
    for path, seen in sorted(_below(made, ignoring=repository_like)):
        if stat.S_ISLNK(seen.st_mode):
            made.leave(path, "a link; plain files are kept")
        elif not _kept_out(made, path):
            new = _side(made, path, seen)
            if new is not None:
                made.files[path] = new.data, new.mode == "100755"
    return made


def _kept_out(made: Collected, path: bytes) -> bool:
    if is_secret(os.fsdecode(path)):
        made.leave(path, "its name tells of a secret")
        return True
    return False


def _look(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _mode(seen: os.stat_result) -> str:
    if stat.S_ISLNK(seen.st_mode):
        return "120000"
    return "100755" if seen.st_mode & 0o100 else "100644"


def _side(made: Collected, path: bytes, seen: os.stat_result) -> Side | None:
    """A file as it lies there; None where it is left out."""
    place = os.path.join(made.folder, path)
    if stat.S_ISLNK(seen.st_mode):
        try:
            return Side("120000", os.readlink(place))
        except OSError:
            return None
    if not stat.S_ISREG(seen.st_mode):
        made.leave(path, "no plain file")
        return None
    data = read_file(place, min(LARGEST, max(made.room, 0)))
    if isinstance(data, Problem):
        made.leave(path, data.message)
        return None
    made.room -= len(data)
    return Side(_mode(seen), data)


def _below(made: Collected, *, ignoring: bool) -> Iterator[tuple[bytes, os.stat_result]]:
    """Files and links below a folder that are neither made by tools nor ignored; links are not followed."""
    folder = made.folder
    chain = [("", Ignored(os.path.join(folder, b".git", b"info", b"exclude")))] if ignoring else []
    waiting: list[tuple[bytes, list[tuple[str, Ignored]], int]] = [(b"", chain, 0)]
    count = 0
    while waiting:
        below, above, depth = waiting.pop()
        own = rules_in(os.path.join(folder, below)) if ignoring else None
        here = [*above, (os.fsdecode(below), own)] if own is not None else above
        for name in names_in(os.fsdecode(os.path.join(folder, below))):
            path = below + os.fsencode(name)
            seen = _look(os.path.join(folder, path))
            count += 1
            if count > MOST_FILES:
                made.leave(path, f"and what follows: more than {MOST_FILES} names")
                return
            if seen is None or is_made(name):
                continue
            is_folder = stat.S_ISDIR(seen.st_mode)
            if ignored_by(here, os.fsdecode(path), is_folder):
                continue
            if not is_folder:
                yield path, seen
            elif depth < DEEPEST and not os.path.lexists(os.path.join(folder, path, b"pyvenv.cfg")):
                waiting.append((path + b"/", here, depth + 1))
