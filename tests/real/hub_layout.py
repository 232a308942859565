"""Which paths of a hub cache each revision needs, found by walking links one hop at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

BESIDE = (".refs", ".lock")
"""What lies beside a payload: who uses it, and the client's lock."""


def chain(link: Path) -> Iterator[Path]:
    """Every path that a link leads over, the link itself not counted."""
    while link.is_symlink():
        link = Path(os.path.normpath(link.parent / link.readlink()))
        yield link


def files_of(snapshot: Path) -> list[Path]:
    """Everything but folders below a snapshot."""
    return [path for path in snapshot.rglob("*") if path.is_symlink() or not path.is_dir()]


def needs(snapshot: Path) -> set[Path]:
    """The blobs and shared payloads that a snapshot's links lead to, with what lies beside a payload."""
    found = {path for link in files_of(snapshot) for path in chain(link)}
    beside = {path.with_name(path.name + end) for path in found for end in BESIDE}
    return found | {path for path in beside if path.exists()}


def alone(cache: Path, *snapshots: Path) -> set[Path]:
    """All that goes with exactly these revisions: their folders, notes and refs, and what no other one needs."""
    others = [each for each in cache.glob("*--*/snapshots/*") if each not in snapshots]
    needed_elsewhere = {path for other in others for path in needs(other)}
    gone: set[Path] = set()
    for snapshot in snapshots:
        repo = snapshot.parents[1]
        gone |= {repo} if all(each in snapshots for each in repo.glob("snapshots/*")) else _notes(repo, snapshot)
        gone |= needs(snapshot) - needed_elsewhere
    return gone


def _notes(repo: Path, snapshot: Path) -> set[Path]:
    """The files that speak of a revision, in a repository that keeps another one."""
    commit = snapshot.name
    refs = {path for path in repo.glob("refs/**/*") if path.is_file() and path.read_text().strip() == commit}
    told = {repo / "trees" / f"{commit}.json", repo / ".no_exist" / commit}
    return {snapshot, *refs, *(path for path in told if path.exists())}
