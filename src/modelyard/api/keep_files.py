"""Files by which a person keeps what lies in and below their folders out of every plan."""

from __future__ import annotations

from modelyard.api import KEEP, Survey
from modelyard.inventory import Artifact

KEPT = f"a {KEEP} file keeps it"


def keep_folders(survey: Survey) -> frozenset[int | None]:
    """The rows of the folders that hold a keep file."""
    return frozenset(survey.tree.parent(row) for row in survey.tree.marks().get(KEEP, ()))


def lies_in(survey: Survey, row: int, folders: frozenset[int | None]) -> bool:
    """Whether a row is one of some folders, or lies below one."""
    at: int | None = row if folders else None
    while at is not None and at not in folders:
        at = survey.tree.parent(at)
    return at is not None


def pinned(survey: Survey, artifact: Artifact) -> bool:
    """Whether a keep file lies in or above one of its rows."""
    folders = keep_folders(survey)
    if folders and any(lies_in(survey, row, folders) for row in artifact.rows):
        return True
    inside = {survey.tree.path(keep) for keep in folders if keep is not None}
    return any(path.startswith(survey.tree.path(row) + b"/") for row in artifact.rows for path in inside)
