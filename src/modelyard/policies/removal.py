"""From artifacts to the steps that remove them: names before the bytes they point at, and nothing others need."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator, Mapping, Sequence

from modelyard.inventory import Artifact
from modelyard.plan import Below, Mark, Path, Step
from modelyard.policies.clean import ORDER, Candidate
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
    """One step a row that can go when all the chosen artifacts go, in an order that is safe to stop anywhere.

    What goes for several artifacts is told with the weakest of their proofs.
    """
    owner: dict[int, int] = {}
    places: dict[int, tuple[int, int]] = {}
    for number in sorted(chosen, key=lambda number: (-_weakness(proofs, artifacts[number].id), number)):
        for row, place in _places(tree, artifacts[number]):
            owner.setdefault(row, number)
            places[row] = max(places.get(row, place), place)
    rows = _with_holders(tree, claims.removable(chosen), {artifacts[number].holder for number in chosen})
    ordered = sorted(rows, key=lambda row: (_place(tree, row, places), tree.path(row)))
    found = []
    for row in ordered:
        number = _owner(tree, row, owner)
        also = _owners(claims, artifacts, row, chosen) - {number}
        found.append(_step(tree, row, artifacts[number], [artifacts[each].id for each in sorted(also)], proofs))
    return found


def _owners(claims: Claims, artifacts: Sequence[Artifact], row: int, chosen: Collection[int]) -> set[int]:
    """The chosen artifacts that a row is a part of: a holder is one of all whose folder it is."""
    holding = {number for number in chosen if artifacts[number].holder == row}
    return holding | (set(claims.owners_of(row)) & set(chosen))


def _weakness(proofs: Mapping[str, Candidate], name: str) -> int:
    return ORDER.index(proofs[name].proof) if name in proofs else len(ORDER)


def _places(tree: Tree, artifact: Artifact) -> Iterator[tuple[int, tuple[int, int]]]:
    """When each row of an artifact goes: its names in their order, then links, then the bytes, in theirs."""
    yield from ((row, (0, at)) for at, row in enumerate(artifact.pins))
    yield from ((row, (1 if tree.is_link(row) else 2, at)) for at, row in enumerate(artifact.blobs))
    if artifact.holder is not None:
        yield artifact.holder, (0, 0)


def _place(tree: Tree, row: int, places: Mapping[int, tuple[int, int]]) -> tuple[int, int]:
    """The turn of a row, or of the nearest folder above it that has one."""
    at: int | None = row
    while at is not None and at not in places:
        at = tree.parent(at)
    assert at is not None
    return places[at]


def _with_holders(tree: Tree, rows: Collection[int], holders: Collection[int | None]) -> set[int]:
    """The rows, but a holder in place of what is in it where that is all there is."""
    found = set(rows)
    for holder in holders:
        inside = set() if holder is None or holder in found else _all_inside(tree, holder, found)
        if holder is not None and inside:
            found = found - inside | {holder}
    return found


def _all_inside(tree: Tree, folder: int, rows: Collection[int]) -> set[int]:
    """The rows below a folder, where nothing else than folders is left in it; else none."""
    inside, waiting = set(), [folder]
    while waiting:
        at = waiting.pop()
        if not tree.is_whole(at):
            return set()
        for each in tree.children(at).values():
            if each in rows:
                inside.add(each)
            elif tree.is_folder(each):
                waiting.append(each)
            else:
                return set()
    return inside


def _owner(tree: Tree, row: int, owner: Mapping[int, int]) -> int:
    at: int | None = row
    while at is not None and at not in owner:
        at = tree.parent(at)
    assert at is not None
    return owner[at]


def _step(tree: Tree, row: int, artifact: Artifact, also: list[str], proofs: Mapping[str, Candidate]) -> Step:
    freed = tree.measure([row]).sizes.freed
    path = Path.of(tree.path(row))
    proof = proofs.get(artifact.id)
    words = f"{proof.proof}: {proof.evidence}" if proof else artifact.proof
    return Step("remove", path, mark(tree, row), artifact.id, artifact.recovery, words, freed, also=also)


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
    return Below(totals.entries, totals.apparent, totals.newest or 0, totals.print)


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
