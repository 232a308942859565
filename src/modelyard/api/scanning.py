"""The verb scan: what loading files, folders and artifacts would execute."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from modelyard.api import Survey, find_artifact
from modelyard.inventory import Artifact
from modelyard.safety.codes import CODES as CODES
from modelyard.safety.codes import Code as Code
from modelyard.safety.codes import advice as advice
from modelyard.safety.finding import VERDICTS as VERDICTS
from modelyard.safety.finding import Finding as Finding
from modelyard.safety.finding import Scanned as Scanned
from modelyard.safety.finding import Verdict as Verdict
from modelyard.safety.finding import worst as worst
from modelyard.safety.folders import Progress as Progress
from modelyard.safety.folders import files_below, scan_many

HOLDS_MODELS = ("model", "checkpoint", "run", "other")
"""The kinds of artifacts that are files to load; environments and images are programs by nature."""


def scan(paths: Iterable[str], progress: Progress | None = None, workers: int = 0) -> list[Scanned]:
    """What loading the files at and below some paths would execute, each file once.

    Reads them and runs nothing. What cannot be read or followed is `unknown`, never safe.
    """
    return scan_many(files_below(paths), progress, workers)


def files_of(survey: Survey, names: Sequence[str]) -> list[str]:
    """The paths of artifacts by their ids, or of all that hold models. LookupError for an id that nothing has."""
    chosen = [find_artifact(survey, name)[1] for name in names] if names else _with_models(survey)
    rows = {row for artifact in chosen for row in artifact.rows}
    return sorted(os.fsdecode(survey.tree.path(row)) for row in rows)


def _with_models(survey: Survey) -> list[Artifact]:
    return [artifact for artifact in survey.artifacts if artifact.kind in HOLDS_MODELS]
