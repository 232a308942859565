"""The digests that modelyard remembers between two commands, in its own folder of state."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from modelyard.apply import notes
from modelyard.apply.disk import Disk
from modelyard.apply.rooms import known_rooms, rooms
from modelyard.inventory import Platform
from modelyard.problem import Problem, from_errno
from modelyard.walk.digest_cache import CAP, DigestCache
from modelyard.walk.hash import CHANGED, Method, Seen, hash_file
from modelyard.walk.read import read_file
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

FILE = b"digests"
Where = tuple[Mapping[str, str], Path, Platform]
"""The variables, the home and the platform that modelyard's own folders are found by."""


def remembered_digests(where: Where) -> DigestCache:
    """What was digested before; nothing where it cannot be read."""
    return _read(os.path.join(known_rooms(*where).state, FILE))


@contextmanager
def digest_cache(where: Where) -> Iterator[DigestCache]:
    """The digests that are remembered; what is new among them is noted at the end, also after Ctrl-C.

    What another modelyard noted meanwhile stays. A note that cannot be written, as on a full disk, is left out.
    """
    cache = remembered_digests(where)
    try:
        yield cache
    finally:
        if cache.changed:
            with suppress(OSError):
                disk = Disk()
                file = os.path.join(rooms(*where, disk).state, FILE)
                notes.save(disk, file, cache.merged(_read(file)).encoded())


def _read(file: bytes) -> DigestCache:
    table = read_file(file, CAP)
    return DigestCache(b"" if isinstance(table, Problem) else table)


def digests_of(tree: Tree, row: int, methods: Sequence[Method], cache: DigestCache) -> Mapping[Method, bytes] | Problem:
    """The digests of a file by kind, read only where one is not known; a Problem when it is not as the walk saw it."""
    entry, path = tree.entry(row), tree.path(row)
    if entry is None:
        return Problem(shown(path), "changed", "a mount point, which was not looked at")
    try:
        now = Seen.of(os.lstat(path))
    except OSError as error:
        return from_errno(shown(path), error.errno or 0)
    known = {method: digest for method in methods if (digest := cache.get(now, method))}
    if len(known) < len(methods):
        found = hash_file(path, methods)
        if isinstance(found, Problem):
            return found
        cache.put(found)
        now, known = found.seen, dict(found.digests)
    if now[:4] != (entry.device, entry.inode, entry.size, entry.mtime):  # its rights and names may have changed
        return Problem(shown(path), "changed", CHANGED)
    return known
