"""Documents of the verbs that only look: bytes are integers, times RFC 3339 in UTC."""

from __future__ import annotations

import msgspec

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
    """One artifact. `format`, `precision`, `parameters` of its largest model and the `verdict` of its files are null

    where nobody looked since they were written: `ls --headers` looks at headers, `scan` at what loading would execute.
    """

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
    format: str | None = None
    precision: str | None = None
    parameters: int | None = None
    verdict: str | None = None


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


class PartLine(msgspec.Struct):
    """Bytes that a service keeps under a name of its own, such as a layer. `exact` false: at least this much."""

    name: str
    size: int
    exact: bool


class UseLine(msgspec.Struct):
    """Somebody who uses the artifact: `by` is process, server, container, kernel, project, adapter or code."""

    by: str
    who: str
    evidence: str
    confidence: str


class Shown(msgspec.Struct):
    """One artifact: what takes space, what only makes a name resolve, who has names for the same files, who uses it.

    An empty `used_by` means that no use was seen, never that there is none; `not_looked_at` says what was left out.
    """

    artifact: ArtifactLine
    facts: dict[str, str]
    blobs: list[FileLine]
    pins: list[FileLine]
    parts: list[PartLine]
    shares_with: list[SharerLine]
    used_by: list[UseLine]
    not_looked_at: list[str]
    schema_version: int = SCHEMA_VERSION


class PruneLine(msgspec.Struct):
    """A tool's own cleaning: bytes it claims to reclaim (null: it claims nothing), bytes that would come back."""

    title: str
    command: str
    artifacts: list[str]
    reported: int | None
    freed: int
    exact: bool
    why: str


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
    """One root and how it was found. `remote`: a service on another machine, which is not asked and not counted."""

    path: str
    found_by: str
    exists: bool
    remote: bool
    missing: str


class WhereLine(msgspec.Struct):
    """One store's roots, and what moves it, highest precedence first."""

    store: str
    title: str
    roots: list[RootLine]
    variables: list[str]
    artifacts: int
    missing: str
    prunes: list[PruneLine]


class Where(msgspec.Struct):
    """Every store, found or not."""

    stores: list[WhereLine]
    partial: bool
    schema_version: int = SCHEMA_VERSION


class ComplaintLine(msgspec.Struct):
    """One thing that is wrong. `severity`: danger, fault, note or unchecked; the first two are to be mended."""

    code: str
    severity: str
    place: str
    message: str
    consequence: str
    command: str
    caution: str


class Examined(msgspec.Struct):
    """What is wrong on this machine, the worst first. `checks`: how many kinds of check were made."""

    complaints: list[ComplaintLine]
    checks: int
    partial: bool
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
