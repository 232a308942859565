"""What model files say of themselves: one file, every model in a folder, or the files of an artifact."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from modelyard.api import Survey
from modelyard.api.looked import Looked, Model
from modelyard.formats.header import Header as Header
from modelyard.formats.header import Need as Need
from modelyard.formats.header import Share as Share
from modelyard.formats.header import Tensor as Tensor
from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.walk.read import names_in
from modelyard.walk.text import shown

MOST_FILES = 100_000
"""Files of one folder that are looked at."""
UNKNOWN = "unknown"
HAVE_HEADERS = ("model", "checkpoint")
"""The kinds of artifacts that are models."""
MOST_READ = 64
"""Model files of an artifact whose headers are read for a line of it."""
MOST_DTYPES = 5


class Inspected(Struct, frozen=True):
    """One file and what it says; `size` in bytes, None where it could not be asked."""

    path: str
    size: int | None
    header: Header | Problem

    @property
    def holds(self) -> frozenset[str]:
        """The paths of the files that it is made of, where its tensors lie in others: no models of their own."""
        if isinstance(self.header, Problem):
            return frozenset()
        if not any(each.file for each in self.header.tensors):
            return frozenset()
        folder = os.path.dirname(self.path)
        return frozenset(os.path.join(folder, each.path) for each in self.header.needs if each.exists)

    @property
    def is_model(self) -> bool:
        """Whether it has a format that is known, damaged or not."""
        return not (isinstance(self.header, Problem) and self.header.code == UNKNOWN)


def inspect_file(path: str) -> Inspected:
    """What one file says of itself. What cannot be read is a Problem in its place."""
    from modelyard.formats.known import read_header  # late: it knows every format, and help needs none

    try:
        size = os.stat(path).st_size
    except (OSError, ValueError):
        size = None
    return Inspected(path, size, read_header(path))


def inspect_folder(path: str) -> Iterator[Inspected]:
    """Every model file below a folder, in order of names; what is none is left out."""
    for each in _files(path):
        found = inspect_file(each)
        if found.is_model:
            yield found


def inspect_artifact(survey: Survey, artifact: Artifact) -> Iterator[Inspected]:
    """Every model file of an artifact, once each: links that make its names come before what they lead to."""
    seen: set[str] = set()
    for row in (*artifact.pins, *artifact.blobs):
        path = os.fsdecode(survey.tree.path(row))
        for each in _files(path) if os.path.isdir(path) else (path,):
            real = os.path.realpath(each)
            if real not in seen and os.path.isfile(real):
                seen.add(real)
                found = inspect_file(each)
                if found.is_model:
                    yield found


def model_of(survey: Survey, artifact: Artifact) -> Header | None:
    """The largest model of an artifact, by the headers of its first model files."""
    return largest_model(islice(inspect_artifact(survey, artifact), MOST_READ))


def read_headers(survey: Survey, artifacts: Iterable[Artifact], looked: Looked) -> None:
    """Reads and notes what the models of artifacts say, where that is not known already."""
    for each in artifacts:
        if each.kind in HAVE_HEADERS and looked.of(each).model is None:
            looked.mark(each)
            looked.put(each, model=told(model_of(survey, each)))
    looked.save()


def largest_model(found: Iterable[Inspected]) -> Header | None:
    """The header of the largest model among files, with the tensors of the parts that it is split into, if any."""
    models = [(each, each.header) for each in models_only(found) if isinstance(each.header, Header)]
    largest = max(models, key=lambda each: each[1].parameters, default=None)
    if largest is None or not largest[1].parameters:
        return None
    folder = os.path.dirname(largest[0].path)
    parts = {os.path.join(folder, each.path) for each in largest[1].needs}
    headers = [largest[1], *(header for each, header in models if each.path in parts)]
    return replace(largest[1], tensors=tuple(tensor for header in headers for tensor in header.tensors))


def told(found: Header | None) -> Model:
    """Format, precision and parameters as they are remembered: the quantisation by its name where the file has one."""
    if found is None:
        return Model()
    total = sum(each.bytes for each in found.dtypes) or 1
    shares = [f"{shown(each.dtype)} {100 * each.bytes / total:.0f}%" for each in found.dtypes]
    mix = ", ".join(shares[:MOST_DTYPES]) if len(shares) > 1 else shown(found.dtypes[0].dtype) if shares else ""
    quantised = shown(dict(found.metadata).get("quantisation", ""))
    return Model(shown(found.format), quantised or mix, found.parameters)


def models_only(found: Iterable[Inspected]) -> list[Inspected]:
    """The files without those that only hold the tensors of another one."""
    listed = list(found)
    held = {path for each in listed for path in each.holds}
    return [each for each in listed if each.path not in held]


def _files(folder: str) -> Iterator[str]:
    """Files below a folder, links to files among them; folders that are links are not entered."""
    waiting, left = [folder], MOST_FILES
    while waiting and left:
        here = waiting.pop()
        below = []
        for name in names_in(here):
            path = os.path.join(here, name).removeprefix("./")
            if os.path.isdir(path):
                if not os.path.islink(path):
                    below.append(path)
            elif os.path.isfile(path) and left:
                left -= 1
                yield path
        waiting += reversed(below)


def problem_of(found: Inspected) -> Problem | None:
    """What is wrong with a file, if anything; its path as it is shown."""
    if not isinstance(found.header, Problem):
        return None
    wrong = found.header
    return Problem(shown(found.path), wrong.code, wrong.message, wrong.hint)
