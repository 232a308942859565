"""Makes the steps of a plan: the intent in the journal, the change, a second look at the mark, the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from modelyard.apply import marks
from modelyard.apply.acts import ACTS
from modelyard.apply.hands import Hands, words
from modelyard.apply.journal import Record
from modelyard.plan import Path, Step

BATCH = 64
"""Steps whose intents reach the medium together."""


@dataclass(slots=True)
class Engine:
    """Works through one journal. `refuse` gives the reason why a step must not be made now, empty when it may."""

    hands: Hands
    refuse: Callable[[Step], str]

    def run(self, numbers: Sequence[int]) -> None:
        """Makes these steps of the plan, in order. What is refused or fails does not stop the others."""
        for start in range(0, len(numbers), BATCH):
            self._batch(numbers[start : start + BATCH])

    def _batch(self, numbers: Iterable[int]) -> None:
        decided = [self._decided(number) for number in numbers]
        intents = [each for each in decided if each.event == "intent"]
        self.hands.journal.write([*(each for each in decided if each.event != "intent"), *intents])
        self._settle([ACTS[self.hands.step(each.step).do].make(self.hands, each) for each in intents])

    def _decided(self, number: int) -> Record:
        """The intent of a step, or why it is not made."""
        step = self.hands.step(number)
        try:
            why = self._why_not(step)
            if why:
                return self.hands.record("refused", number, why=why)
            place = ACTS[step.do].place(self.hands, number)
        except OSError as error:
            return self.hands.record("failed", number, why=words(error))
        if place is None and step.do != "ask" and step.expect is not None:
            return self.hands.record("failed", number, why="no folder on its device can hold the trash")
        return self.hands.record("intent", number, place=None if place is None else Path.of(place))

    def _why_not(self, step: Step) -> str:
        if step.do == "ask":
            return ""  # the service looks itself
        seen = marks.take(bytes(step.path))
        ours = seen is not None and (seen.device, seen.inode) in self.hands.moved
        return marks.drift(step.expect, seen, moved=ours) or self.refuse(step)

    def _settle(self, results: list[Record]) -> None:
        """Lets the names reach the medium before the journal says so."""
        folders = set()
        for record in results:
            if record.event == "done":
                folders.add(os.path.dirname(bytes(self.hands.step(record.step).path)))
                folders |= {os.path.dirname(bytes(record.place))} if record.place is not None else set()
        for folder in sorted(folders):
            self.hands.disk.sync_folder(folder)
        self.hands.journal.write(results)
