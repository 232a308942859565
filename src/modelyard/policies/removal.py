"""From artifacts to the steps that remove them: names before the bytes they point at, and nothing others need."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator, Mapping, Sequence

from modelyard.inventory import Artifact
from modelyard.plan import Below, Mark, Path, Step
from modelyard.policies.clean import Candidate
from modelyard.problem import Problem
from modelyard.walk.claims import Claims
from modelyard.walk.read import read_link
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


def steps(
    tree: Tree,
    claims: Claims,
    artifacts: Sequence[Artifact],
    chosen: Collection[int],
    proofs: Mapping[str, Candidate],
) -> list[Step]:
    """One step a row that can go when all the chosen artifacts go, in an order that is safe to stop anywhere."""
    owner: dict[int, int] = {}
    pins = set()
    for number in sorted(chosen):
        pins |= set(artifacts[number].pins)
        for row in artifacts[number].rows:
            owner.setdefault(row, number)
    rows = claims.removable(chosen)
    ordered = sorted(rows, key=lambda row: (_rank(tree, row, pins), tree.path(row)))
    return [_step(tree, row, artifacts[_owner(tree, row, owner)], proofs) for row in ordered]


def _rank(tree: Tree, row: int, pins: Collection[int]) -> int:
    """Links and names first, then folders and the bytes."""
    if row in pins:
        return 0
    return 1 if tree.is_link(row) else 2


def _owner(tree: Tree, row: int, owner: Mapping[int, int]) -> int:
    at: int | None = row
    while at is not None and at not in owner:
        at = tree.parent(at)
    assert at is not None
    return owner[at]


def _step(tree: Tree, row: int, artifact: Artifact, proofs: Mapping[str, Candidate]) -> Step:
    freed = tree.measure([row]).sizes.freed
    path = Path.of(tree.path(row))
    proof = proofs.get(artifact.id)
    words = f"{proof.proof}: {proof.evidence}" if proof else artifact.proof
    return Step("remove", path, mark(tree, row), artifact.id, artifact.recovery, words, freed)


def mark(tree: Tree, row: int) -> Mark:
    """What the walk saw of a row. ValueError for a mount point, which was not looked at."""
    seen = tree.entry(row)
    if seen is None:
        raise ValueError(f"{shown(tree.path(row))} is a mount point")
    kind = KINDS.get(stat.S_IFMT(seen.mode), "other")
    text = read_link(tree.path(row)) if kind == "link" else b""
    target = "" if isinstance(text, Problem) else shown(text)
    size = 0 if kind == "folder" else seen.size
    below = _below(tree, row) if kind == "folder" else None
    return Mark(kind, seen.device, seen.inode, size, seen.mtime, seen.ctime, seen.uid, target, below)  # type: ignore[arg-type]


def _below(tree: Tree, row: int) -> Below:
    totals = tree.totals(row)
    return Below(totals.entries, totals.apparent, totals.newest or 0)


def fetched(
    tree: Tree, claims: Claims, artifacts: Sequence[Artifact], chosen: Collection[int], again: Collection[int]
) -> int:
    """Bytes of the files that go with the chosen artifacts and come back with those of `again`, each file once."""
    blobs = {row for number in again for row in artifacts[number].blobs}
    gone = claims.removable(chosen)
    whole = set(gone)
    rows = {row for row in gone if _within(tree, row, blobs)} | {row for row in blobs if _within(tree, row, whole)}
    return tree.measure(rows).sizes.apparent


def _within(tree: Tree, row: int, rows: Collection[int]) -> bool:
    """Whether the row is one of the rows or lies below one."""
    at: int | None = row
    while at is not None and at not in rows:
        at = tree.parent(at)
    return at is not None


def left_behind(tree: Tree, claims: Claims, gone: Collection[int], number: int) -> Iterator[str]:
    """Paths of an artifact that stay though `gone` rows go, because something else needs them."""
    for row in sorted(claims.rows({number})):
        at: int | None = row
        while at is not None and at not in gone:
            at = tree.parent(at)
        if at is None:
            yield shown(tree.path(row))
