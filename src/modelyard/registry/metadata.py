"""`metadata.json`: everything known of a version, as types; the published JSON Schema is made from them."""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import field

from modelyard.problem import Problem
from modelyard.walk.read import read_file

SCHEMA_VERSION = "1.0"
SCHEMA_ID = "urn:modelyard:metadata:1"
DIGEST = msgspec.Meta(extra_json_schema={"pattern": "^[0-9a-f]{64}$"})
TIME = msgspec.Meta(extra_json_schema={"format": "date-time"})
CAP = 16 << 20
UNKNOWN = "unknown"
T = TypeVar("T")


class Noun(msgspec.Struct, kw_only=True, omit_defaults=False):
    """What every part of the metadata has: keys of newer or other programs, which are kept as they are."""

    unknown: dict[str, Any] = field(default_factory=dict)


class Port(Noun, kw_only=True):
    """One input or output: null in `shape` stands for a free axis, the batch. dtypes as numpy calls them, and `str`."""

    name: str
    dtype: str
    shape: list[int | None]


class Dataset(Noun, kw_only=True):
    """What a model was trained or measured on: a name, where it lies, and a digest as `sha256:...`."""

    name: str
    uri: str = ""
    digest: str = ""
    role: str = ""


class Git(Noun, kw_only=True):
    """The commit of the code that saved it; `dirty` is null where nobody could tell."""

    commit: str
    dirty: bool | None = None
    remote: str = ""


class FileEntry(Noun, kw_only=True):
    """A file of the version: its path there, bytes, and SHA-256 in hex."""

    path: str
    size: int
    sha256: Annotated[str, DIGEST]


class Export(Noun, kw_only=True):
    """The model in another format, beside what was saved: how far its numbers are off, and how that was found.

    `tolerance` in words; `error` the largest difference of two numbers of an output, for inputs of each of `batches`
    samples; `opset` by domain of operators.
    """

    format: str
    path: str
    sha256: Annotated[str, DIGEST]
    created: Annotated[str, TIME]
    opset: dict[str, int]
    error: float
    tolerance: str
    compared: int
    batches: list[int]
    inputs: list[Port]
    outputs: list[Port]
    packages: dict[str, str] = field(default_factory=dict)


class Metadata(Noun, kw_only=True):
    """One version of one model."""

    schema_version: str = SCHEMA_VERSION
    name: str
    version: str
    created: Annotated[str, TIME]
    """RFC 3339, UTC."""
    codec: str
    """Which codec reads it."""
    framework: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    """Versions of the packages that made it."""
    python: str = ""
    platform: str = ""
    modelyard: str = ""
    task: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    """The configuration of the training."""
    datasets: list[Dataset] = field(default_factory=list)
    git: Git | None = None
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    files: list[FileEntry] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    parent: str = ""
    """The version that it was made from: `name@1.0.0`."""
    license: str = ""
    tags: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


def encode(metadata: Metadata) -> bytes:
    """As it is written: one key a line, unknown keys in their places."""
    return msgspec.json.format(msgspec.json.encode(_unfold(metadata)), indent=2) + b"\n"


def decode(data: bytes, where: str) -> Metadata | Problem:
    """What was written, or why it cannot be read: damaged, or made by a newer schema."""
    try:
        raw = msgspec.json.decode(data)
        if isinstance(raw, dict) and (newer := _newer(raw)):
            hint = "a newer modelyard reads it"
            return Problem(where, "newer-schema", f"its metadata have schema {newer}, this program knows 1", hint)
        return msgspec.convert(_fold(raw, Metadata), Metadata)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Problem(where, "damaged-metadata", f"its metadata cannot be read: {error}")


def read(path: bytes, where: str) -> Metadata | Problem:
    """The metadata in a file."""
    data = read_file(path, CAP)
    return data if isinstance(data, Problem) else decode(data, where)


def _newer(raw: dict[str, Any]) -> str:
    """The schema of a file when its major number is not ours, empty when it is."""
    told = raw.get("schema_version")
    return told[:20] if isinstance(told, str) and told.partition(".")[0] != SCHEMA_VERSION.partition(".")[0] else ""


@cache
def _fields(kind: type[Noun]) -> dict[str, Any]:
    """The types of what a noun knows, by name."""
    return {each.name: each.type for each in msgspec.structs.fields(kind) if each.name != UNKNOWN}


def _fold(value: Any, kind: Any) -> Any:
    """Moves keys that a type does not know into its `unknown`, at every depth."""
    if get_origin(kind) in (typing.Union, types.UnionType):
        kind = next((each for each in get_args(kind) if isinstance(each, type) and issubclass(each, Noun)), None)
    if isinstance(value, list) and get_origin(kind) is list:
        return [_fold(each, get_args(kind)[0]) for each in value]
    if not isinstance(value, dict) or not (isinstance(kind, type) and issubclass(kind, Noun)):
        return value
    known = _fields(kind)
    found: dict[str, Any] = {key: _fold(each, known[key]) for key, each in value.items() if key in known}
    return {**found, UNKNOWN: {key: each for key, each in value.items() if key not in known}}


def _unfold(value: Any) -> Any:
    if isinstance(value, Noun):
        return {**{name: _unfold(getattr(value, name)) for name in _fields(type(value))}, **value.unknown}
    return [_unfold(each) for each in value] if isinstance(value, list) else value


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `metadata.json`."""
    (found,), parts = msgspec.json.schema_components([Metadata], ref_template="#/$defs/{name}")
    for each in parts.values():
        each.get("properties", {}).pop(UNKNOWN, None)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, "title": "modelyard metadata"}
    return {**head, **found, "$defs": parts}
