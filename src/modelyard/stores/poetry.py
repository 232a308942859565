"""Poetry's cache: downloads, what it knows of repositories, and Pythons it installed; its environments are apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Place, Platform, Reading, Root, Store
from modelyard.stores.folders import child
from modelyard.stores.poetry_settings import poetry_places
from modelyard.stores.pythons import installations
from modelyard.walk.tree import Tree

STORE = Store(
    "poetry",
    "Poetry",
    (
        "POETRY_CACHE_DIR",
        "POETRY_PYTHON_INSTALLATION_DIR",
        "POETRY_DATA_DIR",
        "POETRY_HOME",
        "config.toml cache-dir",
        "config.toml data-dir",
        "config.toml python.installation-dir",
        "XDG_CACHE_HOME",
    ),
    ("repositories",),
    kinds=("package cache", "environment"),
    recoveries=("re-get", "none"),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The cache folder and the folder of Pythons."""
    places = poetry_places(env, home, platform)
    yield from (places.problem,) if places.problem else ()
    yield places.cache
    yield places.pythons


def recognise(tree: Tree, row: int) -> int | None:
    """What is known of repositories beside downloads or environments."""
    cache = tree.parent(row)
    root = tree.parent(cache) if cache is not None and tree.name(cache) == b"cache" else None
    names = tree.children(root) if root is not None else {}
    return root if b"artifacts" in names or b"virtualenvs" in names else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact each for downloads, a repository, a checkout and a Python."""
    assert root.row is not None
    return Reading(
        (*_parts(root, tree), *installations(STORE, root, tree, root.row, "re-get", "python/")),
    )


def _parts(root: Root, tree: Tree) -> Iterator[Artifact]:
    if downloads := tree.child(root.row, b"artifacts"):
        draft = child(STORE, root, tree, downloads, "package cache", "re-get")
        yield replace(draft, title="downloads", detail="`poetry cache clear` leaves these")
    known = tree.child(root.row, b"cache", b"repositories")
    for _, row in sorted(tree.children(known).items()) if known is not None else ():
        yield child(STORE, root, tree, row, "package cache", "re-get", "repositories/")
    sources = tree.child(root.row, b"src")
    for _, row in sorted(tree.children(sources).items()) if sources is not None else ():
        draft = child(STORE, root, tree, row, "package cache", "none", "src/")
        yield replace(draft, detail="a checkout, where somebody may have changed something")
