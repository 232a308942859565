"""Scans many files: those of folders, each once, by several processes."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from modelyard.safety.files import scan_file
from modelyard.safety.finding import Finding, Scanned
from modelyard.safety.others import telling
from modelyard.walk.read import listed, status

if TYPE_CHECKING:
    from concurrent.futures import Future

ALONE = 0.12
"""Seconds in which one process scans some thousand small files; others would only start."""
STARTING = 0.2
"""Seconds of work that are worth the start of other processes."""
BATCH = 48
SKIPPED = {".git", "__pycache__", ".hg", ".svn"}
Told = tuple[str, tuple[Finding, ...], str]
"""What came of a file as it goes from one process to another."""
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
    for path in paths:
        if time.monotonic() > end:
            return None
        found.append(scan_file(path))
    return found


def scan_many(paths: Sequence[str], progress: Progress | None = None, workers: int = 0) -> list[Scanned]:
    """What loading each of the files would execute, in their order; `workers` 0 for as many as there are processors.

    One process begins. Where much is left after a moment it starts others, which then know what it has read of the
    policy and need not import anything.
    """
    told = progress or (lambda done, of: None)
    workers = workers or _processors()
    began, found = time.monotonic(), list[Scanned]()
    for number, path in enumerate(paths, 1):
        if workers > 1 and found and _is_long(time.monotonic() - began, len(found), len(paths)):
            break
        found.append(scan_file(path))
        told(number, len(paths))
    rest = paths[len(found) :]
    return found + _shared(rest, lambda done, of: told(len(found) + done, len(paths)), workers) if rest else found


def _is_long(seconds: float, done: int, of: int) -> bool:
    """Whether the files that are left are worth other processes, by the time that those before took."""
    return seconds > ALONE and seconds / done * (of - done) > STARTING


def _shared(paths: Sequence[str], told: Progress, workers: int) -> list[Scanned]:
    from concurrent.futures import ProcessPoolExecutor, as_completed  # a few files do without
    from concurrent.futures.process import BrokenProcessPool

    size = max(1, min(BATCH, len(paths) // (4 * workers)))
    batches = [paths[at : at + size] for at in range(0, len(paths), size)]
    results: dict[int, list[Scanned]] = {}
    done = 0
    with ProcessPoolExecutor(workers) as pool:
        running: dict[Future[list[Told]], int] = {
            pool.submit(_batch, batch): number for number, batch in enumerate(batches)
        }
        for future in as_completed(running):
            number = running[future]
            batch = batches[number]
            try:
                results[number] = [Scanned(path, *each) for path, each in zip(batch, future.result(), strict=True)]
            except BrokenProcessPool:
                results[number] = [_stopped(path) for path in batch]
            done += len(batch)
            told(done, len(paths))
    return [each for number in range(len(batches)) for each in results[number]]


def _batch(paths: Sequence[str]) -> list[Told]:
    return [(each.format, each.findings, each.loads) for each in map(scan_file, paths)]


def _stopped(path: str) -> Scanned:
    return Scanned(path, "", (Finding("unreadable", "unknown", "the scan was stopped by the system: not looked at"),))


def _processors() -> int:
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
