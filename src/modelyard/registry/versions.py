"""Semantic versions: read, ordered, counted on, and chosen by range.

Order: semver.org 2.0.0, section 11. Ranges: `^` and `~` as npm's node-semver and Cargo read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering

from msgspec import Struct

NUMBER = r"(?:0|[1-9]\d{0,8})"
WORD = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
VERSION = re.compile(rf"({NUMBER})\.({NUMBER})\.({NUMBER})(?:-({WORD}(?:\.{WORD})*))?", re.ASCII)
PART = re.compile(
    rf"(\^|~|>=|<=|>|<|==|=|!=)?\s*v?({NUMBER})(?:\.({NUMBER}|[x*]))?(?:\.({NUMBER}|[x*]))?(-[0-9A-Za-z.-]+)?"
)
LONGEST = 128


@total_ordering
@dataclass(frozen=True, slots=True)  # a struct brings an order of its own
class Version:
    """`1.2.3` or `1.2.3-rc.1`; builds (`+...`) are not kept apart, so they are no versions here."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As it is written, without a v."""
        return f"{self.major}.{self.minor}.{self.patch}" + (f"-{'.'.join(self.pre)}" if self.pre else "")

    def __lt__(self, other: object) -> bool:
        """By section 11: a pre-release comes before its release, numbers before words."""
        if not isinstance(other, Version):
            return NotImplemented
        return self._key() < other._key()

    def _key(self) -> tuple[object, ...]:
        words = tuple((0, int(each), "") if each.isdigit() else (1, 0, each) for each in self.pre)
        return (*self.triple, not self.pre, words)

    @property
    def triple(self) -> tuple[int, int, int]:
        """Its numbers."""
        return self.major, self.minor, self.patch


def parse(text: str) -> Version | None:
    """A version with or without a v before it; None for everything else."""
    found = VERSION.fullmatch(text.removeprefix("v")) if len(text) <= LONGEST else None
    if found is None:
        return None
    return Version(int(found[1]), int(found[2]), int(found[3]), tuple(found[4].split(".")) if found[4] else ())


def following(known: Iterable[Version]) -> Version:
    """The version that comes by itself: 1.0.0, then the next minor one; a pre-release is followed by its release."""
    last = max(known, default=None)
    if last is None:
        return Version(1, 0, 0)
    return Version(*last.triple) if last.pre else Version(last.major, last.minor + 1, 0)


def latest(known: Iterable[Version]) -> Version | None:
    """The highest release, the highest pre-release where there is no release, None for none."""
    return max(known, key=lambda each: (not each.pre, each), default=None)


class Bound(Struct, frozen=True):
    """Versions from `low` on and before `high`, or with `apart` all but those; None for no limit."""

    low: Version | None
    high: Version | None
    apart: bool = False

    def holds(self, version: Version) -> bool:
        """Whether a version lies within."""
        inside = (self.low is None or version >= self.low) and (self.high is None or version < self.high)
        return inside != self.apart


def wanted(text: str) -> tuple[Bound, ...] | None:
    """A range: `^1`, `~1.2`, `>=1,<2`, `1.x`, `*`; None where it is none. Parts apart by commas or blanks all hold."""
    parts = re.sub(r"(\^|~|[<>=!]=?)\s+", r"\1", text.strip()).replace(",", " ").split()
    if not parts or len(text) > LONGEST:
        return None
    found = [_bound(each) for each in parts]
    return None if None in found else tuple(each for each in found if each is not None)


def _bound(text: str) -> Bound | None:
    if text in ("*", "x"):
        return Bound(None, None)
    match = PART.fullmatch(text)
    if match is None:
        return None
    given = [int(each) for each in match.group(2, 3, 4) if each and each.isdigit()]
    pre = tuple(match[5][1:].split(".")) if match[5] else ()
    if pre and len(given) < 3:
        return None
    low = _filled(given, pre)
    above = _above(given)
    just = _just(low) if len(given) == 3 else above
    sign = match[1] or "="
    if sign == "^":
        return Bound(low, _same_power(given))
    if sign == "~":
        return Bound(low, _above(given[:2]))
    if sign in ("=", "==", "!="):
        return Bound(low, just, sign == "!=")
    return {">=": Bound(low, None), "<": Bound(None, low), ">": Bound(just, None), "<=": Bound(None, just)}[sign]


def _filled(given: list[int], pre: tuple[str, ...]) -> Version:
    major, minor, patch = [*given, 0, 0][:3]
    return Version(major, minor, patch, pre)


def _above(given: list[int]) -> Version:
    """The first version, its pre-releases among them, that does not begin with these numbers."""
    raised = [*given[:-1], given[-1] + 1]
    return _filled(raised, ("0",))


def _just(version: Version) -> Version:
    """The first version after one."""
    return (
        Version(*version.triple, (*version.pre, "0"))
        if version.pre
        else Version(*version.triple[:2], version.patch + 1, ("0",))
    )


def _same_power(given: list[int]) -> Version:
    """Before the next change of the leftmost number that is not 0, as `^` has it."""
    for at, each in enumerate(given):
        if each:
            return _above(given[: at + 1])
    return _above(given)


def within(known: Iterable[Version], text: str, bounds: tuple[Bound, ...]) -> Version | None:
    """The highest version in a range; a pre-release only where the range names one of the same numbers."""
    named = {each.low.triple for each in bounds if each.low and each.low.pre and "-" in text}
    fitting = [each for each in known if all(bound.holds(each) for bound in bounds)]
    return max((each for each in fitting if not each.pre or each.triple in named), default=None)
