"""The document of `modelyard convert`."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.looking import SCHEMA_VERSION


class WrittenLine(msgspec.Struct):
    """A file that was written or read, with the SHA-256 of all of it and how many tensors it holds."""

    path: str
    size: int
    sha256: str
    tensors: int


class LeftOutLine(msgspec.Struct):
    """Something of the source that is not in the copy, and why."""

    name: str
    why: str


class AgreementLine(msgspec.Struct):
    """How near a copy is to its source where it cannot be equal: numbers `compared`, the `largest` difference of two.

    `overflowed`: finite numbers that rounding made infinite, which `largest` does not count. `seeds`, `sizes`: of the
    inputs that were generated, and how many samples they had.
    """

    how: str
    compared: int
    tolerance: str
    largest: float
    overflowed: int
    seeds: list[int]
    sizes: list[int]


class Converted(msgspec.Struct):
    """A proven copy. `compared`: bytes of elements that were read again from both files; `agreement`: how near they
    are, null where they are equal byte for byte. `others`: the other files of a source that is a set of files.

    `tied`: other names of tensors that are written once, by the name that is kept. `index`: the file that says which
    tensor lies where, empty for one file. `replaced`: the plan that `modelyard undo` takes back, null without one.
    """

    source: str
    format: str
    size: int
    sha256: str
    written: list[WrittenLine]
    index: str
    tensors: int
    compared: int
    tied: dict[str, str]
    metadata: dict[str, str]
    left_out: list[LeftOutLine]
    notes: list[str]
    at: str
    replaced: str | None
    others: list[WrittenLine]
    agreement: AgreementLine | None
    schema_version: int = SCHEMA_VERSION
