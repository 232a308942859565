"""What every act works with: the disk, the journal of one plan, the trash, and services that can be asked."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct, field

from modelyard.apply.disk import Disk
from modelyard.apply.journal import Journal, Record
from modelyard.apply.trash import Trash
from modelyard.plan import Answer, Step


class Owner(Protocol):
    """Services that remove what is theirs."""

    def remove(self, step: Step) -> Answer:
        """Asks for one removal and waits for the answer."""
        ...

    def present(self, step: Step) -> bool | None:
        """Whether the service still has the thing; None when it does not answer."""
        ...

    def make(self, step: Step) -> str:
        """Asks for a model to be made of a file that the service has; why it was not, empty when it was."""
        ...


class Nobody:
    """No service can be asked."""

    def remove(self, step: Step) -> Answer:
        """Refuses."""
        return Answer(False, why="no service can be asked here")

    def present(self, step: Step) -> bool | None:
        """Does not know."""
        return None

    def make(self, step: Step) -> str:
        """Refuses."""
        return "no service can be asked here"


NOBODY = Nobody()


class Hands(Struct):
    """Everything that a step is made with."""

    disk: Disk
    journal: Journal
    trash: Trash
    now: Callable[[], str]
    owner: Owner
    moved: set[tuple[int, int]] = field(default_factory=set)
    """Inodes that this plan renamed or linked already: their ctime is ours."""
    told: Callable[[int, int], None] = lambda done, total: None
    """Told how many bytes of how many are copied and proven."""

    def step(self, number: int) -> Step:
        """A step of the plan."""
        return self.journal.ledger.plan.steps[number]

    def record(self, event: str, number: int, **more: object) -> Record:
        """A line for the journal."""
        return Record(event, number, self.now(), **more)  # type: ignore[arg-type]


def words(error: OSError) -> str:
    """An error of the system, as people look it up."""
    return errno.errorcode.get(error.errno or 0, "") + ": " + os.strerror(error.errno or 0)
