"""Files in one's own stores that belong to others, or that even their owner may not read."""

from __future__ import annotations

import stat
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination, Spot

ENGINES = {"image", "container", "volume"}


def foreign(examination: Examination) -> Iterator[Complaint]:
    """Files that another user owns in a store of this home, as `sudo pip` leaves them."""
    private = {spot.row: spot for spot in examination.spots if _is_private(examination, spot)}
    if examination.platform == "windows" or not private:
        return
    uids = array("Q", examination.tree.columns.column("uid"))
    for uid in sorted(set(uids) - {examination.owner}):
        for root, count in _counted(examination, uids, {uid}, private).items():
            yield _foreign(examination, private[root], uid, count)


def _foreign(examination: Examination, spot: Spot, uid: int, count: int) -> Complaint:
    name = "root" if uid == 0 else f"the user {uid}"
    command = ("find", spot.path, "!", "-user", str(examination.owner), "-exec", "chown", "-h")
    return Complaint(
        "foreign-files",
        "fault",
        examination.label(spot.path),
        f"{name} owns {count:,} file{'s' if count > 1 else ''} in {examination.label(spot.path)}",
        f"{spot.store.title} cannot replace, complete or remove them",
        examination.words("sudo", *command, str(examination.owner)) + " {} +",
        "gives them to the owner of this home; their contents stay",
    )


def unreadable(examination: Examination) -> Iterator[Complaint]:
    """Files of one's own that even their owner may not read."""
    private = {spot.row: spot for spot in examination.spots if _is_private(examination, spot)}
    if examination.platform == "windows" or not private:
        return
    modes = array("Q", examination.tree.columns.column("mode"))
    closed = {mode for mode in set(modes) if stat.S_ISREG(mode) and not mode & stat.S_IRUSR}
    for root, count in _counted(examination, modes, closed, private).items():
        spot, label = private[root], examination.label(private[root].path)
        yield Complaint(
            "unreadable-files",
            "fault",
            label,
            f"{count:,} file{'s' if count > 1 else ''} in {label} may not be read by their owner",
            f"{spot.store.title} fails at them, or downloads them again",
            examination.words("chmod", "-R", "u+rX", spot.path),
            "lets the owner read everything below this folder; nothing else changes",
        )


def _is_private(examination: Examination, spot: Spot) -> bool:
    """A store of this home that no group shares; engines keep files of users of their own."""
    if spot.root.shared or ENGINES & set(spot.store.kinds) or is_team(examination, spot):
        return False
    return spot.path.startswith(examination.homes[-1] + "/")


def _counted(
    examination: Examination, column: Sequence[int], wanted: Collection[int], roots: Mapping[int, Spot]
) -> dict[int, int]:
    """How many rows below each root have one of these values in a column. Only such rows are looked at one by one."""
    above: dict[int, int | None] = {}
    found: dict[int, int] = {}
    for value in wanted:
        at = -1
        for _ in range(column.count(value)):
            at = column.index(value, at + 1)
            root = _root_above(examination, at, roots, above)
            if root is not None and examination.tree.entry(at) is not None:  # a mount point was not touched
                found[root] = found.get(root, 0) + 1
    return found


def _root_above(
    examination: Examination, row: int, roots: Mapping[int, Spot], above: dict[int, int | None]
) -> int | None:
    passed = []
    at: int | None = row
    while at is not None and at not in roots and at not in above:
        passed.append(at)
        at = examination.tree.parent(at)
    found = at if at is None or at in roots else above[at]
    above.update(dict.fromkeys(passed, found))
    return found


def is_team(examination: Examination, spot: Spot) -> bool:
    """Whether a group shares the folder: it may write there, and the folder hands its group on or holds files of many.

    What root left there makes nobody share it.
    """
    tree = examination.tree
    seen = tree.entry(spot.row)
    if seen is None or not seen.mode & stat.S_IWGRP:
        return False
    inside = (tree.entry(row) for row in tree.children(spot.row).values())
    users = {seen.uid, *(each.uid for each in inside if each is not None)} - {0}
    return bool(seen.mode & stat.S_ISGID) or len(users) > 1
