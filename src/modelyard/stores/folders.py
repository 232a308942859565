"""What stores that are plain folders of things have in common; assigned by name in their modules."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Kind, Platform, Recovery, Root, Store
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree


def never(tree: Tree, row: int) -> int | None:
    """For stores that nothing but their place gives away."""
    return None


def temporary(env: Mapping[str, str], platform: Platform) -> Path:
    """The folder for temporary files, where some tools keep gigabytes."""
    if platform == "windows":
        return Path(env.get("TEMP") or env.get("TMP") or "C:/Windows/Temp")
    return Path(env.get("TMPDIR") or "/tmp")  # noqa: S108 - looked into, never written


def whole(
    store: Store, root: Root, name: str, title: str, kind: Kind, recovery: Recovery, detail: str = ""
) -> Artifact:
    """The root as one artifact."""
    assert root.row is not None
    return Artifact(
        f"{store.name}:{name}", kind, store.name, title, root.path, (root.row,), recovery=recovery, detail=detail
    )


def child(store: Store, root: Root, tree: Tree, row: int, kind: Kind, recovery: Recovery, prefix: str = "") -> Artifact:
    """One entry of a folder as an artifact by its name."""
    name = prefix + shown(tree.name(row))
    return Artifact(f"{store.name}:{name}", kind, store.name, name, root.path, (row,), recovery=recovery)


def children(
    store: Store, root: Root, tree: Tree, kind: Kind, recovery: Recovery, *, but: Collection[bytes] = ()
) -> Iterator[Artifact]:
    """Every entry of the root as an artifact, in the order of names."""
    assert root.row is not None
    for name, row in sorted(tree.children(root.row).items()):
        if name not in but:
            yield child(store, root, tree, row, kind, recovery)


def unfinished(store: Store, root: Root, rows: Collection[int], kind: Kind) -> Iterator[Artifact]:
    """Half downloads of a root as one artifact, where there are any."""
    if rows:
        draft = Artifact(f"{store.name}:#partial", kind, store.name, "unfinished downloads", root.path, tuple(rows))
        yield replace(draft, state="partial", recovery="re-get", detail=f"{len(rows)} of them")


def user_of(env: Mapping[str, str], home: Path) -> str:
    """The name that tools put into shared folders, with what no file name may hold replaced."""
    name = env.get("LOGNAME") or env.get("USER") or env.get("USERNAME") or home.name
    return "".join("_" if letter in '\\/:*?"<>|' else letter for letter in name)
