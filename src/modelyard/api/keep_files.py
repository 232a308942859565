"""What a `.modelyard-keep` file keeps: everything in and below its folder."""

from __future__ import annotations

from modelyard.api import KEEP, Survey
from modelyard.inventory import Artifact

KEPT = f"a {KEEP} file keeps it"


def _keeps(survey: Survey) -> set[int | None]:
    """The folders that hold a keep file."""
    return {survey.tree.parent(row) for row in survey.tree.marks().get(KEEP, ())}


def keep_above(survey: Survey, row: int) -> bool:
    """Whether a keep file lies above a row, or in it."""
    keeps = _keeps(survey)
    at: int | None = row if keeps else None
    while at is not None and at not in keeps:
        at = survey.tree.parent(at)
    return at is not None


def pinned(survey: Survey, artifact: Artifact) -> bool:
    """Whether a keep file lies in or above one of its rows."""
    keeps = _keeps(survey)
    if any(keep_above(survey, row) for row in artifact.rows if keeps):
        return True
    inside = {survey.tree.path(keep) for keep in keeps if keep is not None}
    return any(path.startswith(survey.tree.path(row) + b"/") for row in artifact.rows for path in inside)
