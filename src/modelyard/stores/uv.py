"""uv's cache by bucket: what this machine's environments share with it stays when it goes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from modelyard.inventory import Artifact, Kind, Platform, Reading, Recovery, Root, Store
from modelyard.stores.folders import child
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.tree import Tree

STORE = Store(
    "uv",
    "uv",
    ("UV_CACHE_DIR", "XDG_CACHE_HOME"),
    ("archive-v*",),
    kinds=("environment", "package cache"),
    recoveries=("re-get", "re-make", "re-solve"),
)
BUCKET = re.compile(rb"([a-z-]+)-v(\d+)$")
LIVE: dict[bytes, tuple[Kind, Recovery, str]] = {
    b"environments": ("environment", "re-solve", "may hold the environments of projects"),
    b"sdists": ("package cache", "re-make", "wheels built here"),
    b"builds": ("package cache", "re-make", ""),
}


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`UV_CACHE_DIR`, the old place on macOS where it is still there, else the cache folder."""
    cache, found_by = xdg_cache(env, home)
    default = Root(str(cache / "uv"), found_by)
    if platform == "windows":
        default = Root(f"{env.get('LOCALAPPDATA') or home / 'AppData' / 'Local'}/uv/cache", "default")
    elif platform == "macos" and os.path.isdir(home / "Library" / "Caches" / "uv"):
        default = Root(str(home / "Library" / "Caches" / "uv"), "default of old versions")
    yield from_variables(("UV_CACHE_DIR",), env, home) or default


def recognise(tree: Tree, row: int) -> int | None:
    """An archive bucket beside the tag that marks caches."""
    folder = tree.parent(row)
    return folder if tree.child(folder, b"CACHEDIR.TAG") is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a bucket; of several versions of one the lower are dead to the uv that made the highest."""
    return Reading(tuple(_buckets(root, tree)))


def _buckets(root: Root, tree: Tree) -> Iterator[Artifact]:
    assert root.row is not None
    found = [(match, row) for name, row in sorted(tree.children(root.row).items()) if (match := BUCKET.match(name))]
    newest = {match[1]: max(int(other[2]) for other, _ in found if other[1] == match[1]) for match, _ in found}
    for match, row in found:
        kind, recovery, detail = LIVE.get(match[1], ("package cache", "re-get", ""))
        old = int(match[2]) < newest[match[1]] and kind != "environment"  # projects may live in those
        draft = child(STORE, root, tree, row, kind, recovery)
        yield replace(draft, detail="of an older uv" if old else detail, state="orphan" if old else "complete")
