"""Verifies what is here against every word that somebody left of it; offline, without a trace, resumable."""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from itertools import islice

import msgspec
from msgspec import Struct

from modelyard.api.checking import LOST, STATES, Outcome, State, read_all, unread
from modelyard.api.digests import Where, digest_cache
from modelyard.api.expecting import Item, Wanted
from modelyard.apply import notes
from modelyard.apply.disk import Disk
from modelyard.apply.rooms import known_rooms, rooms
from modelyard.apply.verified import Verified, remembered
from modelyard.problem import Problem
from modelyard.units import SECOND
from modelyard.walk.digest_cache import RACY, DigestCache
from modelyard.walk.extents import first_places
from modelyard.walk.hash import rotates

AT_ONCE = 2
TURN = 0.1
"""Seconds between two words of progress."""
RUNS = b"verifying.json"
OLD_RUN = 7 * 86400 * SECOND
MOST_WAITING = 16
TOGETHER, MOST_TOGETHER = 4 << 20, 64
"""Bytes and files that one thread takes at once."""
Progress = Callable[[int, int, str], object]
"""Told bytes that were read, of how many, and the file that was done last."""


class Choice(Struct, frozen=True):
    """Which of the items are read: not those that were verified within `since` nanoseconds, and a share of the rest."""

    since: int | None = None
    share: float = 1.0


class Runs(msgspec.Struct):
    """The runs that were interrupted: by what they were asked for when they began, nanoseconds since 1970."""

    begun: dict[str, int] = {}


class Run(Struct, frozen=True):
    """What is about to be read, and what is known already. `resumed`: when an interrupted run began."""

    jobs: tuple[tuple[Item, ...], ...]
    known: tuple[Outcome, ...]
    left_out: int
    resumed: int | None

    @property
    def bytes(self) -> int:
        """Bytes to be read."""
        return sum(max(each.size for each in job) for job in self.jobs)


def planned(wanted: Wanted, choice: Choice, memory: Verified, now: int, resumed: int | None = None) -> Run:
    """What to read, in the order in which it lies on its disk. A file is one job, whatever its names and words."""
    known: list[Outcome] = []
    waiting: list[Item] = []
    least = max((now - choice.since if choice.since is not None else now), 0)
    least = min(least, resumed) if resumed is not None else least
    for item in wanted.items:
        outcome = unread(item, now) or _remembered(item, memory, least)
        if outcome is None:
            waiting.append(item)
        else:
            known.append(outcome)
    jobs: dict[object, list[Item]] = defaultdict(list)
    for item in waiting:
        jobs[item.seen[:2] if item.seen else item.path].append(item)
    sample = _sample(list(jobs.values()), choice.share, memory)
    places = first_places([job[0].path for job in sample])
    ordered = tuple(tuple(sample[number]) for _, number in sorted(zip(places, range(len(sample)), strict=True)))
    return Run(ordered, tuple(known), len(jobs) - len(ordered), resumed)


def _remembered(item: Item, memory: Verified, least: int) -> Outcome | None:
    row = memory.get((item.seen, item.word)) if item.seen else None
    if row is None or row[0] < least or not row[1]:
        return None
    how = "structure" if item.expectation.method == "structure" else "digest"
    return Outcome(item, "ok", "verified before", how, row[0], read=False, seen=item.seen)  # type: ignore[arg-type]


def _sample(jobs: list[list[Item]], share: float, memory: Verified) -> list[list[Item]]:
    """The share of the bytes that nobody verified for longest; of equals those whose path has the lowest SHA-256."""
    if share >= 1:
        return jobs
    left = share * sum(job[0].size for job in jobs)

    def turn(job: list[Item]) -> tuple[int, bytes]:
        rows = [memory.get((each.seen, each.word)) for each in job if each.seen]
        return min((row[0] if row else 0 for row in rows), default=0), hashlib.sha256(job[0].path).digest()

    found = []
    for job in sorted(jobs, key=turn):
        if left <= 0:
            break
        found.append(job)
        left -= job[0].size
    return found


class Stopped(OSError):  # noqa: N818 - says that nobody waits for the answer any more
    """The reading of a file that is given up."""


def outcomes(run: Run, memory: Verified, cache: DigestCache, progress: Progress | None = None) -> Iterator[Outcome]:
    """What is known, then what was read, as it comes; each is remembered before it is given. Two files at a time.

    Ctrl-C ends the files under way and is passed on.
    """
    yield from run.known
    done, stop, total = [0], [False], run.bytes

    def told(count: int) -> None:
        if stop[0]:
            raise Stopped
        done[0] += count  # a lost addition of two threads costs a percent on the screen

    one_head = any(rotates(device) for device in {job[0].seen.device for job in run.jobs if job[0].seen})
    pool = ThreadPoolExecutor(1 if one_head else AT_ONCE, "verifying")
    left, last = _batches(run.jobs), ""
    waiting = {pool.submit(read_all, batch, told) for batch in islice(left, MOST_WAITING)}
    try:
        while waiting:
            ready, waiting = wait(waiting, TURN, FIRST_COMPLETED)
            waiting |= {pool.submit(read_all, batch, told) for batch in islice(left, len(ready))}
            found = [outcome for future in ready for outcome in future.result()]
            _remember(memory, cache, found)
            for outcome in found:
                last = os.fsdecode(outcome.item.path)
                yield outcome
            if progress:
                progress(min(done[0], total), total, last)
    finally:
        stop[0] = True
        pool.shutdown(cancel_futures=True)


