"""Model files that lie anywhere and belong to no store, told by their content."""

from __future__ import annotations

from collections.abc import Callable

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
    for names in sorted(tree.large_files(LEAST), key=lambda names: tree.path(names[0])):
        if any(claimed(name) for name in names):
            continue
        head = tree.read(names[0], HEAD, head=True)
        if isinstance(head, Problem):
            problems.append(head)
        elif found := model_format(head):
            artifacts.append(_artifact(tree, names, found))
    return Reading(tuple(artifacts), tuple(problems))


def _artifact(tree: Tree, names: tuple[int, ...], found: str) -> Artifact:
    """With all its names: removing one hard link of several frees nothing."""
    folder = tree.parent(names[0])
    place = shown(tree.path(names[0] if folder is None else folder))
    title = shown(tree.name(names[0]))
    return Artifact(f"loose:{tree.label(names[0])}", "model", "loose", title, place, names, detail=found)
