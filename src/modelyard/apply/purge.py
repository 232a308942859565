"""Frees what waits in the trash, for good, and measures what came back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from modelyard.apply.disk import Disk
from modelyard.apply.journal import Journal, Ledger, Record
from modelyard.apply.marks import drift, lonely, take, written
from modelyard.apply.trash import out_of_reach, remove_tree
from modelyard.walk.flags import held_within
from modelyard.walk.mounts import mounts_within
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree, walk

Progress = Callable[[int, int], None]
"""Told how many steps of how many are done."""
Holder = Callable[[bytes], str]
"""Who holds something at or below a path, empty when nobody does."""


def silent(done: int, total: int) -> None:
    """Tells nobody."""


def nobody(path: bytes) -> str:
    """Holds nothing."""
    return ""


AWAY = "its trash is out of reach: is the drive mounted?"


def purge(
    disk: Disk,
    journal: Journal,
    now: Callable[[], str],
    progress: Progress = silent,
    holder: Holder = nobody,
) -> int:
    """Removes what the plan put into the trash; the bytes that its devices gained, others' writing included.

    What is in use, was written to since it was removed, or has something mounted in it stays where it is.
    """
    ledger = journal.ledger
    return _purged(disk, journal, sorted({*ledger.waiting(), *ledger.steps("purging")}), now, progress, holder)


def settle(disk: Disk, journal: Journal, now: Callable[[], str]) -> None:
    """After an interruption what is whole in the trash stays there, and what is half gone goes."""
    ledger = journal.ledger
    whole = [number for number in ledger.steps("purging") if _is_whole(ledger, number)]
    if whole:
        journal.write(Record("done", number, now()) for number in whole)
    if half := ledger.steps("purging"):
        _purged(disk, journal, half, now, silent, nobody)


def _is_whole(ledger: Ledger, number: int) -> bool:
    mark = ledger.marks.get(number)
    try:
        return mark is not None and not drift(mark, take(ledger.places[number]), moved=True)
    except OSError:
        return False


def _purged(
    disk: Disk,
    journal: Journal,
    numbers: Sequence[int],
    now: Callable[[], str],
    progress: Progress,
    holder: Holder,
) -> int:
    ledger = journal.ledger
    half = set(ledger.steps("purging"))
    seen = walk([place for number in numbers if os.path.isdir(place := ledger.places[number])])
    stays = {number: why for number in numbers if (why := _why_not(ledger, number, seen, holder, number in half))}
    folders = sorted({os.path.dirname(ledger.places[number]) for number in numbers})
    before = free_bytes(folders)
    journal.write(Record("purging", number, now()) for number in numbers)
    results = []
    for done, number in enumerate(numbers, start=1):
        why = stays.get(number, "")
        results.append(Record("done", number, now(), why=why) if why else _gone(disk, ledger, number, now))
        progress(done, len(numbers))
    for folder in folders:
        if os.path.isdir(folder):
            disk.sync_folder(folder)
    gained = sum(free_bytes(folders).values()) - sum(before.values())
    journal.write([*results, Record("ended", -1, now(), bytes=max(gained, 0))])
    for folder in folders:
        tidy(disk, folder, ledger.plan.id)
    return gained


def _why_not(ledger: Ledger, number: int, seen: Tree, holder: Holder, half: bool) -> str:
    """Why a thing stays in the trash. Of what is `half` gone already nothing tells that it was written to."""
    place, step = ledger.places[number], ledger.plan.steps[number]
    if out_of_reach(place):
        return AWAY
    if why := lonely(ledger.plan.copies, step.artifact) or holder(place):
        return why
    if mounted := mounts_within(place):
        return f"{shown(mounted[0])} is mounted in it: unmount it and purge again"
    try:
        why = "" if half or step.expect is None else written(step.expect, take(place, seen))
    except OSError as error:
        return os.strerror(error.errno or 0)
    return f"{why} after it was removed: `modelyard undo {ledger.plan.id}` brings it back" if why else ""


def _gone(disk: Disk, ledger: Ledger, number: int, now: Callable[[], str]) -> Record:
    place = ledger.places[number]
    try:
        if os.path.lexists(place):
            remove_tree(disk, place)
    except OSError as error:
        return Record("purging", number, now(), why=_stays(place) or os.strerror(error.errno or 0))
    return Record("purged", number, now())


def _stays(place: bytes) -> str:
    """What in the trash nobody can remove, and how that ends; empty where nothing is so."""
    try:
        found = held_within(place)
    except OSError:
        return ""
    return f"{shown(found.path)} is {found.how}: `{found.end}` ends that, then purge again" if found else ""


def free_bytes(folders: Sequence[bytes]) -> dict[int, int]:
    """Free bytes by device."""
    found = {}
    for folder in folders:
        near = folder
        while not os.path.isdir(near):
            near = os.path.dirname(near)
        space = os.statvfs(near)
        found[os.lstat(near).st_dev] = space.f_bfree * space.f_frsize
    return found


def tidy(disk: Disk, folder: bytes, plan: str) -> None:
    """The plan's folder in the trash goes when it is empty, and the trash with it."""
    if os.path.basename(folder) != plan.encode():
        return
    for each in (folder, os.path.dirname(folder)):
        try:
            disk.remove_folder(each)
        except OSError:
            return
