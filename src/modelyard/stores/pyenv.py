"""pyenv: Pythons that were compiled here with what pip put into them, and the sources that it downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import child
from modelyard.stores.places import from_variables
from modelyard.stores.pythons import installations
from modelyard.walk.tree import Tree

STORE = Store(
    "pyenv",
    "pyenv",
    ("PYENV_ROOT",),
    ("pyenv.d",),
    kinds=("environment", "package cache"),
    recoveries=("re-make", "re-get"),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`PYENV_ROOT`, else `~/.pyenv`; pyenv for Windows has a folder of its own in it."""
    default = home / ".pyenv"
    if platform == "windows":
        default = default / "pyenv-win"
    yield from_variables(("PYENV_ROOT",), env, home) or Root(str(default), "default")


def recognise(tree: Tree, row: int) -> int | None:
    """pyenv's own folder of hooks beside the versions."""
    root = tree.parent(row)
    return root if tree.child(root, b"versions") is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """Each version without the environments inside it, which are their own artifacts, and the downloads."""
    return Reading(tuple(_parts(root, tree)))


def _parts(root: Root, tree: Tree) -> Iterator[Artifact]:
    versions = tree.child(root.row, b"versions")
    if versions is not None:
        yield from installations(STORE, root, tree, versions, "re-make", "version/")
    for name in (b"cache", b"install_cache"):
        cache = tree.child(root.row, name)
        if cache is not None and tree.children(cache):
            draft = child(STORE, root, tree, cache, "package cache", "re-get")
            yield replace(draft, title="downloads", detail="Python's own sources")
