"""The phase that compares small files: many of them are read at a time and held against one another byte by byte."""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections.abc import Iterator

from modelyard.api.equality import SMALL, Group, Search
from modelyard.walk.hash import CHANGED
from modelyard.walk.read import opened

AT_ONCE = 64 << 20
MOST_FILES = 8192
"""Bytes and files between two words about how far it is; Ctrl-C is heard there."""


def by_bytes(search: Search, groups: list[Group]) -> list[Group]:
    """Finds the equal ones of the files below a megabyte; the groups of larger ones are left."""
    first = _first_small(search, groups)
    small, done = groups[first:], 0
    whole = sum(map(len, small))
    for some in _portions(search, small):
        equal, read, unread = search.tree.same_content(some)
        search.read += read
        for rows in equal:
            search.found(rows, "read")
        for row in unread:
            search.trouble(row, _why(search, row))
        done += sum(map(len, some))
        search.say(f"{done:,} of {whole:,} small files")
    return groups[:first]


def price_of_bytes(search: Search, groups: list[Group]) -> int:
    """Bytes of the small files, which are all read."""
    return sum(len(group) * search.size(group) for group in groups[_first_small(search, groups) :])


def _first_small(search: Search, groups: list[Group]) -> int:
    """Groups come by size, the largest first."""
    return bisect_right(groups, -SMALL, key=lambda group: -search.size(group))


def _portions(search: Search, groups: list[Group]) -> Iterator[list[Group]]:
    some: list[Group] = []
    files = length = 0
    for group in groups:
        some.append(group)
        files += len(group)
        length += len(group) * search.size(group)
        if files >= MOST_FILES or length >= AT_ONCE:
            yield some
            some, files, length = [], 0, 0
    if some:
        yield some


def _why(search: Search, row: int) -> OSError:
    """What keeps a file from being read; where nothing does, it is not the file that the walk saw."""
    try:
        with opened(search.tree.path(row)):
            return OSError(errno.ESTALE, CHANGED)
    except OSError as error:
        return error
