"""The digests that modelyard remembers between two commands, in its own folder of state."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from modelyard.apply import notes
from modelyard.apply.disk import Disk
from modelyard.apply.rooms import known_rooms, rooms
from modelyard.inventory import Platform
from modelyard.problem import Problem
from modelyard.walk.digest_cache import CAP, DigestCache
from modelyard.walk.read import read_file

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
