"""The document of `modelyard dupes`."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.looking import SCHEMA_VERSION, ProblemLine


class EqualFileLine(msgspec.Struct):
    """One of several equal files. `way`: kept, share (extents), link (hard), or none and `why`; bytes `freed`."""

    path: str
    artifact: str | None
    store: str | None
    links: int
    way: str
    freed: int
    why: str


class EqualLine(msgspec.Struct):
    """Files with the same content. `proof`: read (a digest of every byte) or name (names that are digests)."""

    size: int
    proof: str
    freed: int
    files: list[EqualFileLine]
    sharing: list[str]
    """Files that have the extents of one of these already: nothing is to be had from them."""


class AlikeLine(msgspec.Struct):
    """Tensors of `other` that are in `one` too: how many, their bytes, their part of all bytes of its tensors.

    `freed` comes back with `modelyard dedupe --tensors`.
    """

    one: str
    other: str
    tensors: int
    bytes: int
    part: float
    freed: int


class FormatsLine(msgspec.Struct):
    """One model kept more than once. `kind`: same weights, cast (the second is the rounding of the first), formats.

    `formats` have the usual names of one model for several frameworks, and nothing proves that they hold the same.
    """

    kind: str
    paths: list[str]
    bytes: int
    how: str


class PhaseLine(msgspec.Struct):
    """One phase of the search: files that were left, in groups, and bytes that it read."""

    phase: str
    files: int
    groups: int
    read: int


class Duplicated(msgspec.Struct):
    """Equal files, tensors that files have in common, and models kept in several formats; bytes that come back."""

    files: list[EqualLine]
    tensors: list[AlikeLine]
    formats: list[FormatsLine]
    freed: int
    phases: list[PhaseLine]
    partial: bool
    problems: list[ProblemLine]
    schema_version: int = SCHEMA_VERSION
