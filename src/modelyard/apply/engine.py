"""Makes the steps of a plan: the intent in the journal, the change, a second look at the mark, the result."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct, field

from modelyard.apply import marks
from modelyard.apply.acts import ACTS, carrying, folders
from modelyard.apply.hands import Hands, words
from modelyard.apply.journal import Record
from modelyard.plan import Path, Step
from modelyard.walk.tree import Tree, walk

BATCH = 64
"""Steps whose intents reach the medium together."""


KEEP_IN_PLACE = ("ask", "share")
"""What puts nothing into the trash."""
NEW = ("clone", "link", "write")
"""What makes a new file, and the folders above it."""
NOWHERE = "no folder on its device can hold the trash"
GOING = ("remove", "ask")
"""Steps after which something is gone: only of those does one depend on the other."""
ALL_ITS = "all of it is a store's own folder, in which no trash is made"


class Watch(Protocol):
    """Whoever may refuse a step."""

    def look(self, tree: Tree) -> None:
        """Sees the folders of the next steps as they are now."""
        ...

    def why(self, step: Step) -> str:
        """The reason why a step must not be made now, empty when it may."""
        ...


class Engine(Struct):
    """Works through one journal."""

    hands: Hands
    watch: Watch
    unmade: set[str] = field(default_factory=set)
    """Artifacts of which a step was not made: names that stay must not lose the bytes they stand for."""

    def run(self, numbers: Sequence[int]) -> None:
        """Makes these steps of the plan, in order. What is refused or fails does not stop the others, unless they are
        to be made together.
        """
        ledger = self.hands.journal.ledger
        if ledger.plan.together:
            for number in numbers:
                if ledger.steps("refused", "failed", "intent"):
                    return
                self._batch([number])
            return
        for start in range(0, len(numbers), BATCH):
            self._batch(numbers[start : start + BATCH])

    def _batch(self, numbers: Iterable[int]) -> None:
        steps = [self.hands.step(number) for number in numbers]
        seen = _folders(bytes(step.path) for step in steps if step.expect and step.expect.kind == "folder")
        self.watch.look(seen)
        decided = [self._noted(self._decided(number, seen)) for number in numbers]
        intents = [each for each in decided if each.event == "intent"]
        self.hands.journal.write([*(each for each in decided if each.event != "intent"), *intents])
        made = [self._noted(self._made(each)) for each in intents]
        self._settle(self._withdrawn(self._looked_again(made)))

    def _made(self, intent: Record) -> Record:
        why = self._unmade(self.hands.step(intent.step))
        if why:
            return self.hands.record("refused", intent.step, why=why)
        made = ACTS[self.hands.step(intent.step).do].make(self.hands, intent)
        if made.event in ("refused", "failed"):
            folders.unmake(self.hands.disk, self.hands.journal.ledger, intent.step)
        return made

    def _noted(self, record: Record) -> Record:
        """Remembers of which artifacts something stays."""
        step = self.hands.step(record.step)
        if record.event in ("refused", "failed") and step.do in GOING:
            self.unmade.update(step.artifacts)
        return record

    def _unmade(self, step: Step) -> str:
        found = next((each for each in step.artifacts if each in self.unmade and step.do in GOING), "")
        return f"something else of {found} stays, so this does too" if found else ""

    def _withdrawn(self, results: list[Record]) -> list[Record]:
        """What was changed at the last moment went back: so does what was carried away with it, the last one first."""
        changed = [each.step for each in results if each.event == "refused" and self.hands.step(each.step).do in GOING]
        late = {number for step in changed for number in self._with(step, results)}
        back = {each.step: carrying.withdrawn(self.hands, each) for each in reversed(results) if each.step in late}
        return [self._noted(back.get(each.step, each)) for each in results]

    def _with(self, number: int, results: list[Record]) -> set[int]:
        """The steps just made of the artifacts of a refused one."""
        names = set(self.hands.step(number).artifacts)
        return {
            each.step
            for each in results
            if each.event == "done" and each.place and names.intersection(self.hands.step(each.step).artifacts)
        }

    def _looked_again(self, made: list[Record]) -> list[Record]:
        """What was carried away must be what was expected: folders are walked together, which takes far less time."""
        places = [bytes(each.place) for each in made if each.event == "done" and each.place and each.mark is None]
        seen = _folders(place for place in places if os.path.isdir(place) and not os.path.islink(place))
        return [carrying.looked_again(self.hands, each, seen) if _carried(each) else each for each in made]

    def _decided(self, number: int, seen: Tree) -> Record:
        """The intent of a step, or why it is not made."""
        step = self.hands.step(number)
        try:
            why = self._unmade(step) or self._why_not(step, seen)
            if why:
                return self.hands.record("refused", number, why=why)
            place = ACTS[step.do].place(self.hands, number)
        except OSError as error:
            return self.hands.record("failed", number, why=words(error))
        if place is None and step.do not in KEEP_IN_PLACE and step.expect is not None:
            return self.hands.record("failed", number, why=f"{NOWHERE}: {self.hands.trash.because or ALL_ITS}")
        first = folders.missing(os.path.dirname(bytes(step.path))) if step.do in NEW and step.expect is None else None
        return self.hands.record("intent", number, place=_path(place), folder=_path(first))

    def _why_not(self, step: Step, tree: Tree) -> str:
        if step.do == "ask":
            return ""  # the service looks itself
        seen = marks.take(bytes(step.path), tree)
        ours = seen is not None and (seen.device, seen.inode) in self.hands.moved
        return marks.drift(step.expect, seen, moved=ours) or self.watch.why(step)

    def _settle(self, results: list[Record]) -> None:
        """Lets the names reach the medium before the journal says so."""
        folders = set()
        for record in results:
            if record.event == "done" and self.hands.step(record.step).do != "ask":
                folders.add(os.path.dirname(bytes(self.hands.step(record.step).path)))
                folders |= {os.path.dirname(bytes(record.place))} if record.place is not None else set()
        for folder in sorted(folders):
            self.hands.disk.sync_folder(folder)
        self.hands.journal.write(results)


def _path(path: bytes | None) -> Path | None:
    return None if path is None else Path.of(path)


def _folders(paths: Iterable[bytes]) -> Tree:
    return walk(list(paths))


def _carried(record: Record) -> bool:
    return record.event == "done" and record.place is not None and record.mark is None
