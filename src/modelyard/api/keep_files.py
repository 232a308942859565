"""Files by which a person keeps what lies in and below their folders out of every plan."""

from __future__ import annotations

from modelyard.api import KEEP, Survey
from modelyard.inventory import Artifact

KEPT = f"a {KEEP} file keeps it"


def pinned(survey: Survey, artifact: Artifact) -> bool:
    """Whether a keep file lies in or above one of its rows."""
    keeps = {survey.tree.parent(row) for row in survey.tree.marks().get(KEEP, ())}
    for row in artifact.rows if keeps else ():
        at: int | None = row
        while at is not None:
            if at in keeps:
                return True
            at = survey.tree.parent(at)
    inside = {survey.tree.path(keep) for keep in keeps if keep is not None}
    return any(path.startswith(survey.tree.path(row) + b"/") for row in artifact.rows for path in inside)
