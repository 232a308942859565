"""Caches, models and environments in folders that a program copies to a cloud."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination
from modelyard.doctor.volumes import is_below
from modelyard.units import size

CLOUDS = re.compile(
    r"(Dropbox)( \(.+\))?$|(OneDrive)( ?- ?.+)?$|(Google ?Drive|GoogleDrive-.+|My Drive)$"
    r"|(iCloud ?Drive|Mobile Documents)$|(Nextcloud|ownCloud|pCloud ?Drive|MEGA|Box|Box Sync|Box-Box)$",
    re.IGNORECASE,
)
APPLE = "Library"
MOST = 20


def in_clouds(examination: Examination) -> Iterator[Complaint]:
    """Caches, models, checkpoints and environments in folders that a program copies to a cloud."""
    rows = [spot.row for spot in examination.spots if not spot.root.shared]
    rows += [row for artifact in examination.inventory.artifacts for row in artifact.blobs]
    found: dict[tuple[str, str], list[int]] = {}
    for row in dict.fromkeys(rows):
        synced = _cloud(examination, examination.path(row))
        if synced:
            found.setdefault(synced, []).append(row)
    for (cloud, name), held in found.items():
        yield _synced(examination, cloud, name, held)


def _cloud(examination: Examination, path: str) -> tuple[str, str] | None:
    """The synchronised folder of the home that a path lies in, and its service."""
    for home in examination.homes:
        if path.startswith(home + "/"):
            parts = path[len(home) + 1 :].split("/")
            depth = 3 if parts[:2] == [APPLE, "CloudStorage"] else 2 if parts[0] == APPLE else 1
            match = CLOUDS.match(parts[depth - 1]) if len(parts) >= depth else None
            if match:
                return "/".join((home, *parts[:depth])), next(filter(None, match.groups()))
    return None


def _synced(examination: Examination, cloud: str, name: str, rows: list[int]) -> Complaint:
    tops = _tops(examination, rows)
    told = examination.label(tops[0]) + (f" and {len(tops) - 1:,} more" if len(tops) > 1 else "")
    command, caution = _ignore(examination, cloud, name, tops)
    return Complaint(
        "in-cloud-folder",
        "fault",
        examination.label(cloud),
        f"{name} copies {told} to its servers: {size(examination.allocated(rows))} of models, caches or environments",
        "uploads gigabytes, may replace files by placeholders, and breaks links and files that are being written",
        command,
        caution,
    )


def _tops(examination: Examination, rows: list[int]) -> list[str]:
    """The paths of the rows but for those inside others of them."""
    tops: list[str] = []
    for path in sorted((examination.path(row) for row in rows), key=lambda path: path.split("/")):
        if not tops or not is_below(path, tops[-1]):
            tops.append(path)
    return tops


def _ignore(examination: Examination, cloud: str, name: str, tops: list[str]) -> tuple[str, str]:
    """Keeps the folders here and out of the service where it has a mark for that; without one they must move."""
    gone = "the copies on its servers and on other machines go; what lies here stays"
    few, dropbox = tops[:MOST], name.lower() == "dropbox"
    if len(tops) > MOST:
        gone += f"; these are the first {MOST} of {len(tops):,}"
    if examination.platform == "macos" and (dropbox or f"/{APPLE}/" in cloud):
        mark = "com.apple.fileprovider.ignore#P" if f"/{APPLE}/" in cloud else "com.dropbox.ignored"
        return examination.words("xattr", "-w", mark, "1", *few), gone
    if dropbox and examination.platform == "linux":
        marks = (examination.words("attr", "-s", "com.dropbox.ignored", "-V", "1", top) for top in few)
        return " && ".join(marks), gone
    if dropbox:
        paths = ", ".join(examination.quoted(top) for top in few)
        return f"Set-Content -Path {paths} -Stream com.dropbox.ignored -Value 1", gone
    return examination.modelyard("where"), f"{name} has no mark for that: move them out; this tells what moves them"
