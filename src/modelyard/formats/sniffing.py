"""What formats are told apart by: a file's first bytes, and the names of an archive's members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from modelyard.formats.file import File
from modelyard.formats.header import Header
from modelyard.problem import Problem

LENGTH = 65536
"""Bytes of a file's beginning that are looked at."""


class Head(Struct, frozen=True):
    """The first bytes of a file, and the names in it when it is a zip or a tar archive."""

    data: bytes
    names: tuple[str, ...] = ()
    table: bool = False
    """Whether it ends like a sorted table of LevelDB."""

    @property
    def below(self) -> frozenset[str]:
        """The names in an archive without the folder that torch puts around all of them."""
        return frozenset(name.partition("/")[2] or name for name in self.names)


class Format(Protocol):
    """A module that knows one file format."""

    @property
    def TITLE(self) -> str:  # noqa: N802 - a constant of the module
        """What people call it."""

    def sniff(self, head: Head) -> bool:
        """Whether a file that begins like this has the format. Never raises."""

    @property
    def read(self) -> Callable[[File], Header | Problem]:
        """The header of a file; a Problem for one that is damaged, never an exception."""
