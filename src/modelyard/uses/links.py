"""Links from elsewhere into what would be removed: soft-linked environments, and links that people made themselves."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Collection, Iterator

from modelyard.problem import Problem
from modelyard.walk.tree import Tree


def links_into(tree: Tree, rows: Collection[int]) -> Iterator[tuple[int, int]]:
    """For each link outside the rows that leads to or below one of them: that row, and the row of the link."""
    wanted = {tree.path(row): row for row in rows}
    if not wanted:
        return
    for link, mode in enumerate(array("Q", tree.columns.column("mode"))):
        if not stat.S_ISLNK(mode):
            continue
        target = tree.link_target(link)
        row = None if isinstance(target, Problem) else _at_or_above(target, wanted)
        if row is not None and _at_or_above(tree.path(link), wanted) is None:
            yield row, link


def _at_or_above(path: bytes, wanted: dict[bytes, int]) -> int | None:
    """The wanted row whose path this is, or lies below."""
    while len(path) > 1:
        if path in wanted:
            return wanted[path]
        path = os.path.dirname(path)
    return None
