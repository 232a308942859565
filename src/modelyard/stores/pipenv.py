"""Pipenv's cache, laid out as pip's, with what its resolver keeps; its environments are virtual environments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import child
from modelyard.stores.pip_layout import artifacts
from modelyard.stores.places import from_variables, user_cache
from modelyard.walk.tree import Tree

STORE = Store(
    "pipenv",
    "Pipenv",
    ("PIPENV_CACHE_DIR", "XDG_CACHE_HOME"),
    ("pipenv-manifests",),
    kinds=("package cache",),
    recoveries=("re-get", "re-make"),
)
MANIFESTS = b"pipenv-manifests"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`PIPENV_CACHE_DIR`, else the user's cache folder."""
    cache, found_by = user_cache(env, home, platform)
    default = cache / "pipenv" / "pipenv" / "Cache" if platform == "windows" else cache / "pipenv"
    yield from_variables(("PIPENV_CACHE_DIR",), env, home) or Root(str(default), found_by)


def recognise(tree: Tree, row: int) -> int | None:
    """What its resolver keeps beside downloads."""
    root = tree.parent(row)
    return root if tree.child(root, b"http-v2") is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """As pip's cache, and what the resolver knows of packages."""
    notes = tree.child(root.row, MANIFESTS)
    known = () if notes is None else (child(STORE, root, tree, notes, "package cache", "re-get"),)
    return Reading((*artifacts(STORE, root, tree), *(replace(each, title="what packages need") for each in known)))
