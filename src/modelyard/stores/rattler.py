"""The cache of pixi and rattler: packages that environments share, and what is known of channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Place, Platform, Reading, Root, Store
from modelyard.stores.conda_packages import is_packages
from modelyard.stores.folders import child, unfinished
from modelyard.stores.pixi_settings import cache_roots, moved
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "rattler",
    "pixi and rattler",
    (
        "PIXI_CACHE_DIR",
        "RATTLER_CACHE_DIR",
        "PIXI_CACHE_CONDA_PACKAGES_DIR",
        "PIXI_CACHE_REPODATA_DIR",
        "pixi's config.toml [cache]",
        "XDG_CACHE_HOME",
    ),
    ("repodata",),
    kinds=("package cache",),
    recoveries=("re-get",),
)
NOT_CACHE = (b"CACHEDIR.TAG", b"envs", b"uv-cache")
"""Detached environments are conda's kind of environment, and the cache of uv inside is uv's."""
LOCK = b".lock"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The caches of pixi and of rattler, and parts that were moved out of them."""
    yield from cache_roots(env, home, platform)
    for _, root in moved(env, home, platform, ("pkgs", "repodata")):
        yield root


def recognise(tree: Tree, row: int) -> int | None:
    """What is known of channels beside packages, but no installation of conda."""
    root = tree.parent(row)
    names = tree.children(root) if root is not None else {}
    return root if b"pkgs" in names and b"conda-meta" not in names and tree.is_folder(row) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a package with its lock, one for each other part."""
    assert root.row is not None
    names = tree.children(root.row)
    if b"pkgs" not in names and is_packages(tree, root.row):
        return Reading(tuple(_packages(root, tree, root.row)))
    parts = [row for name, row in sorted(names.items()) if name not in NOT_CACHE and name != b"pkgs"]
    others = [row for row in parts if tree.is_folder(row) and not _holds_environments(tree, row)]
    packages = _packages(root, tree, names[b"pkgs"]) if b"pkgs" in names else ()
    return Reading((*packages, *(child(STORE, root, tree, row, "package cache", "re-get") for row in others)))


def _holds_environments(tree: Tree, folder: int) -> bool:
    inside = tree.children(folder).values()
    return any(tree.child(row, b"conda-meta") is not None for row in inside)


def _packages(root: Root, tree: Tree, folder: int) -> Iterator[Artifact]:
    names = tree.children(folder)
    halves = []
    for name, row in sorted(names.items()):
        lock = names.get(name + LOCK)
        if tree.child(row, b"info") is not None:
            draft = child(STORE, root, tree, row, "package cache", "re-get", "pkg/")
            title, version, _ = [*shown(name).rsplit("-", 2), "", ""][:3]
            locks = () if lock is None else (lock,)
            yield replace(draft, title=f"{title} {version}", revision=version, blobs=(row, *locks))
        elif tree.is_folder(row) or not name.endswith(LOCK):
            halves += [row] if lock is None else [row, lock]
    yield from unfinished(STORE, root, halves, "package cache")
