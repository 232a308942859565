"""Model files that lie anywhere and belong to no store, told by their content."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modelyard.formats.signatures import HEAD, model_format
from modelyard.inventory import Artifact, Reading, Store
from modelyard.problem import Problem
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

LEAST = 50_000_000
"""Bytes on disk: smaller files are not looked into."""
STORE = Store(
    "loose",
    "Model files on their own",
    kinds=("model",),
    recoveries=("none",),
    nowhere="no model file of 50 MB or more",
)


def read(tree: Tree, claimed: Callable[[int], bool]) -> Reading:
    """One artifact a file that nobody claims under any of its names; `claimed` tells that of a row."""
    artifacts, problems = [], []
    for row in _large(tree):
        if any(claimed(name) for name in tree.columns.names(row)):
            continue
        head = tree.read(row, HEAD, head=True)
        if isinstance(head, Problem):
            problems.append(head)
        elif found := model_format(head):
            artifacts.append(_artifact(tree, row, found))
    return Reading(tuple(artifacts), tuple(problems))


def _large(tree: Tree) -> Iterator[int]:
    """Every file of at least that size, each inode once, largest first."""
    count, rows = 256, tree.largest(256)
    while len(rows) == count and _takes(tree, rows[-1]) >= LEAST:
        count *= 4
        rows = tree.largest(count)
    return (row for row in rows if _takes(tree, row) >= LEAST)


def _takes(tree: Tree, row: int) -> int:
    seen = tree.entry(row)
    return seen.allocated if seen else 0


def _artifact(tree: Tree, row: int, found: str) -> Artifact:
    """With all its names: removing one hard link of several frees nothing."""
    folder = tree.parent(row)
    place = shown(tree.path(row if folder is None else folder))
    names = tuple(tree.columns.names(row))
    title = shown(tree.name(row))
    return Artifact(f"loose:{tree.label(row)}", "model", "loose", title, place, names, detail=found)
