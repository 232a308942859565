"""conda's packages folder: what environments share, as archives and unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelyard.inventory import Artifact, Root
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

ARCHIVE = re.compile(rb"(.+)\.(?:conda|tar\.bz2)$")
LEFTOVER = re.compile(rb"\.(?:conda|tar\.bz2)\.partial$|\.c~$|\.trash$|^\.trash$|\.mamba_trash$")


def is_packages(tree: Tree, folder: int) -> bool:
    """Whether unpacked packages lie in a folder."""
    return any(tree.child(row, b"info") is not None for row in tree.children(folder).values())


def packages_in(tree: Tree, root: Root, folder: int) -> Iterator[Artifact]:
    """Each package with its archive and lock, the index, and what was left unfinished."""
    names = tree.children(folder)
    groups: dict[bytes, list[int]] = {}
    leftovers = []
    for name, row in sorted(names.items()):
        if LEFTOVER.search(name):
            leftovers.append(row)
        elif found := ARCHIVE.match(name):
            groups.setdefault(found[1], []).append(row)
        elif tree.child(row, b"info") is not None:
            groups.setdefault(name, []).append(row)
            lock = names.get(name + b".lock")
            groups[name] += [] if lock is None else [lock]
    for name, rows in groups.items():
        title, version, _ = [*shown(name).rsplit("-", 2), "", ""][:3]
        yield Artifact(
            f"conda:pkg/{shown(name)}",
            "package cache",
            "conda",
            f"{title} {version}",
            root.path,
            tuple(rows),
            revision=version,
            recovery="re-get",
        )
    index = names.get(b"cache")
    if index is not None:
        yield Artifact("conda:index", "package cache", "conda", "channel index", root.path, (index,), recovery="re-get")
    if leftovers:
        yield Artifact(
            "conda:pkg/#partial",
            "package cache",
            "conda",
            "unfinished downloads and trash",
            root.path,
            tuple(leftovers),
            state="partial",
            recovery="re-get",
        )
