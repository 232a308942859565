"""Documents of `modelyard registry`: models, versions, what was saved, verified, compared."""

from __future__ import annotations

from typing import Any

import msgspec

from modelyard.cli.documents.looking import SCHEMA_VERSION, ProblemLine


class VersionLine(msgspec.Struct):
    """A version: `id` as every verb takes it, bytes of its files, `problem` null for one that can be read."""

    id: str
    name: str
    version: str
    aliases: list[str]
    created: str
    framework: str
    task: str
    metrics: dict[str, float]
    files: int
    size: int
    problem: ProblemLine | None


class Registered(msgspec.Struct):
    """Every version in a registry, by model, the newest first."""

    root: str
    versions: list[VersionLine]
    schema_version: int = SCHEMA_VERSION


class Described(msgspec.Struct):
    """One version: where it lies, and its `metadata.json` as it is, described by `docs/metadata.schema.json`."""

    id: str
    path: str
    aliases: list[str]
    metadata: dict[str, Any]
    lineage: list[str]
    schema_version: int = SCHEMA_VERSION


class Founded(msgspec.Struct):
    """A registry, and the files that were made for it."""

    root: str
    made: list[str]
    schema_version: int = SCHEMA_VERSION


class SavedVersion(msgspec.Struct):
    """A version that was saved."""

    id: str
    path: str
    files: list[str]
    schema_version: int = SCHEMA_VERSION


class TakenOut(msgspec.Struct):
    """The files of a version, verified; copied into `target` where one was given, else null."""

    id: str
    target: str | None
    files: list[str]
    schema_version: int = SCHEMA_VERSION


class PortLine(msgspec.Struct):
    """An input or output; null in `shape` for a free axis."""

    name: str
    dtype: str
    shape: list[int | None]


class ExportedVersion(msgspec.Struct):
    """A version in another format beside its weights. `error`: the largest difference of two numbers of an output."""

    id: str
    path: str
    format: str
    opset: dict[str, int]
    error: float
    tolerance: str
    compared: int
    batches: list[int]
    inputs: list[PortLine]
    outputs: list[PortLine]
    schema_version: int = SCHEMA_VERSION


class VerifiedLine(msgspec.Struct):
    """A file of a version; an empty path for the version itself.

    `state` is ok, corrupt, missing, extra (put there later), unreadable, or newer (of a later modelyard).
    """

    id: str
    path: str
    state: str
    why: str
    size: int


class VerifiedVersions(msgspec.Struct):
    """Every file that was verified. `sound`: all of them are ok."""

    root: str
    items: list[VerifiedLine]
    sound: bool
    schema_version: int = SCHEMA_VERSION


class TensorDifference(msgspec.Struct):
    """A tensor that differs; `largest` is the largest difference of two elements, null where it cannot be told."""

    name: str
    change: str
    before: str
    after: str
    largest: float | None


class EntryLine(msgspec.Struct):
    """A metric, a setting or a file that differs, as text; `-` where it is not there."""

    name: str
    before: str
    after: str


class Compared(msgspec.Struct):
    """What differs between two versions."""

    before: str
    after: str
    equal: bool
    same_tensors: int
    tensors: list[TensorDifference]
    metrics: list[EntryLine]
    config: list[EntryLine]
    files: list[EntryLine]
    schema_version: int = SCHEMA_VERSION


class Aliases(msgspec.Struct):
    """The aliases of a model, and the version that each one means."""

    name: str
    aliases: dict[str, str]
    schema_version: int = SCHEMA_VERSION


class Card(msgspec.Struct):
    """The model card of a version; `path` is where it was written, null where it was not."""

    id: str
    path: str | None
    text: str
    schema_version: int = SCHEMA_VERSION


class PushedVersion(msgspec.Struct):
    """A version at another place: its address there, and how the SHA-256 of its files was verified."""

    id: str
    address: str
    files: list[str]
    verified: str
    schema_version: int = SCHEMA_VERSION


class AdoptedLine(msgspec.Struct):
    """A model that was found; `id` is its version, null where there is none; `why` says why it was not taken."""

    path: str
    name: str
    kind: str
    id: str | None
    why: str


class AdoptedModels(msgspec.Struct):
    """Every model that was found in a folder."""

    root: str
    dry_run: bool
    items: list[AdoptedLine]
    schema_version: int = SCHEMA_VERSION
