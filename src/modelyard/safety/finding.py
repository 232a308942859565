"""The nouns of a scan, frozen: findings, verdicts, and what a file comes out as. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Verdict = Literal["safe", "suspicious", "unknown", "dangerous"]
VERDICTS: tuple[Verdict, ...] = ("safe", "suspicious", "unknown", "dangerous")
"""From the best to the worst."""


class Finding(Struct, frozen=True):
    """One thing that loading would do, or that keeps it from being known."""

    code: str
    severity: Verdict
    runs: str
    """What would run, or what is wrong."""
    member: str = ""
    """Where: the member of an archive, and what lies in it."""
    offset: int | None = None
    """Bytes from the beginning of the member."""

    @property
    def where(self) -> str:
        """The place as people read it: `archive/data.pkl:17`."""
        return (
            self.member if self.offset is None else f"{self.member}:{self.offset}" if self.member else str(self.offset)
        )


class Scanned(Struct, frozen=True):
    """What loading a file would execute."""

    path: str
    format: str
    """What it is, empty where nothing is known that could run."""
    findings: tuple[Finding, ...] = ()
    loads: str = ""
    """How it can be loaded, where its framework asks."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings."""
        return worst(each.severity for each in self.findings) if self.findings else "safe"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; safe for none."""
    return max(verdicts, key=VERDICTS.index, default="safe")
