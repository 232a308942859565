"""The document of `modelyard scan`."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.looking import SCHEMA_VERSION


class FindingLine(msgspec.Struct):
    """One thing that loading would do. `where`: the member and the byte; `runs`: what would run or what is wrong."""

    code: str
    severity: str
    where: str
    runs: str
    advice: str


class ScannedLine(msgspec.Struct):
    """What loading one file would execute. `loads`: how torch loads it, where it is one of torch's files.

    `format` is `folder` for the folder of a model in which code lies; its finding names the files.
    """

    path: str
    format: str
    verdict: str
    loads: str
    findings: list[FindingLine]


class ScannedFiles(msgspec.Struct):
    """What loading files would execute. `verdict`: the worst of all."""

    files: list[ScannedLine]
    verdict: str
    schema_version: int = SCHEMA_VERSION
