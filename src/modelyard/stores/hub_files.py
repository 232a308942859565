"""What a revision in a hub cache holds, file by file, as the Hub itself would name it."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.inventory import Artifact, Held, Source
from modelyard.stores.hub_repo import HELPERS
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

PLURALS = {"model": "models", "dataset": "datasets", "space": "spaces", "kernel": "kernels"}
OWN = frozenset({b"blobs", b"snapshots", b"refs", b"trees", b".no_exist", *HELPERS})


def source(tree: Tree, artifact: Artifact) -> Source | None:
    """Where a revision came from and its files; None for what is no whole revision of a repository."""
    kind, _, name = artifact.group.removeprefix("hf:").partition("/")
    snapshot = next((row for row in artifact.pins if _is_snapshot(tree, row, artifact.revision)), None)
    if snapshot is None or kind not in PLURALS or len(artifact.revision) != 40:
        return None
    folder = tree.parent(snapshot)
    if any(tree.child(row, b"snapshots") == folder and not _is_plain(tree, row) for row in artifact.pins):
        return None
    files = list(_files(tree, snapshot))
    whole = [each for each in files if each is not None]
    if not whole or len(whole) < len(files):
        return None
    return Source("hub", f"{PLURALS[kind]}/{name}", artifact.revision, tuple(whole))


def _is_snapshot(tree: Tree, row: int, commit: str) -> bool:
    above = tree.parent(row)
    return bool(commit) and shown(tree.name(row)) == commit and above is not None and tree.name(above) == b"snapshots"


def _is_plain(tree: Tree, repo: int) -> bool:
    """Whether a repository that goes with its only revision holds nothing but what the client puts there."""
    snapshots = tree.child(repo, b"snapshots")
    revisions = set(tree.children(snapshots)) - set(HELPERS) if snapshots is not None else set()
    return len(revisions) == 1 and set(tree.children(repo)) <= OWN


def _files(tree: Tree, snapshot: int) -> Iterator[Held | None]:
    """Each file by its path in the revision; None for one that leads to nothing of the cache."""
    waiting = [("", snapshot)]
    while waiting:
        prefix, at = waiting.pop()
        for name, row in sorted(tree.children(at).items()):
            if tree.is_folder(row):
                waiting.append((f"{prefix}{shown(name)}/", row))
            elif prefix or name not in HELPERS:
                yield _held(tree, prefix + shown(name), row)


def _held(tree: Tree, path: str, row: int) -> Held | None:
    """A link names a blob, whose own name is its digest; a plain file, as on systems without links, tells none."""
    blob = tree.follow(row) if tree.is_link(row) else None
    payload = tree.follow(blob) if blob is not None and tree.is_link(blob) else blob
    last = row if not tree.is_link(row) else payload
    seen = tree.entry(last) if last is not None else None
    if last is None or seen is None or not tree.is_file(last):
        return None
    digest = shown(tree.name(blob)) if blob is not None else ""
    return Held(path, seen.size, digest, last)
