"""Makes the steps of a plan: the intent in the journal, the change, a second look at the mark, the result."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Journal, Record
from modelyard.apply.trash import ELSEWHERE, Trash
from modelyard.plan import Path, Step

BATCH = 64
"""Steps whose intents reach the medium together."""


@dataclass(slots=True)
class Engine:
    """Works through one journal. `refuse` gives the reason why a step must not be made now, empty when it may."""

    disk: Disk
    journal: Journal
    trash: Trash
    refuse: Callable[[Step], str]
    now: Callable[[], str]
    moved: set[tuple[int, int]] = field(default_factory=set)
    """Inodes that this plan renamed already: their ctime is ours."""

    def run(self, numbers: Sequence[int]) -> None:
        """Makes these steps of the plan, in order. What is refused or fails does not stop the others."""
        for start in range(0, len(numbers), BATCH):
            self._batch(numbers[start : start + BATCH])

    def _batch(self, numbers: Iterable[int]) -> None:
        intents, refusals = [], []
        for number in numbers:
            why = self._why_not(number)
            if why:
                refusals.append(self._record("refused", number, why=why))
                continue
            try:
                place = next(self.trash.places(bytes(self._step(number).path), number), None)
            except OSError as error:
                refusals.append(self._record("failed", number, why=_words(error)))
                continue
            if place is None:
                refusals.append(self._record("failed", number, why="no folder on its device can hold the trash"))
            else:
                intents.append(self._record("intent", number, place=Path.of(place)))
        self.journal.write([*refusals, *intents])
        results = [self._made(record) for record in intents]
        self._settle(results)

    def _settle(self, results: list[Record]) -> None:
        """Lets the names reach the medium before the journal says so."""
        folders = set()
        for record in results:
            if record.event == "done" and record.place is not None:
                folders |= {os.path.dirname(bytes(record.place)), os.path.dirname(bytes(self._step(record.step).path))}
        for folder in sorted(folders):
            self.disk.sync_folder(folder)
        self.journal.write(results)

    def _step(self, number: int) -> Step:
        return self.journal.ledger.plan.steps[number]

    def _why_not(self, number: int) -> str:
        step = self._step(number)
        try:
            seen = marks.take(bytes(step.path))
        except OSError as error:
            return _words(error)
        ours = seen is not None and (seen.device, seen.inode) in self.moved
        return marks.drift(step.expect, seen, moved=ours) or self.refuse(step)

    def _made(self, intent: Record) -> Record:
        """Renames one thing into the trash, elsewhere when that place is on another device after all."""
        assert intent.place is not None
        path, number = bytes(self._step(intent.step).path), intent.step
        places = iter([bytes(intent.place)])
        tried = {bytes(intent.place)}
        error: OSError | None = None
        while (place := next(places, None)) is not None:
            try:
                self.disk.move(path, place)
            except OSError as caught:
                error = caught
                if caught.errno not in ELSEWHERE:
                    break
                self.trash.known.clear()
                others = [each for each in self.trash.places(path, number) if each not in tried]
                tried |= set(others[:1])
                places = iter(others[:1])
                self.journal.write([self._record("intent", number, place=Path.of(each)) for each in others[:1]])
                continue
            return self._looked_again(number, path, place)
        return self._record("failed", number, why=_words(error) if error else "no place for it")

    def _looked_again(self, number: int, path: bytes, place: bytes) -> Record:
        """What lies in the trash now must be what was expected; what slipped in between goes back."""
        step, seen = self._step(number), marks.take(place)
        why = marks.drift(step.expect, seen, moved=True)
        if not why:
            assert seen is not None
            self.moved.add((seen.device, seen.inode))
            return self._record("done", number, place=Path.of(place), mark=seen)
        try:
            self.disk.move(place, path)
        except OSError as error:
            words = f"{why} while it was taken away, and it cannot go back: {_words(error)}; it lies at its place"
            return self._record("done", number, place=Path.of(place), why=words, mark=seen)
        return self._record("refused", number, why=f"{why} at the last moment")

    def _record(self, event: str, number: int, **more: object) -> Record:
        return Record(event, number, self.now(), **more)  # type: ignore[arg-type]


def _words(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "") + ": " + os.strerror(error.errno or 0)
