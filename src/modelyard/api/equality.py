"""What a search for equal files works with: the tree, digests known before, and what its phases found out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from modelyard.problem import Problem, from_errno
from modelyard.walk.digest_cache import DigestCache
from modelyard.walk.hash import Seen
from modelyard.walk.text import shown
from modelyard.walk.tree import Entry, Tree

if TYPE_CHECKING:
    from modelyard.stores.content_names import Named

Group = list[int]
Progress = Callable[[str], object]
"""Called with a line that says how far the search is."""
SMALL = 1 << 20
"""Files below are read many at a time, and are not worth a sample."""
USUAL = 64 << 10
"""Smaller files are left out unless somebody asks for all: they free few blocks, and there may be millions."""


class Equal(Struct, frozen=True):
    """Files of the same content: a row for each that has bytes of its own, the size, and how it is known.

    `shared` are for each of the rows the files that have its very extents already; empty where no file has.
    """

    rows: tuple[int, ...]
    size: int
    proof: Literal["read", "name"]
    shared: tuple[tuple[int, ...], ...] = ()


class Told(Struct, frozen=True):
    """What a phase left: files that may still be equal to another, in groups, and the bytes that it read."""

    phase: str
    files: int
    groups: int
    read: int


class Search(Struct):
    """What the phases work with, and what they found out."""

    tree: Tree
    cache: DigestCache
    least: int = USUAL
    below: Sequence[int] | None = None
    """Rows at and below which to look; the whole walk without any."""
    wanted: Callable[[int], bool] | None = None
    """Of each group at least one file has to be wanted."""
    progress: Progress | None = None
    read: int = 0
    problems: list[Problem] = field(default_factory=list)
    named: dict[int, Named] = field(default_factory=dict)
    twins: dict[int, list[int]] = field(default_factory=dict)
    """By row the files that have its extents."""
    equal: list[Equal] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    partial: bool = False

    def entry(self, row: int) -> Entry:
        """What the walk saw of a file."""
        seen = self.tree.entry(row)
        assert seen is not None
        return seen

    def seen(self, row: int) -> Seen:
        """The same, as digests are remembered."""
        each = self.entry(row)
        return Seen(each.device, each.inode, each.size, each.mtime, each.ctime)

    def size(self, group: Group) -> int:
        """Bytes of each file of a group."""
        return self.tree.size(group[0])

    def say(self, words: str) -> None:
        """Tells how far it is."""
        if self.progress:
            self.progress(words)

    def found(self, rows: Group, proof: Literal["read", "name"]) -> None:
        """Notes files that are equal."""
        ordered = tuple(sorted(rows, key=self.tree.path))
        shared = tuple(tuple(self.twins.get(row, ())) for row in ordered) if self.twins else ()
        self.equal.append(Equal(ordered, self.size(rows), proof, shared))

    def trouble(self, row: int, error: OSError) -> None:
        """Notes what could not be read; such a file is equal to none."""
        self.problems.append(from_errno(shown(self.tree.path(row)), error.errno or 0))


def parted(group: Iterable[int], key: Callable[[int], object]) -> list[Group]:
    """The group by key, without files that are alone."""
    found: dict[object, Group] = {}
    for row in group:
        found.setdefault(key(row), []).append(row)
    return [same for same in found.values() if len(same) > 1]
