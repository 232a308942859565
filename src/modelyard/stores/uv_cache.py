"""What lies in uv's cache: buckets by version, environments that live there, archives that nothing links to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from modelyard.inventory import Artifact, Root, Store
from modelyard.stores.environment import linked_to
from modelyard.stores.folders import child
from modelyard.stores.projects import Project
from modelyard.stores.virtual_environment import Description, describe, is_environment
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

PASSED_OVER = (b".lock", b".whl", b".msgpack", b".rev", b".http")
NAMING = ("wheels", "sdists", "environments")


def environment(
    store: Store, root: Root, tree: Tree, row: int, name: str, project: Project | None, pins: tuple[int, ...] = ()
) -> tuple[Artifact, Description]:
    """One environment as an artifact, wherever uv keeps it."""
    about = describe(tree, row, project, "uv")
    made = Artifact(
        f"{store.name}:{name}",
        "environment",
        store.name,
        name,
        root.path,
        about.rows,
        pins,
        state=about.state,
        recovery="re-solve",
        detail=about.detail,
        facts=about.facts,
    )
    return made, about


def live(
    store: Store, root: Root, tree: Tree, bucket: int, archives: Collection[int]
) -> Iterator[tuple[Artifact, Description]]:
    """Environments in a bucket: of projects, of scripts, and of `uvx` as links into the archives."""
    projects = _projects(tree, bucket)
    place = shown(tree.name(bucket))
    words = "in the cache: `uv cache prune` and `clean` remove it"
    for name, row in sorted(tree.children(bucket).items()):
        if is_environment(tree, row):
            made, about = environment(store, root, tree, row, f"{place}/{shown(name)}", projects.get(row))
            yield replace(made, detail=f"{made.detail}, {words}"), about
            continue
        for link, each in sorted(tree.children(row).items()):
            archive = tree.follow(each) if tree.is_link(each) else None
            if archive is not None and tree.parent(archive) in archives and is_environment(tree, archive):
                title = f"{place}/{shown(name)}/{shown(link)}"
                made, about = environment(store, root, tree, archive, title, None, (each,))
                yield replace(made, detail=f"{made.detail}, for `uvx`, {words}"), about


def _projects(tree: Tree, bucket: int) -> Mapping[int, Project]:
    """Projects whose `.venv` is a link into the bucket."""
    found = {}
    for mark in tree.marks().get(".venv", ()):
        folder = tree.parent(mark)
        target = tree.follow(mark) if folder is not None and tree.is_link(mark) else None
        if folder is not None and target is not None and tree.parent(target) == bucket:
            found[target] = Project(tree.path(folder), True, "its .venv is a link to this")
    return found


def unnamed(store: Store, root: Root, tree: Tree, buckets: Mapping[str, list[int]]) -> Iterator[Artifact]:
    """Archives that no link in the cache leads to, as `uv cache prune` judges; none where there are no links."""
    named = {row for bucket in NAMING for at in buckets.get(bucket, ()) for row in _linked(tree, at)}
    for bucket in buckets.get("archive", ()) if named else ():
        lost = tuple(
            row for _, row in sorted(tree.children(bucket).items()) if row not in named and tree.is_folder(row)
        )
        if lost:
            draft = replace(child(store, root, tree, bucket, "package cache", "re-get"), blobs=lost, state="orphan")
            words = f"{len(lost)} of them; nothing in the cache links to them"
            yield replace(draft, id=f"{draft.id}#orphan", title="archives nothing names", detail=words)


def _linked(tree: Tree, folder: int) -> Iterator[int]:
    """Rows that links below a folder lead to; unpacked sources are passed over, as uv does."""
    waiting = [folder]
    while waiting:
        for name, row in tree.children(waiting.pop()).items():
            if tree.is_folder(row):
                waiting += [] if name == b"src" or is_environment(tree, row) else [row]
            elif not name.endswith(PASSED_OVER) and tree.is_link(row):
                target = tree.follow(row)
                if target is not None:
                    yield target


def linking(tree: Tree, root: int) -> bool:
    """Whether environments were seen whose files are links into the cache, which nothing in the cache tells."""
    inside = tree.path(root).rstrip(b"/") + b"/"
    for mark in tree.marks().get("pyvenv.cfg", ()):
        prefix = tree.parent(mark)
        if prefix is not None and linked_to(tree, prefix).startswith(inside):
            return True
    return False
