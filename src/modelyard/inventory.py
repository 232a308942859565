"""The nouns of modelyard, frozen: stores, roots, artifacts, and the inventory that holds them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from modelyard.problem import Problem

Kind = Literal[
    "model",
    "dataset",
    "checkpoint",
    "environment",
    "package cache",
    "compile cache",
    "image",
    "container",
    "volume",
    "run",
    "other",
]
Recovery = Literal["re-get", "re-make", "re-solve", "duplicate", "superseded", "none"]
State = Literal["complete", "partial", "orphan", "dangling", "corrupt", "archived"]
Confidence = Literal["high", "medium", "low"]
Platform = Literal["linux", "macos", "windows"]


FILE_TIMES = "newest reading or writing of its files"


class Store(Struct, frozen=True):
    """One tool's place on disk. `variables` are what moves it, highest precedence first."""

    name: str
    title: str
    variables: tuple[str, ...] = ()
    """Environment variables, and settings as `file key`."""
    markers: tuple[str, ...] = ()
    """Names by which it is recognised at any path: `name`, `prefix*` or `*suffix`."""
    watched: tuple[str, ...] = ()
    """Further names that the walk marks for its adapter, which give nothing away."""
    scattered: bool = False
    """Where it is recognised it lies among other people's files, which are then not its unclaimed bytes."""
    closed: bool = False
    """What lies in its folders is its own affair: nothing of another store is recognised there."""
    kinds: tuple[Kind, ...] = ()
    """The kinds of its artifacts."""
    recoveries: tuple[Recovery, ...] = ()
    """How its artifacts come back."""
    nowhere: str = ""
    """What to say when it was not found, where neither a place nor a marker could tell."""
    evidence: str = FILE_TIMES
    """What tells when an artifact was used last."""


class Root(Struct, frozen=True):
    """One folder of a store and how it was found. `row` is its place in the tree, None where it is not."""

    path: str
    found_by: str
    row: int | None = None
    system: bool = False
    """Outside every home: belongs to the machine."""
    shared: bool = False
    """Holds other things too, so that only what is claimed in it belongs to the store."""
    endpoint: bool = False
    """The address of a service, which has no row."""
    answered: bool = False
    """Whether the service at the endpoint answered."""
    remote: bool = False
    """A service on another machine: shown, and none of its bytes counted."""


Place = Root | Problem
"""What an adapter says of where its tool keeps things: a root, or a settings file that it could not understand."""


class LastUsed(Struct, frozen=True):
    """Used at least as recently as `at` (nanoseconds since 1970), by what evidence, and how far to trust it."""

    at: int
    evidence: str
    confidence: Confidence


class Sizes(Struct, frozen=True):
    """Bytes of a set: what the files say, what the disk holds, and what the disk gains if exactly this set goes.

    `exact` is False when something could not be known, which makes `freed` a lower bound.
    """

    apparent: int = 0
    allocated: int = 0
    freed: int = 0
    exact: bool = True
    entries: int = 0


class Part(Struct, frozen=True):
    """Bytes that a service keeps under a name of its own, counted once however many artifacts hold it.

    `exact` is False when the service could not tell the whole size.
    """

    name: str
    size: int
    exact: bool = True


class Artifact(Struct, frozen=True):
    """A thing the user names. `blobs` and `pins` are rows of the tree: files or whole folders."""

    id: str
    kind: Kind
    store: str
    title: str
    root: str
    blobs: tuple[int, ...]
    pins: tuple[int, ...] = ()
    revision: str = ""
    tags: tuple[str, ...] = ()
    group: str = ""
    """What it belongs to: the run of a checkpoint, the repository of a revision."""
    state: State = "complete"
    recovery: Recovery = "none"
    proof: str = "unproven"
    detail: str = ""
    last_used: LastUsed | None = None
    written: int | None = None
    """When its newest file was written, nanoseconds since 1970."""
    sizes: Sizes = field(default=Sizes())
    facts: tuple[tuple[str, str], ...] = ()
    """What else is known, as label and text: the interpreter of an environment, the tags of an image."""
    parts: tuple[Part, ...] = ()
    """Bytes that lie in a service instead of the tree."""
    holder: int | None = None
    """The row of a folder that goes too when nothing would be left in it."""

    @property
    def rows(self) -> tuple[int, ...]:
        """Everything of it, blobs and pins."""
        return self.blobs + self.pins


class Prune(Struct, frozen=True):
    """A tool's own cleaning command: the bytes it claims to reclaim, the artifacts it would remove, and why the

    claim and what really comes back differ. `reported` is None where the tool claims nothing.
    """

    title: str
    command: str
    artifacts: tuple[str, ...]
    reported: int | None
    why: str


class Reading(Struct, frozen=True):
    """What an adapter found under one root. `answered` is for endpoints: whether the service spoke."""

    artifacts: tuple[Artifact, ...] = ()
    problems: tuple[Problem, ...] = ()
    prunes: tuple[Prune, ...] = ()
    answered: bool = False


class Use(Struct, frozen=True):
    """Somebody who uses an artifact: who, by what evidence, and how far to trust it."""

    by: Literal["process", "server", "container", "kernel", "project", "adapter", "code"]
    who: str
    evidence: str
    confidence: Confidence


class Holding(Struct, frozen=True):
    """What one store holds: its roots, how many artifacts, their sizes, and allocated bytes nobody claims."""

    store: Store
    roots: tuple[Root, ...]
    artifacts: int
    sizes: Sizes
    unclaimed: int
    prunes: tuple[Prune, ...] = ()
    seconds: float = 0.0
    """How long its adapter took to read the tree."""


class Held(Struct, frozen=True):
    """A file of an artifact: its path at the source, bytes, row, and its digest in hex as its name tells it.

    Empty where the name tells none; after reading the file all that it may be known by, with blanks between.
    """

    path: str
    size: int
    digest: str
    row: int


class Source(Struct, frozen=True):
    """Where an artifact came from and what of it is here: `models/acme/tiny` at a commit of the Hub, or a tag of

    `registry.ollama.ai/library/llama3`.
    """

    service: Literal["hub", "ollama"]
    name: str
    revision: str
    files: tuple[Held, ...]


class Disk(Struct, frozen=True):
    """A file system that the survey touched; bytes."""

    device: str
    total: int
    free: int


class Inventory(Struct, frozen=True):
    """Everything one survey saw. Totals count each file once, whatever stores hold names of it."""

    home: str
    starts: tuple[str, ...]
    partial: bool
    totals: Sizes
    holdings: tuple[Holding, ...]
    kinds: Mapping[Kind, tuple[int, Sizes]]
    artifacts: tuple[Artifact, ...]
    disks: tuple[Disk, ...]
    problems: tuple[Problem, ...]
    overlap: int
    """Allocated bytes that more than one store claims, counted once in the totals."""
