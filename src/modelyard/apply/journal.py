"""The journal of one plan: an append-only file of checked lines, whole on the medium before and after every change.

A line is the CRC-32 of the rest in eight hex digits, a blank, and a JSON record. A crash can tear the last line
only, since each one reaches the medium before the next is written; a torn last line was never acted upon.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec
from msgspec import Struct, field

from modelyard.apply.disk import Disk
from modelyard.apply.trash import remove_tree
from modelyard.plan import Mark, Path, Plan
from modelyard.problem import Problem
from modelyard.walk.read import read_file

CAP = 1 << 30
A_RECORD = 2048
"""Bytes reserved a step: its intent, its result, and the same again for undoing or purging it."""

Event = Literal["intent", "done", "refused", "undoing", "undone", "purging", "purged", "failed", "ended"]
State = Literal["planned", "intent", "done", "refused", "undoing", "undone", "purging", "purged", "failed"]


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line after the first, which is the plan. `step` is its number in the plan, -1 where it is about none."""

    event: Event
    step: int = -1
    at: str = ""
    place: Path | None = None
    why: str = ""
    mark: Mark | None = None
    bytes: int = 0
    folder: Path | None = None
    """The highest of the folders that are made for a new file."""


class Ledger(Struct):
    """What a journal tells: the plan, the state of each step, and where what was removed lies now."""

    path: bytes
    plan: Plan
    states: list[State]
    places: dict[int, bytes] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    marks: dict[int, Mark] = field(default_factory=dict)
    """What the things looked like when they had arrived in the trash."""
    folders: dict[int, bytes] = field(default_factory=dict)
    """The highest of the folders that were made for new files."""
    at: str = ""
    measured: int = 0
    length: int = 0
    """Bytes of whole lines."""

    def note(self, record: Record) -> None:
        """Takes one record in."""
        self.at = record.at or self.at
        if record.event == "ended":
            return
        self.states[record.step] = record.event
        self.measured += record.bytes
        if record.place is not None:
            self.places[record.step] = bytes(record.place)
        if record.mark is not None:
            self.marks[record.step] = record.mark
        if record.folder is not None:
            self.folders[record.step] = bytes(record.folder)
        if record.why:
            self.reasons[record.step] = record.why

    def waiting(self) -> list[int]:
        """The numbers of the steps whose things lie in the trash."""
        steps = self.plan.steps
        return [number for number in self.steps("done") if number in self.places and steps[number].do != "move"]

    def steps(self, *states: State) -> list[int]:
        """The numbers of the steps in one of these states, in the order of the plan."""
        return [number for number, state in enumerate(self.states) if state in states]


def _line(content: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _whole_lines(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The content of each whole line and where it ends. What a bad medium damaged in between is passed over: those
    that follow still tell where things lie.
    """
    end = 0
    for line in data.split(b"\n")[:-1]:
        end += len(line) + 1
        if len(line) >= 10 and line[:8] == b"%08x" % zlib.crc32(line[9:]):
            yield line[9:], end


def read(path: bytes) -> Ledger | Problem:
    """The ledger of a journal."""
    data = read_file(path, CAP)
    if isinstance(data, Problem):
        return data
    lines = _whole_lines(data)
    first, length = next(lines, (b"", 0))
    try:
        plan = msgspec.json.decode(first, type=Plan)
        ledger = Ledger(path, plan, ["planned"] * len(plan.steps), length=length)
        for line, ledger.length in lines:
            ledger.note(msgspec.json.decode(line, type=Record))
    except (msgspec.MsgspecError, IndexError) as error:
        return Problem(os.fsdecode(path), "damaged-journal", f"a journal that cannot be read: {error}")
    return ledger


class Journal:
    """A journal that is open for writing; every batch of records is on the medium when `write` returns."""

    def __init__(self, disk: Disk, ledger: Ledger, descriptor: int) -> None:
        self.ledger = ledger
        self._disk, self._descriptor = disk, descriptor

    def write(self, records: Iterable[Record]) -> None:
        """Appends records and lets them reach the medium."""
        batch = list(records)
        self._disk.append(self._descriptor, b"".join(_line(msgspec.json.encode(record)) for record in batch))
        self._disk.sync(self._descriptor)
        for record in batch:
            self.ledger.note(record)


@contextmanager
def begin(disk: Disk, path: bytes, plan: Plan) -> Iterator[Journal]:
    """A new journal with room for everything that will be written into it. FileExistsError: the plan was applied."""
    descriptor = disk.create(path)
    try:
        try:
            disk.reserve(descriptor, len(msgspec.json.encode(plan)) + A_RECORD * (len(plan.steps) + 1))
            disk.append(descriptor, _line(msgspec.json.encode(plan)))
            disk.sync(descriptor)
        except OSError:
            remove_tree(disk, path)  # half a journal tells nothing, and the plan was not begun
            raise
        disk.sync_folder(os.path.dirname(path))
        yield Journal(disk, Ledger(path, plan, ["planned"] * len(plan.steps)), descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def resume(disk: Disk, ledger: Ledger) -> Iterator[Journal]:
    """A journal that is there, without its torn end."""
    descriptor = disk.reopen(ledger.path)
    try:
        if os.fstat(descriptor).st_size > ledger.length:  # a cut to its own length would give up the reserved room
            disk.cut(descriptor, ledger.length)
        yield Journal(disk, ledger, descriptor)
    finally:
        os.close(descriptor)
