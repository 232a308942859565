"""The verbs that look: an inventory of what is there, and what is asked of it."""

from __future__ import annotations

import difflib
import os
import stat
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from modelyard.inventory import Artifact, Disk, Holding, Inventory, Kind, LastUsed, Platform, Sizes
from modelyard.inventory import Prune as Prune
from modelyard.policies.opportunities import Opportunity
from modelyard.policies.opportunities import opportunities as _opportunities
from modelyard.problem import Problem, from_errno
from modelyard.uses import ADAPTER
from modelyard.walk.claims import Claims
from modelyard.walk.mounts import mount_of
from modelyard.walk.text import shown
from modelyard.walk.tree import Measured, Progress, Tree, walk

KEEP = ".modelyard-keep"
"""A file of this name keeps what lies in and below its folder out of every plan."""

if TYPE_CHECKING:  # what knows every store is imported by the verbs that ask all of them: a scan of one file does not
    from modelyard.doctor.complaint import Complaint
    from modelyard.doctor.examination import Unfinished
    from modelyard.stores.adapter import Adapter
    from modelyard.stores.reading import Found
    from modelyard.uses.everyone import Everyone as Everyone


def this_platform() -> Platform:
    """The platform that this program runs on."""
    return "macos" if sys.platform == "darwin" else "windows" if sys.platform == "win32" else "linux"


class Survey(Inventory, frozen=True):
    """An inventory together with the tree it was read from and who claims which rows of it."""

    tree: Tree
    claims: Claims
    at: int
    """When the walk began; nanoseconds since 1970."""

    def freed(self, ids: Iterable[str]) -> Sizes:
        """What removing exactly these artifacts frees. KeyError for an id that is not in the inventory."""
        number = {artifact.id: index for index, artifact in enumerate(self.artifacts)}
        return self.claims.measure({number[each] for each in ids}).sizes


def survey(
    env: Mapping[str, str],
    home: Path,
    platform: Platform,
    roots: Sequence[Path] = (),
    *,
    system: bool = True,
    cross_device: bool = False,
    progress: Progress | None = None,
    adapters: Sequence[Adapter] | None = None,
) -> Survey:
    """Walks home and the extra roots once and lets every adapter read that tree.

    `system` adds the places outside every home where services keep their models. Ctrl-C gives what was seen so
    far, marked partial. Without `adapters`: modelyard's own, those of installed packages, and model files that none
    of them claims. NotADirectoryError for a home or root that is no folder.
    """
    from modelyard.stores import ADAPTERS
    from modelyard.stores.reading import closed_rows, declared, read_all, read_loose
    from modelyard.stores.third_party import installed

    more: list[Problem] = []
    everything = adapters is None
    if adapters is None:
        others, broken = installed(frozenset(each.STORE.name for each in ADAPTERS))
        adapters, more = (*ADAPTERS, *others), [*broken]
    for place in (home, *roots):
        if not os.path.isdir(place):
            raise NotADirectoryError(f"{shown(str(place))} is not a folder")
    named = declared(adapters, env, home, platform, system=system)
    real_home = os.path.realpath(home)
    starts = [real_home, *(os.path.realpath(root) for root in roots)]
    refused = more
    for root in (root for each in named for root in each.roots if not root.endpoint):
        reached = _reached(root.path)
        if isinstance(reached, Problem):
            refused.append(reached)
        elif reached:
            starts.append(reached)
    told = {marker for each in adapters for marker in (*each.STORE.markers, *each.STORE.watched)}
    markers = sorted(told | {ADAPTER, KEEP})
    at = time.time_ns()
    tree = walk(starts, markers=markers, cross_device=cross_device, progress=progress, home=real_home)
    closed = closed_rows(named, tree)
    found = read_all(named, tree, closed)
    if everything:
        loose = read_loose(tree, _claims(tree, found), closed)
        found.append(loose)
    return _inventory(tree, found, str(home), refused, at)


def store_names() -> frozenset[str]:
    """The names of all stores, those of installed packages too."""
    from modelyard.stores import ADAPTERS, loose
    from modelyard.stores.third_party import installed

    own = frozenset(each.STORE.name for each in ADAPTERS)
    others, _ = installed(own)
    return own | {each.STORE.name for each in others} | {loose.STORE.name}


def _reached(path: str) -> str | Problem | None:
    """The folder itself behind a path, links resolved; None where there is none, a Problem where it is forbidden."""
    real = os.path.realpath(path)
    try:
        return real if stat.S_ISDIR(os.stat(real).st_mode) else None
    except PermissionError as error:
        return from_errno(shown(path), error.errno or 0)
    except (OSError, ValueError):
        return None


def _claims(tree: Tree, found: Iterable[Found]) -> Claims:
    drafts = [artifact for each in found for artifact in each.artifacts]
    return Claims(
        tree, [each.rows for each in drafts], [each.store for each in drafts], [each.parts for each in drafts]
    )


def _inventory(tree: Tree, found: list[Found], home: str, refused: list[Problem], walked: int) -> Survey:
    drafts = [artifact for each in found for artifact in each.artifacts]
    claims = _claims(tree, found)
    artifacts = tuple(_measured(tree, claims.measure({number}), draft) for number, draft in enumerate(drafts))
    holdings = []
    at = 0
    for each in found:
        numbers = range(at, at := at + len(each.artifacts))
        holdings.append(_holding(tree, claims, each, frozenset(numbers)))
    everything = frozenset(range(len(artifacts)))
    totals = claims.measure(everything).sizes
    problems = refused + tree.problems() + [problem for each in found for problem in each.problems]
    return Survey(
        home,
        tree.starts,
        tree.partial,
        totals,
        tuple(holdings),
        _kinds(claims, artifacts),
        artifacts,
        _disks(tree.starts),
        tuple(problems),
        sum(holding.sizes.allocated for holding in holdings) - totals.allocated,
        tree,
        claims,
        walked,
    )


