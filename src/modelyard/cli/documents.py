"""The JSON documents of the command line, as types: bytes are integers, times RFC 3339 in UTC."""

from __future__ import annotations

import sys

import msgspec

from modelyard.inventory import Artifact, Inventory, Sizes
from modelyard.problem import Problem
from modelyard.units import rfc3339
from modelyard.walk.text import shown

SCHEMA_VERSION = 1


class Totals(msgspec.Struct):
    """Bytes of a set. `exact` false: `freed` is a lower bound."""

    apparent: int
    allocated: int
    freed: int
    exact: bool


class DiskLine(msgspec.Struct):
    """A file system, bytes."""

    device: str
    total: int
    free: int


class StoreLine(msgspec.Struct):
    """A store in the overview. `unclaimed`: allocated bytes inside its roots that no artifact claims."""

    store: str
    title: str
    artifacts: int
    apparent: int
    allocated: int
    freed: int
    exact: bool
    unclaimed: int


class KindLine(msgspec.Struct):
    """A kind in the overview."""

    kind: str
    artifacts: int
    apparent: int
    allocated: int
    freed: int
    exact: bool


class OpportunityLine(msgspec.Struct):
    """Artifacts that could go for the same reason."""

    title: str
    artifacts: int
    freed: int
    exact: bool
    command: str


class ProblemLine(msgspec.Struct):
    """What could not be read or understood."""

    path: str
    code: str
    message: str
    hint: str


class Overview(msgspec.Struct):
    """What machine-learning work takes, by store and kind. `overlap`: allocated bytes that several stores claim."""

    home: str
    roots: list[str]
    partial: bool
    totals: Totals
    overlap: int
    disk: list[DiskLine]
    stores: list[StoreLine]
    kinds: list[KindLine]
    opportunities: list[OpportunityLine]
    problems: list[ProblemLine]
    schema_version: int = SCHEMA_VERSION


class Used(msgspec.Struct):
    """Used at least as recently as `at`."""

    at: str
    evidence: str
    confidence: str


class ArtifactLine(msgspec.Struct):
    """One artifact."""

    id: str
    store: str
    kind: str
    title: str
    root: str
    revision: str
    tags: list[str]
    group: str
    apparent: int
    allocated: int
    freed: int
    exact: bool
    last_used: Used | None
    written: str | None
    recovery: str
    state: str
    proof: str
    detail: str


class Listing(msgspec.Struct):
    """The artifacts that fit, in the order asked for."""

    artifacts: list[ArtifactLine]
    partial: bool
    problems: list[ProblemLine]
    schema_version: int = SCHEMA_VERSION


class FileLine(msgspec.Struct):
    """A file or folder of an artifact. For a folder the sizes of all below it, `entries` of them."""

    path: str
    apparent: int
    allocated: int
    links: int
    entries: int


class SharerLine(msgspec.Struct):
    """Another artifact with names for some of the same files."""

    id: str
    files: int
    allocated: int


class Shown(msgspec.Struct):
    """One artifact: what takes space, what only makes a name resolve, and who has names for the same files."""

    artifact: ArtifactLine
    blobs: list[FileLine]
    pins: list[FileLine]
    shares_with: list[SharerLine]
    schema_version: int = SCHEMA_VERSION


class TopLine(msgspec.Struct):
    """One of the largest files."""

    path: str
    apparent: int
    allocated: int
    links: int
    artifact: str | None


class Top(msgspec.Struct):
    """The files that take most disk, largest first."""

    files: list[TopLine]
    partial: bool
    schema_version: int = SCHEMA_VERSION


class RootLine(msgspec.Struct):
    """One root and how it was found."""

    path: str
    found_by: str
    exists: bool


class WhereLine(msgspec.Struct):
    """One store's roots, and what moves it, highest precedence first."""

    store: str
    title: str
    roots: list[RootLine]
    variables: list[str]
    artifacts: int
    missing: str


class Where(msgspec.Struct):
    """Every store, found or not."""

    stores: list[WhereLine]
    schema_version: int = SCHEMA_VERSION


class Built(msgspec.Struct):
    """The sample workstation that was built."""

    path: str
    seed: int
    scale: float
    entries: int
    apparent: int
    allocated: int
    schema_version: int = SCHEMA_VERSION


DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "modelyard": Overview,
    "ls": Listing,
    "show": Shown,
    "top": Top,
    "where": Where,
    "demo": Built,
}


def totals(sizes: Sizes) -> Totals:
    """Sizes as a document."""
    return Totals(sizes.apparent, sizes.allocated, sizes.freed, sizes.exact)


def problems(found: tuple[Problem, ...]) -> list[ProblemLine]:
    """Problems as documents."""
    return [ProblemLine(each.path, each.code, each.message, each.hint) for each in found]


def artifact_line(artifact: Artifact) -> ArtifactLine:
    """An artifact as a document."""
    used = artifact.last_used
    return ArtifactLine(
        artifact.id,
        artifact.store,
        artifact.kind,
        artifact.title,
        shown(artifact.root),
        artifact.revision,
        list(artifact.tags),
        artifact.group,
        artifact.sizes.apparent,
        artifact.sizes.allocated,
        artifact.sizes.freed,
        artifact.sizes.exact,
        Used(rfc3339(used.at), used.evidence, used.confidence) if used else None,
        rfc3339(artifact.written) if artifact.written is not None else None,
        artifact.recovery,
        artifact.state,
        artifact.proof,
        artifact.detail,
    )


def listing(inventory: Inventory, chosen: list[Artifact]) -> Listing:
    """The chosen artifacts as a document."""
    return Listing([artifact_line(each) for each in chosen], inventory.partial, problems(inventory.problems))


def emit(document: msgspec.Struct) -> None:
    """Writes one document to stdout, indented for eyes on a terminal."""
    text = msgspec.json.encode(document)
    if sys.stdout.isatty():
        text = msgspec.json.format(text, indent=2)
    sys.stdout.buffer.write(text + b"\n")
