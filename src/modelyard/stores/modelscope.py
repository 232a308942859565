"""ModelScope: the layout of today with whole revisions, and the older ones with plain folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Kind, Platform, Reading, Root, Store
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "modelscope",
    "ModelScope",
    ("MODELSCOPE_CACHE", "MS_CACHE_HOME"),
    kinds=("model", "dataset"),
    recoveries=("re-get",),
)
KINDS: dict[bytes, Kind] = {b"models": "model", b"datasets": "dataset"}
NOT_OWNERS = (b"hub", b"models", b"datasets", b"ast_indexer", b"credentials", b"compiled_plugins", b"downloads")
UNFINISHED = (b"._____temp",)
ENTRIES = 10_000


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The variable, else `~/.cache/modelscope`."""
    default = Root(str(home / ".cache" / "modelscope"), "default")
    yield from_variables(("MODELSCOPE_CACHE", "MS_CACHE_HOME"), env, home) or default


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a revision in the new layout, one a model or data set in the old ones, half downloads apart."""
    found: list[Artifact] = []
    for base in (root.row, tree.child(root.row, b"hub")):
        if base is None:
            continue
        for part, kind in KINDS.items():
            found += _things(root, tree, tree.child(base, part), kind)
        found += _owners(root, tree, base, "model", NOT_OWNERS)
    return Reading(tuple(found))


def _things(root: Root, tree: Tree, folder: int | None, kind: Kind) -> Iterator[Artifact]:
    """`<owner>--<name>/snapshots/<revision>` today, `<owner>/<name>` before."""
    if folder is None:
        return
    new = [(name, row) for name, row in sorted(tree.children(folder).items()) if tree.child(row, b"snapshots")]
    for name, row in new:
        owner, _, rest = shown(name).partition("--")
        for revision, inner in sorted(tree.children(tree.child(row, b"snapshots") or row).items()):
            yield _artifact(root, tree, inner, f"{owner}/{rest}", kind, shown(revision))
    yield from _owners(root, tree, folder, kind, [name for name, _ in new])


def _owners(root: Root, tree: Tree, folder: int, kind: Kind, but: Iterable[bytes]) -> Iterator[Artifact]:
    for owner, row in sorted(tree.children(folder).items()):
        if owner in but or owner.startswith(b"."):
            continue
        for name, inner in sorted(tree.children(row).items()):
            if tree.is_folder(inner) and not name.startswith(b"."):
                yield _artifact(root, tree, inner, f"{shown(owner)}/{shown(name).replace('___', '.')}", kind, "")


def _half(tree: Tree, row: int) -> bool:
    """Whether a download under the folder did not end. Huge ones are looked into at the top alone."""
    waiting, deep = [row], tree.is_folder(row) and tree.totals(row).entries <= ENTRIES
    while waiting:
        names = tree.children(waiting.pop())
        if any(each.endswith(b".incomplete") or each in UNFINISHED for each in names):
            return True
        waiting += [inner for inner in names.values() if deep and tree.is_folder(inner)]
    return False


def _artifact(root: Root, tree: Tree, row: int, name: str, kind: Kind, revision: str) -> Artifact:
    half = _half(tree, row)
    return Artifact(
        f"modelscope:{kind}/{name}" + (f"@{revision}" if revision else ""),
        kind,
        "modelscope",
        name,
        root.path,
        (row,),
        revision=revision,
        group=f"modelscope:{kind}/{name}",
        state="partial" if half else "complete",
        recovery="re-get",
    )
