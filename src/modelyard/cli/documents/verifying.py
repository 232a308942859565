"""The document of `modelyard verify`."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.changing import ReceiptLine
from modelyard.cli.documents.looking import SCHEMA_VERSION


class OutcomeLine(msgspec.Struct):
    """An artifact with its worst state (`path` is empty), or one file of it that is not ok.

    `expected` and `found`: what was told of the file and what is there. `files`: how many by state, for artifacts.
    `bytes`: of the file, or of the artifact's files. `at`: when it was read, for artifacts the oldest reading; null
    where nothing was read.
    """

    id: str
    path: str
    state: str
    expected: str
    found: str
    files: dict[str, int]
    bytes: int
    at: str | None


class RepairLine(msgspec.Struct):
    """What can be done for a file: `how` is fetch, pull, remake, away or nobody; `words` say it; `bytes` to fetch."""

    id: str
    path: str
    how: str
    words: str
    bytes: int


class VerifiedFiles(msgspec.Struct):
    """What was verified. `files`: how many by state; `by_digest`: those that kept a digest; `read`: bytes read now.

    `left_out`: files that the sample left out; `resumed`: when the interrupted run began that this one continued.
    `repairs` and `receipt` only with --repair.
    """

    items: list[OutcomeLine]
    files: dict[str, int]
    by_digest: int
    read: int
    left_out: int
    resumed: str | None
    repairs: list[RepairLine]
    receipt: ReceiptLine | None = None
    schema_version: int = SCHEMA_VERSION
