"""The documents of `modelyard archive` and `modelyard recall`."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.changing import PlanLine, ReceiptLine
from modelyard.cli.documents.looking import SCHEMA_VERSION


class Archived(msgspec.Struct):
    """What was archived, or with --dry-run would be. `where`: the folder or address; `stub`: the file that stays.

    `bytes` of its files, `stored` of what is kept of them: null before they were sent, as are plan and receipt.
    """

    artifact: str
    where: str
    stub: str
    files: int
    bytes: int
    stored: int | None
    plan: PlanLine | None = None
    receipt: ReceiptLine | None = None
    schema_version: int = SCHEMA_VERSION


class Recalled(msgspec.Struct):
    """What was brought back, or with --dry-run would be. `lost`: attributes that are not kept here."""

    artifact: str
    where: str
    paths: list[str]
    files: int
    bytes: int
    lost: list[str]
    receipt: ReceiptLine | None = None
    schema_version: int = SCHEMA_VERSION
