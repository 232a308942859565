"""Modes in a shared store that lock the others of its group out."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination
from modelyard.doctor.owners import is_team

SECRETS = (b"token", b"stored_tokens")
TEAM_FOLDER = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRGRP | stat.S_ISGID
OPENED = (
    r"-type d -exec chmod g+rwxs {} + -o -type f \( -name '*.lock' -o -path '*/refs/*' \) -exec chmod g+rw {} + "
    "-o -type f ! -name token ! -name stored_tokens -exec chmod g+r {} +"
)
DEEP = 3
"""Folders below the root that are looked into: a repository, its parts, a revision."""


def team_modes(examination: Examination) -> Iterator[Complaint]:
    """Folders and files of a shared store that the group cannot use."""
    for spot in examination.spots if examination.platform != "windows" else ():
        if spot.root.shared or not is_team(examination, spot):
            continue
        wrong = list(_closed(examination, spot.row, DEEP))
        if wrong:
            place = examination.label(spot.path)
            yield Complaint(
                "team-modes",
                "fault",
                place,
                f"{place} is shared with a group that cannot use {len(wrong):,} of its entries, "
                f"{examination.label(wrong[0])} among them",
                "for the others of the group downloads and updates fail with permission denied",
                f"sudo find {examination.quoted(spot.path)} {OPENED}",
                "lets the group read files and write folders, locks and references; tokens stay closed",
            )


def _closed(examination: Examination, folder: int, depth: int) -> Iterator[str]:
    """Folders that the group cannot write or that do not hand their group on, and files that it cannot use."""
    tree = examination.tree
    seen = tree.entry(folder)
    if seen is not None and seen.mode & TEAM_FOLDER != TEAM_FOLDER:
        yield examination.path(folder)
    for name, row in sorted(tree.children(folder).items()):
        if tree.is_folder(row):
            yield from _closed(examination, row, depth - 1) if depth else ()
        elif tree.is_file(row) and name not in SECRETS:
            written = name.endswith(b".lock") or tree.name(folder) == b"refs"
            wanted = stat.S_IRGRP | stat.S_IWGRP if written else stat.S_IRGRP
            file = tree.entry(row)
            if file is not None and file.mode & wanted != wanted:
                yield examination.path(row)