def _batches(jobs: Iterable[tuple[Item, ...]]) -> Iterator[list[tuple[Item, ...]]]:
    """Neighbours on the disk that are read together: a few small files, or one large one."""
    batch: list[tuple[Item, ...]] = []
    left = TOGETHER
    for job in jobs:
        if batch and (job[0].size > left or len(batch) == MOST_TOGETHER):
            yield batch
            batch, left = [], TOGETHER
        batch.append(job)
        left -= job[0].size
    if batch:
        yield batch


def _remember(memory: Verified, cache: DigestCache, found: Sequence[Outcome]) -> None:
    for each in found:
        if each.hashed is not None:
            cache.put(each.hashed)
    memory.note(
        ((each.seen, each.item.word), each.at, each.state == "ok")
        for each in found
        if each.seen is not None
        and each.state in ("ok", *LOST)
        and each.at - max(each.seen.mtime, each.seen.ctime) >= RACY
    )


def verify(
    wanted: Wanted, choice: Choice, where: Where, asked: Sequence[str], progress: Progress | None = None
) -> tuple[Run, Iterator[Outcome]]:
    """What will be read, and the outcomes as they come.

    A run that was interrupted goes on where it stopped when the same is `asked` for again within a week. Without room
    for what it remembers a run is as good, and the next one begins anew.
    """
    now, key = time.time_ns(), hashlib.sha256("\0".join(sorted(asked)).encode("utf-8", "surrogateescape")).hexdigest()
    begun = _runs(known_rooms(*where).state).begun.get(key)
    resumed = begun if begun is not None and 0 <= now - begun < OLD_RUN else None
    memory = remembered(known_rooms(*where).state)
    run = planned(wanted, choice, memory, now, resumed)
    return run, _kept(run, memory, where, key, resumed or now, progress)


def _kept(
    run: Run, memory: Verified, where: Where, key: str, begun: int, progress: Progress | None
) -> Iterator[Outcome]:
    with ExitStack() as held:
        disk, folder = Disk(), b""
        with suppress(OSError):
            folder = rooms(*where, disk).state
            held.enter_context(memory.noted(disk, folder))
            _note(disk, folder, key, begun)
        cache = held.enter_context(digest_cache(where))
        yield from outcomes(run, memory, cache, progress)
        with suppress(OSError):
            _note(disk, folder, key, None)


def _runs(folder: bytes) -> Runs:
    text = notes.read(os.path.join(folder, RUNS))
    try:
        return Runs() if isinstance(text, Problem) or not text else msgspec.json.decode(text, type=Runs)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Runs()


def _note(disk: Disk, folder: bytes, key: str, begun: int | None) -> None:
    found = _runs(folder).begun
    if found.get(key) == begun or not folder:
        return
    fresh = {name: at for name, at in found.items() if name != key and time.time_ns() - at < OLD_RUN}
    if begun is not None:
        fresh[key] = begun
    notes.save(disk, os.path.join(folder, RUNS), msgspec.json.encode(Runs(fresh)))


class Summary(Struct, frozen=True):
    """What came of an artifact: its worst state, its files by state, and when the oldest of them was read."""

    id: str
    state: State
    counts: dict[State, int]
    at: int | None
    digests: int
    """Files that kept their digest; the other whole ones were only told by their format, or by being there."""
    bytes: int
    """Of its files, each once."""


def summaries(found: Sequence[Outcome], wanted: Wanted) -> list[Summary]:
    """One an artifact, in the order in which they were asked for; `""` stands for files of no artifact."""
    by_name: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in found:
        for name in outcome.item.artifacts or ("",):
            by_name[name].append(outcome)
    return [
        _summary(name, by_name[name])
        for name in (*wanted.artifacts, "")
        if by_name[name] or wanted.unrecorded.get(name)
    ]


def _summary(name: str, found: Sequence[Outcome]) -> Summary:
    counts = {state: sum(each.state == state for each in found) for state in STATES}
    present = {state: count for state, count in counts.items() if count}
    worst: State = max(present, key=STATES.index, default="unverifiable")
    digests = sum(each.state == "ok" and each.how == "digest" for each in found)
    times = [each.at for each in found if each.how != "name"]
    # a few files without a word do not make the rest of an artifact unverifiable
    state: State = "ok" if worst == "unverifiable" and present.get("ok") else worst
    sizes = {(seen.device, seen.inode): seen.size for each in found if (seen := each.item.seen)}
    return Summary(name, state, present, min(times, default=None), digests, sum(sizes.values()))


def known(wanted: Wanted, where: Where) -> Summary | None:
    """What is remembered of an artifact; None where nothing of it was ever verified."""
    memory = remembered(known_rooms(*where).state)
    found = []
    for item in wanted.items:
        row = memory.get((item.seen, item.word)) if item.seen else None
        if row:
            state: State = "ok" if row[1] else "corrupt"
            how = "structure" if item.expectation.method == "structure" else "digest"
            found.append(Outcome(item, state, "", how, row[0], read=False))  # type: ignore[arg-type]
    return _summary(wanted.artifacts[0] if wanted.artifacts else "", found) if found else None
