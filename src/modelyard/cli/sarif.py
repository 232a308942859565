"""What a scan found as SARIF 2.1.0, which code hosts and editors show (OASIS, sarif-schema-2.1.0)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from modelyard import __version__
from modelyard.api.scanning import CODES, Finding, Scanned, Verdict
from modelyard.walk.text import shown

LEVELS: dict[Verdict, Literal["none", "note", "warning", "error"]] = {
    "safe": "note", "suspicious": "warning", "unknown": "warning", "dangerous": "error",
}  # fmt: skip


class Message(msgspec.Struct):
    """Words."""

    text: str


class Rule(msgspec.Struct, rename="camel"):
    """A code and what it means."""

    id: str
    short_description: Message
    full_description: Message
    help: Message


class Driver(msgspec.Struct, rename="camel"):
    """This program."""

    name: str
    version: str
    rules: list[Rule]


class Tool(msgspec.Struct):
    """What made the document."""

    driver: Driver


class Artifact(msgspec.Struct):
    """A file by its address."""

    uri: str


class Region(msgspec.Struct, rename="camel"):
    """A place in a file, counted in bytes."""

    byte_offset: int
    byte_length: int = 0


class Physical(msgspec.Struct, rename="camel", omit_defaults=True):
    """A file and a place in it."""

    artifact_location: Artifact
    region: Region | None = None


class Logical(msgspec.Struct, rename="camel"):
    """A member of an archive."""

    fully_qualified_name: str


class Location(msgspec.Struct, rename="camel", omit_defaults=True):
    """Where something was found."""

    physical_location: Physical
    logical_locations: list[Logical] = []


class Result(msgspec.Struct, rename="camel"):
    """One finding."""

    rule_id: str
    level: str
    message: Message
    locations: list[Location]


class Run(msgspec.Struct, rename="camel"):
    """One scan."""

    tool: Tool
    results: list[Result]
    column_kind: str = "utf16CodeUnits"


class Sarif(msgspec.Struct, rename={"schema": "$schema"}):
    """A SARIF document."""

    runs: list[Run]
    version: str = "2.1.0"
    schema: str = "https://json.schemastore.org/sarif-2.1.0.json"


def document(found: Sequence[Scanned]) -> Sarif:
    """What a scan found, one result a finding."""
    results = [_result(each.path, own) for each in found for own in each.findings]
    used = sorted({own.code for each in found for own in each.findings})
    rules = [
        Rule(code, Message(CODES[code].title), Message(CODES[code].meaning), Message(CODES[code].advice or "nothing"))
        for code in used
    ]
    return Sarif([Run(Tool(Driver("modelyard", __version__, rules)), results)])


def _result(path: str, own: Finding) -> Result:
    region = Region(own.offset) if own.offset is not None and not own.member else None
    place = Physical(Artifact(_address(path)), region)
    inside = [Logical(own.where)] if own.member else []
    text = f"{CODES[own.code].title}: {own.runs}" + (f" ({own.where})" if own.where else "")
    return Result(own.code, LEVELS[own.severity], Message(text), [Location(place, inside)])


def _address(path: str) -> str:
    """A file as an address: relative paths stay relative, as code hosts want them."""
    return Path(path).as_uri() if Path(path).is_absolute() else shown(Path(path).as_posix())
