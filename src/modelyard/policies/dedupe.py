"""From groups of equal files to the steps that leave one copy of their bytes. Pure: what it needs it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from modelyard.plan import Do, Mark, Path, Range, Skipped, Step
from modelyard.policies.tolerance import refused, tolerance

Way = Literal["share", "link", "none"]
PROOF = "duplicate"
ELSEWHERE = "it lies on another file system: one of the two can be removed"
STEPS: Mapping[Do, Way] = {"share": "share", "relink": "link"}
"""The steps that leave one copy of the bytes of two files, and the ways that they go."""
IN_PLACE = "one of the two is rewritten in place (chattr +C), and shares no extents"
READ = "its bytes are compared again before anything changes"


class Stored(msgspec.Struct, frozen=True):
    """A file with bytes of its own: all its names, its mark, whose it is, and what can be done with it.

    `alone`: bytes that no other file shares. `shares`: whether its file system shares extents. `outside`: it has names
    that were not seen. `kept`: why it must stay as it is, empty where nothing speaks against a change. `sharers`: how
    many files have its extents, `shared` bytes of them. `in_place`: rewritten where it lies (chattr +C).
    """

    paths: tuple[bytes, ...]
    mark: Mark
    mode: int
    group: int
    store: str
    artifact: str
    alone: int
    shares: bool
    outside: bool = False
    kept: str = ""
    sharers: int = 0
    shared: int = 0
    in_place: bool = False

    @property
    def path(self) -> bytes:
        """The first of its names."""
        return self.paths[0]

    @property
    def shown(self) -> str:
        """That name as text, as in a plan."""
        return self.path.decode("utf-8", "backslashreplace")


class Pairing(msgspec.Struct, frozen=True):
    """Two equal files: what can be done so that their bytes are there once, how much comes back, why or why not."""

    kept: Stored
    other: Stored
    way: Way
    freed: int
    why: str


def pairings(files: Sequence[Stored], user: int) -> list[Pairing]:
    """What to do with each file of a group but those that are kept: one on each device."""
    here: dict[int, list[Stored]] = {}
    for each in files:
        here.setdefault(each.mark.device, []).append(each)
    found, firsts = [], []
    for _, near in sorted(here.items()):
        kept, *others = sorted(near, key=_rank)
        found += [pairing(kept, other, user) for other in others]
        firsts.append(kept)
    return found + [Pairing(firsts[0], one, "none", 0, ELSEWHERE) for one in firsts[1:]]


def _rank(each: Stored) -> tuple[bool, bool, bool, int, int, int, bytes]:
    """The file that is kept comes first: one that may be linked to, that must stay as it is where the other can share

    its extents, that has unseen names, shares most, has most names.
    """
    stays, names = each.shares and bool(each.kept), len(each.paths)
    return (bool(_refused(each)), not stays, not each.outside, -each.sharers, -names, each.mark.mtime, each.path)


def pairing(kept: Stored, other: Stored, user: int) -> Pairing:
    """What to do with a file that has the bytes of another one on its device."""
    if other.mark.uid != user:
        return Pairing(kept, other, "none", 0, f"it belongs to user {other.mark.uid}")
    if other.kept:
        return Pairing(kept, other, "none", 0, other.kept)
    if other.shares and kept.in_place != other.in_place:
        return Pairing(kept, other, "none", 0, IN_PLACE)
    if other.shares:
        return Pairing(kept, other, "share", other.alone, "both stay files of their own and share their extents")
    why = _no_link(kept, other)
    return Pairing(kept, other, "none" if why else "link", 0 if why else other.alone, why or "one file with both names")


def _refused(each: Stored) -> str:
    known = tolerance(each.store)
    return refused(each.store, each.shown) if known.links else known.why


def _no_link(kept: Stored, other: Stored) -> str:
    for each in (other, kept):
        if why := _refused(each):
            whose = f"{each.store}: " if each.store else ""
            return f"no shared extents here, no hard link: {whose}{why}"
    if (kept.mark.uid, kept.group) != (other.mark.uid, other.group):
        return "the two have different owners, and one file has one"
    if kept.mode != other.mode:
        return (
            f"the two have different rights ({kept.mode & 0o7777:o}, {other.mode & 0o7777:o}), and one file has one set"
        )
    return "it has names outside of what was looked at" if other.outside else ""


def steps(found: Sequence[Pairing]) -> Iterator[Step]:
    """The steps of what can be done, the most bytes first."""
    for each in sorted(found, key=lambda each: (-each.freed, each.other.path)):
        words = f"{PROOF}: of {each.kept.shown}; {READ}"
        beside = Path.of(each.kept.path)
        if each.way == "share":
            yield Step(
                "share", Path.of(each.other.path), each.other.mark, each.other.artifact, "duplicate", words,
                each.freed, other=beside, source=each.kept.mark,
            )  # fmt: skip
        for number, path in enumerate(each.other.paths if each.way == "link" else (), start=1):
            freed = each.freed if number == len(each.other.paths) else 0
            yield Step(
                "relink", Path.of(path), each.other.mark, each.other.artifact, "duplicate", words,
                freed, other=beside, source=each.kept.mark,
            )  # fmt: skip


def left(found: Sequence[Pairing]) -> list[Skipped]:
    """What stays as it is, and why."""
    return [Skipped(each.other.artifact or each.other.shown, each.why) for each in found if each.way == "none"]


class Common(Struct, frozen=True):
    """Bytes of tensors that two files have in common at places where extents can be shared, and how many come back."""

    kept: Stored
    other: Stored
    ranges: tuple[Range, ...]
    tensors: int
    freed: int


def tensor_steps(found: Sequence[Common]) -> Iterator[Step]:
    """The steps that let tensors share their extents."""
    for each in sorted(found, key=lambda each: (-each.freed, each.other.path)):
        count = f"{each.tensors:,} {'tensor' if each.tensors == 1 else 'tensors'}"
        words = f"{PROOF}: {count} of {each.kept.shown}; {READ}"
        yield Step(
            "share", Path.of(each.other.path), each.other.mark, each.other.artifact, "duplicate", words, each.freed,
            other=Path.of(each.kept.path), source=each.kept.mark, ranges=list(each.ranges),
        )  # fmt: skip
