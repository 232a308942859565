"""Frees what waits in the trash, for good, and measures what came back."""

from __future__ import annotations

import os
from collections.abc import Callable

from modelyard.apply.disk import Disk
from modelyard.apply.journal import Journal, Record
from modelyard.apply.trash import out_of_reach, remove_tree

Progress = Callable[[int, int], None]
"""Told how many steps of how many are done."""


def silent(done: int, total: int) -> None:
    """Tells nobody."""


AWAY = "its trash is out of reach: is the drive mounted?"


def purge(disk: Disk, journal: Journal, now: Callable[[], str], progress: Progress = silent) -> int:
    """Removes what the plan put into the trash; the bytes that its devices gained, others' writing included."""
    ledger = journal.ledger
    numbers = sorted({*ledger.waiting(), *ledger.steps("purging")})
    folders = sorted({os.path.dirname(ledger.places[number]) for number in numbers})
    before = _free(folders)
    journal.write(Record("purging", number, now()) for number in numbers)
    results = []
    for done, number in enumerate(numbers, start=1):
        results.append(_gone(disk, journal, number, now))
        progress(done, len(numbers))
    for folder in folders:
        if os.path.isdir(folder):
            disk.sync_folder(folder)
    gained = sum(_free(folders).values()) - sum(before.values())
    journal.write([*results, Record("ended", -1, now(), bytes=max(gained, 0))])
    for folder in folders:
        _tidy(disk, folder, ledger.plan.id)
    return gained


def _gone(disk: Disk, journal: Journal, number: int, now: Callable[[], str]) -> Record:
    place = journal.ledger.places[number]
    if out_of_reach(place):
        return Record("done", number, now(), why=AWAY)
    try:
        if os.path.lexists(place):
            remove_tree(disk, place)
    except OSError as error:
        return Record("purging", number, now(), why=os.strerror(error.errno or 0))
    return Record("purged", number, now())


def _free(folders: list[bytes]) -> dict[int, int]:
    """Free bytes by device."""
    found = {}
    for folder in folders:
        near = folder
        while not os.path.isdir(near):
            near = os.path.dirname(near)
        space = os.statvfs(near)
        found[os.lstat(near).st_dev] = space.f_bfree * space.f_frsize
    return found


def _tidy(disk: Disk, folder: bytes, plan: str) -> None:
    """The plan's folder in the trash goes when it is empty, and the trash with it."""
    if os.path.basename(folder) != plan.encode():
        return
    for each in (folder, os.path.dirname(folder)):
        try:
            disk.remove_folder(each)
        except OSError:
            return
