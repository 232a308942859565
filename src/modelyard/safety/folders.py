"""Scans many files: those of folders, each once, by several processes."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from modelyard.safety.finding import Finding, Scanned
from modelyard.safety.glance import LONGEST, glance
from modelyard.safety.signs import telling
from modelyard.safety.workers import MOST, shared
from modelyard.walk.read import listed, read_many, status

ALONE = 0.02
"""Seconds in which one process scans a thousand small files, and tells how long all of them will take."""
STARTING = 0.02
"""Seconds of work that are worth the start of other processes."""
BATCH = 48
SKIPPED = {".git", "__pycache__", ".hg", ".svn"}
_TOLD = msgspec.msgpack.Decoder(list[tuple[str, tuple[Finding, ...], str]])
"""What came of files as it goes from one process to another."""
Progress = Callable[[int, int], object]
"""Is told how many files of how many are done."""


def files_below(paths: Iterable[str]) -> list[str]:
    """The plain files at and below some paths in order, each file once for all names that say the same of it.

    What a file does depends on its name too: the same bytes are settings as `config.json` and words as `notes.txt`.
    Links to files are followed, links to folders only where they were asked for.
    """
    names: dict[tuple[int, int] | str, dict[str, str]] = {}
    for path in paths:
        for each, found in _below(path):
            if found is None:
                names[each] = {"": each}  # told as unreadable by who scans it
            elif stat.S_ISREG(found.st_mode) or each == path or stat.S_ISDIR(found.st_mode):  # a closed folder
                told = telling(os.path.basename(each))
                names.setdefault((found.st_dev, found.st_ino), {}).setdefault(told, each)
    # blobs of the hub have no suffix, the links to them do
    return [each for known in names.values() for told, each in known.items() if told or len(known) == 1]


def _below(path: str) -> Iterator[tuple[str, os.stat_result | None]]:
    """What is no folder, or a closed one, at and below a path, and what it is; None where it leads nowhere."""
    waiting = [(path, status(path))]
    while waiting:
        here, found = waiting.pop()
        if found is None or not stat.S_ISDIR(found.st_mode) or not os.access(here, os.R_OK | os.X_OK):
            yield here, found
            continue
        around = here.rstrip("/") + "/"
        for name, link, inner in reversed(listed(here)):
            if name not in SKIPPED and not (link and inner is not None and stat.S_ISDIR(inner.st_mode)):
                waiting.append((around + name, inner))


def identity(path: str) -> tuple[int, int, str] | str:
    """Which file a path leads to, with what its name says of it; the path itself where it leads nowhere."""
    found = status(path)
    return path if found is None else (found.st_dev, found.st_ino, telling(os.path.basename(path)))


def scan_until(paths: Sequence[str], end: float) -> list[Scanned] | None:
    """What loading each of the files would execute; None when time is over, by the monotonic clock, before they are."""
    found = []
    for each in _each(paths):
        found.append(each)
        if time.monotonic() > end:
            break
    return found if len(found) == len(paths) else None


def scan_many(paths: Sequence[str], progress: Progress | None = None, workers: int = 0) -> list[Scanned]:
    """What loading each of the files would execute, in their order; `workers` 0 for as many as there are processors.

    One process begins. Where much is left after a moment it starts others, which know all that it has read by then.
    """
    told = progress or (lambda done, of: None)
    workers = workers or _processors()
    began, found = time.monotonic(), list[Scanned]()
    for each in _each(paths, workers):
        found.append(each)
        told(len(found), len(paths))
        if workers > 1 and _is_long(time.monotonic() - began, len(found), len(paths)):
            break
    rest = paths[len(found) :]
    return found + _shared(rest, lambda done, of: told(len(found) + done, len(paths)), workers) if rest else found


def _each(paths: Sequence[str], threads: int = 1) -> Iterator[Scanned]:
    """Scans one file after the other; what is small is read before, many files at a time."""
    for at in range(0, len(paths), BATCH):
        some = paths[at : at + BATCH]
        for path, data in zip(some, read_many(some, LONGEST, threads), strict=True):
            known = None if data is None else glance(os.path.basename(path), data)
            yield _scanned(path, data) if known is None else Scanned(path, known)


def _scanned(path: str, data: bytes | None) -> Scanned:
    from modelyard.safety.files import scan_file  # late: most folders hold nothing that needs it

    return scan_file(path, data)


def _is_long(seconds: float, done: int, of: int) -> bool:
    """Whether the files that are left are worth other processes, by the time that those before took."""
    return seconds > ALONE and seconds / done * (of - done) > STARTING


def _shared(paths: Sequence[str], told: Progress, workers: int) -> list[Scanned]:
    size = max(1, min(BATCH, len(paths) // (4 * workers)), len(paths) // MOST + 1)
    batches = [paths[at : at + size] for at in range(0, len(paths), size)]
    results: dict[int, list[Scanned]] = {}
    done = 0
    for number, answer in shared(lambda number: _batch(batches[number]), len(batches), workers):
        batch = batches[number]
        results[number] = [Scanned(path, *each) for path, each in zip(batch, _TOLD.decode(answer), strict=True)]
        done += len(batch)
        told(done, len(paths))
    return [
        each
        for number, batch in enumerate(batches)
        for each in results.get(number) or [_stopped(path) for path in batch]
    ]


def _batch(paths: Sequence[str]) -> bytes:
    return msgspec.msgpack.encode([(each.format, each.findings, each.loads) for each in _each(paths)])


def _stopped(path: str) -> Scanned:
    return Scanned(path, "", (Finding("unreadable", "unknown", "the scan was stopped by the system: not looked at"),))


def _processors() -> int:
    if not hasattr(os, "fork"):
        return 1
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
