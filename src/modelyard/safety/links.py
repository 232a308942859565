"""Links in archives, judged by where they lead once everything is unpacked: to a member, or outside.

As tarfile unpacks: a symbolic link counts from its own folder, a hard link from the top of the archive. Names are
compared as a file system does that tells neither case nor the ways to write an accent apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from unicodedata import normalize

from msgspec import Struct

from modelyard.safety.finding import Verdict


class Named(Struct, frozen=True):
    """A member by its name, and where it leads where it is a link."""

    name: str
    target: str | None = None
    hard: bool = False


Way = tuple[str, ...]
"""Names of folders from the top of the archive, and the last of what lies there."""
DEEPEST = 256
"""Steps of a way that are followed; a link with more is taken for one that leads outside."""


def leads_outside(name: str) -> bool:
    """Whether a path of an archive is absolute or climbs, on any system."""
    name = name.replace("\\", "/")
    return name.startswith("/") or name[1:2] == ":" or ".." in name.split("/")


def way(path: str) -> Way:
    """A path, step by step, as it is compared."""
    parts = path.replace("\\", "/").split("/", 2 * DEEPEST)
    return tuple(_folded(part) for part in parts if part not in ("", "."))[:DEEPEST]


def landing(link: Named) -> Way | None:
    """Where a link leads, step by step; None where that is outside."""
    steps = _steps(link)
    return steps[-1] if steps else None


def judged(members: Sequence[Named]) -> Iterator[tuple[int, Verdict, str]]:
    """What is wrong with links and with members that lie behind them, by the place of the member."""
    links = {way(each.name): landing(each) for each in members if each.target is not None}
    if not links:
        return
    for at, each in enumerate(members):
        through = _first(links, way(each.name)[:-1])
        if each.target is not None and landing(each) is None:
            yield at, "suspicious", "it would be unpacked as a link that leads outside its folder"
        elif each.target is not None and (through is not None or _crosses(each, links)):
            yield at, "suspicious", "it would be unpacked as a link that leads through another link"
        elif through is not None:
            outside = links[through] is None
            where = "outside its folder, through a link" if outside else "through a link"
            yield at, "dangerous" if outside else "suspicious", f"it would be unpacked {where}"


def _crosses(link: Named, links: dict[Way, Way | None]) -> bool:
    """Whether the way of a link goes on behind another one; a hard link to a link is that link in another place."""
    steps = _steps(link)
    return any(step in links for step in (steps if link.hard else steps[:-1]))


def _first(links: dict[Way, Way | None], path: Way) -> Way | None:
    """The first link on a way."""
    return next((path[:length] for length in range(1, len(path) + 1) if path[:length] in links), None)


def _steps(link: Named) -> list[Way]:
    """Every place that the way of a link comes by; none where it leaves the archive."""
    target = (link.target or "").replace("\\", "/")
    if target.startswith("/") or target[1:2] == ":" or target.count("/") > DEEPEST:
        return []
    here = () if link.hard else way(link.name)[:-1]
    found = [here]
    for part in target.split("/"):
        if part == "..":
            if not here:
                return []
            here = here[:-1]
        elif part not in ("", "."):
            here = (*here, _folded(part))
        found.append(here)
    return found


def _folded(part: str) -> str:
    return normalize("NFKC", part).casefold()
