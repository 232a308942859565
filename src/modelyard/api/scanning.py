"""The verb scan: what loading files, folders and artifacts would execute."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from modelyard.safety.beside import FOLDER as FOLDER
from modelyard.safety.beside import with_code
from modelyard.safety.codes import CODES as CODES
from modelyard.safety.codes import Code as Code
from modelyard.safety.codes import advice as advice
from modelyard.safety.finding import VERDICTS as VERDICTS
from modelyard.safety.finding import Finding as Finding
from modelyard.safety.finding import Scanned as Scanned
from modelyard.safety.finding import Verdict as Verdict
from modelyard.safety.finding import worst as worst
from modelyard.safety.folders import Progress as Progress
from modelyard.safety.folders import files_below, identity, scan_many, scan_until

if TYPE_CHECKING:  # a scan of a path needs no inventory
    from modelyard.api import Survey
    from modelyard.inventory import Artifact

HOLDS_MODELS = ("model", "checkpoint", "run", "other")
"""The kinds of artifacts that are files to load; environments and images are programs by nature."""


def scan(paths: Iterable[str], progress: Progress | None = None, workers: int = 0) -> list[Scanned]:
    """What loading the files at and below some paths would execute, each file once.

    Reads them and runs nothing. What cannot be read or followed is `unknown`, never safe.
    """
    return with_code(scan_many(files_below(paths), progress, workers))


def artifacts_of(survey: Survey, names: Sequence[str]) -> list[Artifact]:
    """The artifacts of some ids, or all that hold models. LookupError for an id that nothing has."""
    from modelyard.api import find_artifact  # late: a scan of a path needs no inventory

    if names:
        return [find_artifact(survey, name)[1] for name in names]
    return [artifact for artifact in survey.artifacts if artifact.kind in HOLDS_MODELS]


def files_of(survey: Survey, artifacts: Iterable[Artifact]) -> list[str]:
    """The paths of the files and folders of some artifacts."""
    rows = {row for artifact in artifacts for row in artifact.rows}
    return sorted(os.fsdecode(survey.tree.path(row)) for row in rows)


def verdicts(survey: Survey, artifacts: Iterable[Artifact], found: Iterable[Scanned]) -> dict[str, Verdict]:
    """The verdict of each artifact that has files here, by its id, out of a scan of the files of all of them."""
    told = {identity(each.path): each.verdict for each in found if each.format != FOLDER}
    folders = {each.path: each.verdict for each in found if each.format == FOLDER}
    judged: dict[str, Verdict] = {}
    for artifact in artifacts:
        files = files_below(files_of(survey, [artifact]))
        if not files or not _is_whole(survey, artifact):
            continue
        around = {each for file in files for each in _above(file, folders)}
        own = [told.get(identity(each), "unknown") for each in files]
        judged[artifact.id] = worst([*own, *(verdict for folder, verdict in folders.items() if folder in around)])
    return judged


def _above(path: str, folders: Iterable[str]) -> Iterable[str]:
    """Which of the folders a file lies in, however deep."""
    return (folder for folder in folders if path.startswith(folder.rstrip("/") + "/"))


def _is_whole(survey: Survey, artifact: Artifact) -> bool:
    """Whether all of it could be seen: what lies in a closed folder is judged by nobody."""
    return all(survey.tree.is_whole(row) for row in artifact.rows)


def verdict_of(survey: Survey, artifact: Artifact, seconds: float) -> Verdict | None:
    """The verdict of one artifact; None when its files are not here, or cannot be scanned in about so many seconds."""
    if not artifact.rows or not _is_whole(survey, artifact):
        return None
    found = scan_until(files_below(files_of(survey, [artifact])), time.monotonic() + seconds)
    return None if not found else worst(each.verdict for each in with_code(found))
