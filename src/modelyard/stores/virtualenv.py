"""virtualenv's own folder: the wheels that it puts into new environments, and what it knows of Pythons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import children
from modelyard.stores.places import expand, from_variables, user_cache
from modelyard.walk.tree import Tree

STORE = Store(
    "virtualenv",
    "virtualenv",
    ("VIRTUALENV_OVERRIDE_APP_DATA", "XDG_CACHE_HOME", "XDG_DATA_HOME"),
    ("py_info",),
    kinds=("package cache",),
    recoveries=("re-get",),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The variable, else the cache folder, and the data folder of versions before 20.32 that moved from there."""
    named = from_variables(("VIRTUALENV_OVERRIDE_APP_DATA",), env, home)
    if named:
        yield named
        return
    cache, found_by = user_cache(env, home, platform)
    if platform == "windows":
        yield Root(f"{cache}/pypa/virtualenv/Cache", found_by)
        yield Root(f"{cache}/pypa/virtualenv", "default of old versions")
        return
    yield Root(str(cache / "virtualenv"), found_by)
    data = expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)
    old = f"{home}/Library/Application Support" if platform == "macos" else data
    yield Root(f"{old}/virtualenv", "default of old versions")


def recognise(tree: Tree, row: int) -> int | None:
    """What it knows of Pythons beside the wheels."""
    root = tree.parent(row)
    return root if tree.child(root, b"wheel") is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a part of it."""
    return Reading(tuple(children(STORE, root, tree, "package cache", "re-get", but=(b"Cache", b".lock"))))
