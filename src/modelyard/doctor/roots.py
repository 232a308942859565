"""Roots in the wrong place: volumes that are not there, two roots of one store, folders that a cloud copies."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination, Spot
from modelyard.doctor.shell import copy_missing
from modelyard.doctor.variables import DEAD, names
from modelyard.inventory import Root, Store
from modelyard.stores import ADAPTERS
from modelyard.stores.adapter import Adapter
from modelyard.stores.places import expand
from modelyard.units import size
from modelyard.walk.text import shown

NOTES = "environments.txt"
MADE_AGAIN = {"package cache", "compile cache"}


def missing(examination: Examination) -> Iterator[Complaint]:
    """Variables, settings and notes that point to a volume that is not mounted."""
    wanted: dict[str, dict[str, None]] = {}
    for path, pointer in _pointers(examination):
        lost = examination.missing(path)
        if lost:
            wanted.setdefault(lost, {})[pointer] = None
    for lost, pointers in wanted.items():
        by = list(pointers)
        forgets = any(each.endswith(NOTES) for each in by)
        after = "the tools fall back to their default place or fill an empty folder, and download everything again"
        if forgets:
            after += "; `conda env list` forgets the environments there for good, so do not run it now"
        yield Complaint(
            "missing-volume",
            "danger" if forgets else "fault",
            examination.label(lost),
            f"the volume at {examination.label(lost)} is not there; what points into it: {_listed(by)}",
            after,
            *_mount(examination, lost),
        )


def _pointers(examination: Examination) -> Iterator[tuple[str, str]]:
    for holding in examination.inventory.holdings:
        for root in holding.roots:
            led = not root.found_by.startswith(("default", "recognised")) and root.found_by not in DEAD
            if led and not root.endpoint and not root.remote:
                yield os.path.normpath(root.path), shown(root.found_by)
    known = names(examination) - DEAD.keys()
    for each in examination.assignments:
        if each.file and each.name in known and "://" not in each.value:
            path = expand(each.value, examination.env, examination.home)
            yield os.path.normpath(path), f"{each.name} in {examination.label(each.file)}"


def _mount(examination: Examination, lost: str) -> tuple[str, str]:
    if lost in examination.promised:
        return examination.words("sudo", "mount", lost), "mounts it as /etc/fstab says"
    lists = {"macos": "diskutil list", "windows": "Get-Volume", "linux": "lsblk -f"}[examination.platform]
    return lists, "attach the drive or the share first; this lists the volumes that are there"


def _listed(each: list[str], most: int = 3) -> str:
    more = f" and {len(each) - most:,} more" if len(each) > most else ""
    return ", ".join(each[:most]) + more


def two_roots(examination: Examination) -> Iterator[Complaint]:
    """A folder that a variable took out of force and that still holds things, beside the one in force."""
    for adapter in ADAPTERS:
        now = _named(examination, adapter, examination.env)
        for env, why in _other_shells(examination):
            other = _named(examination, adapter, env)
            used = [row for row in now if row not in other]
            for row in other if used else ():
                if row not in now and not _nested(examination, row, used):
                    yield _second(examination, adapter.STORE, row, (used[0], now[used[0]]), why)


def _other_shells(examination: Examination) -> Iterator[tuple[Mapping[str, str], str]]:
    """Variables as other programs have them: none at all, and those of the start files."""
    yield {}, "by default"
    more = {each.name: each.value for each in examination.assignments if each.file}
    if any(examination.env.get(name) != value for name, value in more.items()):
        yield {**examination.env, **more}, "by a start file"


def _named(examination: Examination, adapter: Adapter, env: Mapping[str, str]) -> dict[int, Root]:
    """The roots a tool would use with these variables that hold something, by row."""
    found: dict[int, Root] = {}
    for place in adapter.roots(env, examination.home, examination.platform):
        if isinstance(place, Root) and not place.endpoint and not place.remote and not place.system:
            row = examination.tree.find(os.path.realpath(place.path))
            if row is not None and examination.tree.measure([row]).sizes.apparent:
                found.setdefault(row, place)
    return found


def _nested(examination: Examination, row: int, others: list[int]) -> bool:
    path = examination.path(row)
    paths = [examination.path(other) for other in others]
    return any(path.startswith(other + "/") or other.startswith(path + "/") for other in paths)


def _second(examination: Examination, store: Store, left: int, force: tuple[int, Root], why: str) -> Complaint:
    paths = [examination.path(row) for row in (left, force[0])]
    labels = [examination.label(path) for path in paths]
    held = [size(examination.allocated([row])) for row in (left, force[0])]
    command, caution = examination.modelyard("ls", "--store", store.name), "lists what lies in both"
    if set(store.kinds) <= MADE_AGAIN and examination.platform != "windows":
        command = examination.words("rm", "-rf", "--", paths[0])
        caution = f"removes {labels[0]} with {held[0]}, which is got or made again where it is needed"
    elif "environment" not in store.kinds:
        command = copy_missing(paths[0], paths[1], examination.platform)
        caution = f"copies at most {held[0]} into the folder in force; overwrites and removes nothing"
    return Complaint(
        "two-roots",
        "fault",
        labels[0],
        f"{store.title} lies in two folders: {labels[1]} ({held[1]}) is in force by {shown(force[1].found_by)}, "
        f"{labels[0]} ({held[0]}) is used {why}",
        "what lies in the one is downloaded again into the other",
        command,
        caution,
    )


def summary(spots: list[Spot]) -> str:
    """The stores of some roots, as text."""
    return _listed(list(dict.fromkeys(spot.store.title for spot in spots)))
