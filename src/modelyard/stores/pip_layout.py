"""The layout of pip's cache, which Pipenv keeps too: downloads by a hash of their address, and wheels built here."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from modelyard.inventory import Artifact, Root, Store
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree


def artifacts(store: Store, root: Root, tree: Tree) -> Iterator[Artifact]:
    """The downloads, those no pip reads any more, halves of downloads, and each wheel built here."""
    assert root.row is not None
    parts = {name: row for name, row in tree.children(root.row).items() if tree.is_folder(row)}
    if downloads := parts.get(b"http-v2"):
        yield _whole(store, root, "http", "downloads", (downloads,), "packages as they were downloaded")
        halves = tuple(_halves(tree, downloads))
        if halves:
            orphan = _whole(store, root, "http#orphan", "halves of downloads", halves, f"{len(halves)} files")
            yield replace(orphan, state="orphan")
    if old := parts.get(b"http"):
        words = "pip 23.3 and later never reads these"
        yield _whole(store, root, "http-old", "downloads of old versions", (old,), words)
    if wheels := parts.get(b"wheels"):
        yield from _wheels(store, tree, root, wheels)
    if notes := parts.get(b"selfcheck"):
        yield _whole(store, root, "selfcheck", "self-check notes", (notes,), "")


def _whole(store: Store, root: Root, name: str, title: str, rows: tuple[int, ...], detail: str) -> Artifact:
    return Artifact(
        f"{store.name}:{name}", "package cache", store.name, title, root.path, rows, recovery="re-get", detail=detail
    )


def _files(tree: Tree, row: int) -> Iterator[tuple[bytes, int, int]]:
    waiting = [row]
    while waiting:
        folder = waiting.pop()
        for name, child in sorted(tree.children(folder).items()):
            if tree.is_folder(child):
                waiting.append(child)
            else:
                yield name, child, folder


def _halves(tree: Tree, row: int) -> Iterator[int]:
    """An entry is a file and its `.body`; either alone is never used."""
    for name, child, folder in _files(tree, row):
        other = name[:-5] if name.endswith(b".body") else name + b".body"
        if tree.child(folder, other) is None:
            yield child


def _wheels(store: Store, tree: Tree, root: Root, row: int) -> Iterator[Artifact]:
    for name, child, folder in _files(tree, row):
        if not name.endswith(b".whl"):
            continue
        project, version, *_ = [*shown(name).split("-"), ""]
        origin = tree.child(folder, b"origin.json")
        yield Artifact(
            f"{store.name}:wheel/{shown(name)[:-4]}",
            "package cache",
            store.name,
            f"{project} {version}, built here",
            root.path,
            (child,),
            () if origin is None else (origin,),
            version,
            recovery="re-make",
            detail="building it again can take long",
        )
