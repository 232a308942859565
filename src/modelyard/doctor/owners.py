"""Files of others in one's own stores, and modes in shared ones that lock the others out."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination, Spot
from modelyard.inventory import Platform

ENGINES = {"image", "container", "volume"}
SECRETS = (b"token", b"stored_tokens")
TEAM_FOLDER = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRGRP | stat.S_ISGID


def foreign(examination: Examination) -> Iterator[Complaint]:
    """Files that another user owns in a store of this home, as `sudo pip` leaves them."""
    private = {spot.row: spot for spot in examination.spots if _is_private(examination, spot)}
    if examination.platform == "windows" or not private:
        return
    found: dict[tuple[int, int], int] = {}
    for uid, root in _foreign_rows(examination, private):
        found[(root, uid)] = found.get((root, uid), 0) + 1
    for (root, uid), count in found.items():
        spot = private[root]
        name = "root" if uid == 0 else f"the user {uid}"
        command = ("find", spot.path, "!", "-user", str(examination.owner), "-exec", "chown", "-h")
        yield Complaint(
            "foreign-files",
            "fault",
            examination.label(spot.path),
            f"{name} owns {count:,} file{'s' if count > 1 else ''} in {examination.label(spot.path)}",
            f"{spot.store.title} cannot replace, complete or remove them",
            examination.words("sudo", *command, str(examination.owner)) + " {} +",
            "gives them to the owner of this home; their contents stay",
        )


def _is_private(examination: Examination, spot: Spot) -> bool:
    """A store of this home that no group shares; engines keep files of users of their own."""
    if spot.root.shared or ENGINES & set(spot.store.kinds) or _is_team(examination, spot):
        return False
    return spot.path.startswith(os.path.realpath(examination.home) + "/")


def _foreign_rows(examination: Examination, roots: dict[int, Spot]) -> Iterator[tuple[int, int]]:
    """Each row of another user below one of the roots: who, and which root."""
    columns = examination.tree.columns
    uids, modes = (array("Q", columns.column(name)) for name in ("uid", "mode"))
    above: dict[int, int | None] = {}
    for uid in sorted(set(uids) - {examination.owner}):
        at = -1
        for _ in range(uids.count(uid)):
            at = uids.index(uid, at + 1)
            if modes[at]:  # a mount point that was not touched has none
                root = _root_above(examination, at, roots, above)
                if root is not None:
                    yield uid, root


def _root_above(examination: Examination, row: int, roots: dict[int, Spot], above: dict[int, int | None]) -> int | None:
    passed = []
    at: int | None = row
    while at is not None and at not in roots and at not in above:
        passed.append(at)
        at = examination.tree.parent(at)
    found = at if at is None or at in roots else above[at]
    above.update(dict.fromkeys(passed, found))
    return found


def _is_team(examination: Examination, spot: Spot) -> bool:
    """Whether a group shares the folder: it hands its group on to what is made in it."""
    seen = examination.tree.entry(spot.row)
    return seen is not None and bool(seen.mode & stat.S_ISGID) and bool(seen.mode & stat.S_IWGRP)


def team_modes(examination: Examination) -> Iterator[Complaint]:
    """Folders and files of a shared store that the group cannot use."""
    platform: Platform = examination.platform
    for spot in examination.spots if platform != "windows" else ():
        if spot.root.shared or not _is_team(examination, spot):
            continue
        wrong = list(_closed(examination, spot.row, 3))
        if wrong:
            fix = examination.words("sudo", "chmod", "-R", "g+rwX", spot.path)
            hand_on = examination.words("sudo", "find", spot.path, "-type", "d", "-exec", "chmod", "g+s")
            yield Complaint(
                "team-modes",
                "fault",
                examination.label(spot.path),
                f"{examination.label(spot.path)} is shared with a group that cannot use {len(wrong):,} of its entries, "
                f"{examination.label(wrong[0])} among them",
                "for the others of the group downloads and updates fail with permission denied",
                f"{fix} && {hand_on} {{}} +",
                "gives the group reading and writing below this folder; takes nothing from anybody",
            )


def _closed(examination: Examination, folder: int, depth: int) -> Iterator[str]:
    """Entries that the group cannot read, or folders that it cannot write and that do not hand their group on."""
    tree = examination.tree
    for _, row in sorted(tree.children(folder).items()):
        seen = tree.entry(row)
        if seen is None or tree.is_link(row):
            continue
        if tree.is_folder(row):
            if seen.mode & TEAM_FOLDER != TEAM_FOLDER:
                yield examination.path(row)
            if depth:
                yield from _closed(examination, row, depth - 1)
        elif not seen.mode & stat.S_IRGRP and tree.name(row) not in SECRETS:
            yield examination.path(row)