def _measured(tree: Tree, measured: Measured, draft: Artifact) -> Artifact:
    written = None if measured.newest is None else LastUsed(measured.newest, "a file of it was written", "medium")
    signs = [sign for sign in (draft.last_used, _last_read(tree, measured, draft), written) if sign]
    latest = max(signs, key=lambda sign: sign.at, default=None)
    return replace(draft, sizes=measured.sizes, last_used=latest, written=measured.newest)


def _last_read(tree: Tree, measured: Measured, draft: Artifact) -> LastUsed | None:
    """The newest access time of its files that no other name shares, where the file system keeps such times."""
    seen = tree.entry(draft.rows[0]) if draft.rows else None
    if measured.last_read is None or seen is None:
        return None
    mount = mount_of(seen.device)
    options = mount.options if mount else frozenset()
    if "noatime" in options:
        return None
    return LastUsed(
        measured.last_read, "a file of it was read", "medium" if not mount or "relatime" in options else "high"
    )


def _holding(tree: Tree, claims: Claims, found: Found, numbers: frozenset[int]) -> Holding:
    rows = [root.row for root in found.roots if root.row is not None and not root.shared]
    unclaimed = tree.measure(rows, claims.all()).sizes.allocated
    sizes = claims.measure(numbers).sizes
    return Holding(found.store, found.roots, len(numbers), sizes, unclaimed, found.prunes, found.seconds)


def _kinds(claims: Claims, artifacts: Sequence[Artifact]) -> dict[Kind, tuple[int, Sizes]]:
    members: dict[Kind, set[int]] = {}
    for number, artifact in enumerate(artifacts):
        members.setdefault(artifact.kind, set()).add(number)
    sized = {kind: (len(numbers), claims.measure(numbers).sizes) for kind, numbers in members.items()}
    return dict(sorted(sized.items(), key=lambda item: -item[1][1].allocated))


def _disks(starts: Iterable[str]) -> tuple[Disk, ...]:
    disks: dict[int, Disk] = {}
    for path in starts:
        try:
            device, space = os.lstat(path).st_dev, os.statvfs(path)
        except OSError:  # gone since it was walked; then so is what it held
            continue
        if device not in disks:
            mount = mount_of(device)
            name = mount.source if mount else shown(path)
            disks[device] = Disk(name, space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize)
    return tuple(disks.values())


class Sharer(Struct, frozen=True):
    """Another artifact with names for some of the same files; allocated bytes."""

    id: str
    files: int
    allocated: int


def find_artifact(survey: Survey, name: str) -> tuple[int, Artifact]:
    """The artifact of an id, or of a part of an id that fits one only. LookupError with the nearest ids otherwise."""
    artifacts = survey.artifacts
    for number, artifact in enumerate(artifacts):
        if artifact.id == name:
            return number, artifact
    near = [number for number, artifact in enumerate(artifacts) if name.lower() in artifact.id.lower()]
    if len(near) == 1:
        return near[0], artifacts[near[0]]
    close = [artifacts[number].id for number in near] or difflib.get_close_matches(
        name, [each.id for each in artifacts], 5, 0.4
    )
    reason = f"{len(near)} artifacts fit" if near else "no artifact is called"
    raise LookupError(f"{reason} {name!r}" + (f"; did you mean {', '.join(close[:5])}?" if close else ""))


def sharers(survey: Survey, number: int) -> list[Sharer]:
    """Which other artifacts have names for files of this one, most bytes first."""
    others = [each for at, each in enumerate(survey.artifacts) if at != number]
    rows = list(set(survey.artifacts[number].rows))
    common = survey.tree.columns.overlap(rows, [list(set(each.rows)) for each in others])
    found = [Sharer(each.id, *both) for each, both in zip(others, common, strict=True) if both[0]]
    return sorted(found, key=lambda each: (-each.allocated, each.id))


def everyone(
    survey: Survey, env: Mapping[str, str], home: Path, platform: Platform, *, system: bool = True
) -> Everyone:
    """Who uses what, as far as this machine tells: processes, servers, kernels, adapters and people's own code."""
    from modelyard.uses.everyone import everyone as look  # late: most surveys ask nobody

    return look(survey.tree, survey.claims, survey.artifacts, env, home, platform, system=system)


def largest(survey: Survey, count: int) -> list[tuple[int, str | None]]:
    """The rows of the files that take most space under the roots, and the artifact each belongs to."""
    artifacts = survey.artifacts
    found = []
    for row in survey.tree.largest(count):
        owners = survey.claims.owners_of(row)
        found.append((row, artifacts[owners[0]].id if owners else None))
    return found


def opportunities(survey: Survey, now: int, limit: int = 5) -> list[Opportunity]:
    """Where most bytes could come back; `now` in nanoseconds since 1970."""
    return _opportunities(survey, survey.freed, now, limit)


def examine(
    survey: Survey,
    env: Mapping[str, str],
    home: Path,
    platform: Platform,
    now: int,
    copies: tuple[Unfinished, ...] = (),
) -> list[Complaint]:
    """What is wrong on this machine, the worst first, with the variables and home of the survey; `now` in nanoseconds

    since 1970, `copies` those of moves that stopped half-way. Reads only, and runs nothing.
    """
    from modelyard.doctor import complaints, prepare

    return complaints(prepare(survey, survey.tree, env, home, platform, now, copies=copies))
