"""Modes in a shared store that lock the others of its group out."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination
from modelyard.doctor.owners import is_team

SECRETS = (b"token", b"stored_tokens")
TEAM_FOLDER = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRGRP | stat.S_ISGID
DEEP = 3
"""Folders below the root that are looked into: a repository, its parts, a revision."""


def team_modes(examination: Examination) -> Iterator[Complaint]:
    """Folders and files of a shared store that the group cannot use."""
    for spot in examination.spots if examination.platform != "windows" else ():
        if spot.root.shared or not is_team(examination, spot):
            continue
        wrong = list(_closed(examination, spot.row, DEEP))
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
