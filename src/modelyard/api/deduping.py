"""Equal files of a survey, whose they are, and the plan that leaves one copy of their bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from modelyard.api import Survey
from modelyard.api.equality import USUAL, Equal, Progress, Search
from modelyard.api.identity import find_equal
from modelyard.api.keep_files import KEPT, keep_folders, lies_in, pinned
from modelyard.plan import Mark, Plan, Skipped, Step
from modelyard.policies import dedupe
from modelyard.policies.dedupe import Common, Pairing, Stored
from modelyard.policies.tolerance import tolerance
from modelyard.walk.checksums import checksum_share
from modelyard.walk.digest_cache import DigestCache
from modelyard.walk.extents import alone, can_share
from modelyard.walk.flags import IN_PLACE, flags_of, held_by
from modelyard.walk.read import opened
from modelyard.walk.text import shown

if TYPE_CHECKING:
    from modelyard.uses.everyone import Everyone

TITLE = "dedupe"
NOTHING = "it takes no room on the disk"
HOLDING = ("process", "container", "kernel")


class Twins(Struct, frozen=True):
    """Equal files and what can be done with each but those that are kept."""

    equal: Equal
    files: tuple[Stored, ...]
    pairings: tuple[Pairing, ...]

    sharing: tuple[str, ...] = ()
    """Files that have the extents of one of them already."""

    @property
    def freed(self) -> int:
        """Bytes that come back when everything is done that can be."""
        return sum(each.freed for each in self.pairings)


class Duplicates(Struct, frozen=True):
    """What a search found: the equal files, what was read for it and left by each phase."""

    search: Search
    facts: Facts

    def twins(self) -> Iterator[Twins]:
        """The groups, each made when it is asked for: there may be a hundred thousand of them."""
        return (_twins(each, self.facts) for each in self.search.equal)

    def pairings(self) -> list[Pairing]:
        """Of all groups."""
        return [each for twins in self.twins() for each in twins.pairings]


def duplicate_files(
    survey: Survey,
    cache: DigestCache,
    names: Sequence[str] = (),
    *,
    least: int = USUAL,
    pins: Iterable[str] = (),
    everyone: Everyone | None = None,
    progress: Progress | None = None,
) -> Duplicates:
    """Equal files of at least `least` bytes, each inode once; with names at least one of a group belongs to them.

    A name is a store, an artifact or an absolute path. LookupError for one that fits nothing. `pins` are artifacts
    that stay as they are. Reads without a trace; Ctrl-C gives what was proven until then.
    """
    wanted = _wanted(survey, names) if names else None
    search = find_equal(Search(survey.tree, cache, least, wanted=wanted, progress=progress))
    return Duplicates(search, Facts(survey, frozenset(pins), everyone))


def _wanted(survey: Survey, names: Sequence[str]) -> Callable[[int], bool]:
    rows: set[int] = set()
    for name in names:
        found = {row for each in survey.artifacts if name in (each.id, each.store, each.group) for row in each.rows}
        place = survey.tree.find(os.path.realpath(name)) if os.path.isabs(name) else None
        if place is not None:
            found.add(place)
        if not found and name not in {each.store.name for each in survey.holdings}:
            raise LookupError(name)
        rows |= found
    return lambda row: _at_or_below(survey, row, rows)


def _at_or_below(survey: Survey, row: int, rows: set[int]) -> bool:
    at: int | None = row
    while at is not None and at not in rows:
        at = survey.tree.parent(at)
    return at is not None


def _twins(equal: Equal, facts: Facts) -> Twins:
    shared = equal.shared or ((),) * len(equal.rows)
    files = tuple(facts.of(row, len(rows)) for row, rows in zip(equal.rows, shared, strict=True))
    sharing = tuple(facts.path(row) for rows in equal.shared for row in rows)
    return Twins(equal, files, tuple(_with_sharers(files, shared, facts)), sharing)


def _with_sharers(files: Sequence[Stored], shared: Sequence[Sequence[int]], facts: Facts) -> Iterator[Pairing]:
    """What to do with each file, and with those that have its extents: their bytes come back with the last of them."""
    sharers = dict(zip((each.path for each in files), shared, strict=True))
    for each in dedupe.pairings(files, facts.user):
        yield each
        for row in sharers[each.other.path] if each.way == "share" else ():
            yield dedupe.pairing(each.kept, facts.of(row), facts.user)


class Facts:
    """What a policy has to know of a file."""

    def __init__(self, survey: Survey, pins: frozenset[str], everyone: Everyone | None) -> None:
        self._survey, self._pins, self._everyone = survey, pins, everyone
        self.user = os.getuid()
        self._plain = {number for number, _, how, _ in survey.tree.columns.devices if how == 0}
        self._folders = keep_folders(survey)
        self._shares, self._keeps = lru_cache(None)(can_share), lru_cache(None)(self._kept)

    def of(self, row: int, sharers: int = 0) -> Stored:
        """The facts of a file that the walk saw; `sharers` files have its extents."""
        tree = self._survey.tree
        seen = tree.columns.entry(row)
        assert seen is not None
        mode, size, allocated, device, inode, nlink, mtime, ctime, _, uid = seen
        names = sorted(map(tree.path, tree.columns.names(row))) if nlink > 1 else (tree.path(row),)
        paths = tuple(names)
        outside = len(paths) < nlink
        shares = device not in self._plain and self._shares(os.path.dirname(paths[0]))
        free = alone(paths[0], allocated) if shares else 0 if outside else allocated
        owners = self._survey.claims.owners_of(row)
        artifact = self._survey.artifacts[owners[0]] if owners else None
        links = bool(artifact and tolerance(artifact.store).links)
        flags = _flags(paths[0]) if shares or links else 0
        return Stored(
            paths,
            Mark("file", device, inode, size, mtime, ctime, uid),
            mode,
            _group(paths[0]) if links else -1,
            artifact.store if artifact else "",
            artifact.id if artifact else "",
            free,
            shares,
            outside,
            self._stays(row, owners[0] if owners else None)
            or _fixed(paths[0], flags)
            or ("" if allocated else NOTHING),
            sharers,
            allocated - free if sharers else 0,
            bool(flags & IN_PLACE),
        )

    def path(self, row: int) -> str:
        """The path of a row as it is shown."""
        return shown(self._survey.tree.path(row))

    def _stays(self, row: int, number: int | None) -> str:
        """Why a file has to stay as it is, or the artifact that it belongs to."""
        if lies_in(self._survey, row, self._folders):
            return KEPT
        return "" if number is None else self._keeps(number)

    def _kept(self, number: int) -> str:
        """Why an artifact has to stay as it is."""
        artifact = self._survey.artifacts[number]
        if artifact.id in self._pins:
            return "it is pinned"
        if pinned(self._survey, artifact):
            return KEPT
        for use in self._everyone.of(number) if self._everyone else ():
            if use.by in HOLDING:
                return f"{use.who} {use.evidence}"
        return ""


def _flags(path: bytes) -> int:
    try:
        with opened(path) as descriptor:
            return flags_of(descriptor)
    except OSError:
        return 0


def _fixed(path: bytes, flags: int) -> str:
    held = held_by(path, flags)
    return f"it is {held.how}: `{held.end}` ends that" if held else ""


def _group(path: bytes) -> int:
    try:
        return os.lstat(path).st_gid
    except OSError:
        return -1


def plan_dedupe(survey: Survey, found: Sequence[Pairing], common: Sequence[Common] = ()) -> Plan:
    """The plan for what can be done: whole files first, then tensors that files have in common."""
    from modelyard.api.planning import now_text, origin_of, roots_of  # late: whoever only looks plans nothing

    steps = [*dedupe.steps(found), *dedupe.tensor_steps(common)]
    freed = sum(step.freed for step in steps)
    likely = _checksums(steps) + sum(each.other.shared for each in found if each.way == "share")
    return Plan(
        TITLE,
        now_text(),
        origin_of(survey),
        steps,
        roots_of(survey),
        freed,
        not likely,
        dedupe.PROOF,
        _once(dedupe.left(found)),
        likely,
    ).sealed()


def _checksums(steps: Sequence[Step]) -> int:
    """What btrfs keeps beside the bytes that come back."""
    return sum(
        int(each.freed * checksum_share(os.path.dirname(each.path.text))) for each in steps if each.do == "share"
    )


def _once(skipped: Iterable[Skipped]) -> list[Skipped]:
    return [Skipped(*key) for key in dict.fromkeys((each.artifact, each.why) for each in skipped)]
