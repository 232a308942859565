"""What a store adapter is: a module with these members. Adding one costs the module, its test and a line here below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from modelyard.inventory import Place, Platform, Reading, Root, Store
from modelyard.walk.tree import Tree


class Adapter(Protocol):
    """A module that knows one tool's place on disk."""

    @property
    def STORE(self) -> Store:  # noqa: N802 - a constant of the module
        """Name, title, what moves it, and the marker names that give it away at any path."""

    def roots(self, env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
        """Where the tool keeps its things by default, by a variable or by a settings file, existing or not.

        A settings file that cannot be understood is a Problem among them.
        """

    def recognise(self, tree: Tree, row: int) -> int | None:
        """The row of the root that a marker at this row belongs to, None when it is no such store."""

    def read(self, root: Root, tree: Tree) -> Reading:
        """The artifacts under a root. Never raises for what is on the disk: that is a Problem."""
