"""What every check looks at: the inventory, its tree, the variables and the volumes of one machine."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from modelyard.doctor.assignments import Assignment
from modelyard.doctor.packages import Installed
from modelyard.doctor.shell import quoted, words
from modelyard.doctor.volumes import Volume, is_below, missing_volume, volume_of
from modelyard.inventory import Inventory, Platform, Root, Store
from modelyard.problem import Problem
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree


class Spot(Struct, frozen=True):
    """A root of a store that is there, with its true path. Declared: named by its tool, not recognised by its looks."""

    store: Store
    root: Root
    row: int
    path: str
    declared: bool


class Unfinished(Struct, frozen=True):
    """The copy of a move that stopped half-way: what was to be moved and where to, where the copy lies, its bytes."""

    name: str
    target: str
    folder: str
    bytes: int


class Examination(Struct, frozen=True):
    """One machine under examination. `now` in nanoseconds since 1970."""

    inventory: Inventory
    tree: Tree
    env: Mapping[str, str]
    home: Path
    platform: Platform
    now: int
    volumes: tuple[Volume, ...]
    promised: tuple[str, ...]
    assignments: tuple[Assignment, ...]
    unread: tuple[Problem, ...]
    environments: tuple[int, ...]
    packages: tuple[Installed, ...]
    spots: tuple[Spot, ...]
    owner: int
    """The user whose home it is."""
    homes: tuple[str, ...]
    """The home as it was given, and its true path."""
    copies: tuple[Unfinished, ...] = ()

    def label(self, path: str) -> str:
        """A path as people read it, with `~` for the home."""
        for home in self.homes:
            if is_below(path, home):
                return shown("~" + path[len(home) :])
        return shown(path)

    def quoted(self, text: str) -> str:
        """A word for the shell."""
        return quoted(text, self.platform)

    @property
    def user_packages(self) -> str:
        """Where `pip install --user` puts packages."""
        return f"{self.homes[-1]}/.local"

    def words(self, *each: str) -> str:
        """A command line."""
        return words(self.platform, *each)

    def modelyard(self, *each: str) -> str:
        """A command of modelyard itself that looks at the same home."""
        own = self.env.get("HOME", self.env.get("USERPROFILE")) == str(self.home)
        return self.words("modelyard", *each, *(() if own else ("--home", str(self.home))))

    def path(self, row: int) -> str:
        """The true path of a row."""
        return os.fsdecode(self.tree.path(row))

    def allocated(self, rows: Collection[int]) -> int:
        """Bytes on disk of everything below the rows, each file once."""
        return self.tree.measure(rows).sizes.allocated

    def volume(self, path: str) -> Volume | None:
        """The volume a true path lies on."""
        return volume_of(path, self.volumes)

    def missing(self, path: str) -> str | None:
        """The volume that a path needs and that is not mounted."""
        return missing_volume(path, self.volumes, self.promised)

    def of_store(self, name: str) -> Iterator[Spot]:
        """The roots of one store."""
        return (spot for spot in self.spots if spot.store.name == name)

    def set_values(self, name: str) -> list[Assignment]:
        """What sets a variable: the start files that do, else this shell's environment."""
        found = [each for each in self.assignments if each.name == name and each.value.strip()]
        return [each for each in found if each.file] or found


def spots(inventory: Inventory, tree: Tree) -> Iterator[Spot]:
    """The roots of all stores that are there."""
    for holding in inventory.holdings:
        for root in holding.roots:
            if root.row is not None and not root.endpoint and not root.remote:
                declared = not root.found_by.startswith("recognised")
                yield Spot(holding.store, root, root.row, os.fsdecode(tree.path(root.row)), declared)
