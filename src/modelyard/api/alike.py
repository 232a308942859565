"""What model files of a survey have in common beyond whole files: tensors, formats of one model, and casts."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from modelyard.api import Survey
from modelyard.api.casts import Cast, Formats, casts, formats_beside
from modelyard.api.deduping import Duplicates, Facts
from modelyard.api.equality import Progress
from modelyard.api.tensors import Alike, alike, large_rows, models_of, runs
from modelyard.plan import Range
from modelyard.policies.dedupe import Common, Stored
from modelyard.walk.checksums import checksum_share
from modelyard.walk.extents import alone_within
from modelyard.walk.tree import Tree

BLOCK = 4096
OWN = b".modelyard-"
BTRFS_EXTENT = 128 << 20
"""The longest extent of btrfs, which comes back only when none of it is used (fs/btrfs/extent_io.h)."""


class Resembling(Struct, frozen=True):
    """Files with tensors in common and what sharing those would give, one model in two formats, roundings of models."""

    tensors: tuple[Alike, ...]
    common: tuple[Common, ...]
    twins: tuple[Alike, ...]
    casts: tuple[Cast, ...]
    formats: tuple[Formats, ...]


class OwnFolders:
    """Knows which folders are of modelyard itself, its trash and half-made copies; each is looked at once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known: dict[int | None, bool] = {None: False}

    def has(self, row: int) -> bool:
        """Whether a file or folder lies in one of them."""
        folder = self._tree.parent(row)
        if folder not in self._known:
            assert folder is not None
            self._known[folder] = self._tree.name(folder).startswith(OWN) or self.has(folder)
        return self._known[folder]


def resembling(survey: Survey, found: Duplicates, progress: Progress | None = None) -> Resembling:
    """Compares the tensors of every model file of a survey; of equal files one is looked at.

    Only those files that the search for duplicates wanted, if it wanted some, count as the second of two.
    """
    tree, wanted = survey.tree, found.search.wanted
    again = {row for equal in found.search.equal for row in equal.rows[1:]}
    again |= {row for rows in found.search.twins.values() for row in rows}
    inside = OwnFolders(tree)
    rows = [row for row in large_rows(tree) if row not in again and not inside.has(row)]
    models = models_of(tree, rows, progress)
    pairs = [each for each in alike(models, progress) if not wanted or wanted(each.one.row) or wanted(each.other.row)]
    twins = tuple(each for each in pairs if each.whole and each.one.format != each.other.format)
    common = [shared for each in pairs if (shared := _common(each, found.facts))]
    rounded = [each for each in casts(models) if not wanted or wanted(each.wide.row) or wanted(each.narrow.row)]
    folders = {row for artifact in survey.artifacts for row in artifact.rows} if not wanted else set()
    return Resembling(
        tuple(pairs), tuple(common), twins, tuple(rounded), tuple(formats_beside(tree, folders)) if folders else ()
    )


def _common(each: Alike, facts: Facts) -> Common | None:
    """What can be shared of two files, None where nothing can."""
    kept, other = facts.of(each.one.row), facts.of(each.other.row)
    if kept.mark.device != other.mark.device or not other.shares or other.kept or other.mark.uid != facts.user:
        return None
    ranges = tuple(_aligned(runs(each.shared)))
    if not ranges:
        return None
    longest = BTRFS_EXTENT if _checksums(other) else 0
    freed = sum(alone_within(other.path, part.at, part.length, longest) for part in ranges)
    return Common(kept, other, ranges, len(each.shared), freed) if freed else None


def _aligned(stretches: Iterator[tuple[int, int, int]]) -> Iterator[Range]:
    """The whole blocks of stretches that begin at the same place of a block in both: nothing else can be shared."""
    for start, length, at in stretches:
        skip = -start % BLOCK
        whole = (length - skip) // BLOCK * BLOCK
        if start % BLOCK == at % BLOCK and whole > 0:
            yield Range(start + skip, whole, at + skip)


def _checksums(file: Stored) -> float:
    """How much its file system keeps beside each byte, as btrfs alone does."""
    return checksum_share(file.shown.rpartition("/")[0] or "/")
