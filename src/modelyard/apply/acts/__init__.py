"""One module for each way in which a step is made, settled after an interruption, and taken back."""

from __future__ import annotations

from typing import Protocol

from modelyard.apply.acts import asking, carrying, cloning, copying, sharing, swapping
from modelyard.apply.disk import Disk
from modelyard.apply.hands import Hands, Owner
from modelyard.apply.journal import Ledger, Record
from modelyard.plan import Do


class Act(Protocol):
    """What such a module offers; `settle` and `back` give an event and a reason."""

    def place(self, hands: Hands, number: int) -> bytes | None:
        """Where what is at the path will lie afterwards. OSError when there is no such place."""
        ...

    def make(self, hands: Hands, intent: Record) -> Record:
        """Makes a step whose intent is in the journal."""
        ...

    def settle(self, disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str] | None:
        """What became of an interrupted step, finished or rolled back; None when that cannot be known now."""
        ...

    def back(self, disk: Disk, ledger: Ledger, number: int, owner: Owner) -> tuple[str, str]:
        """Takes a step back."""
        ...


ACTS: dict[Do, Act] = {
    "remove": carrying,
    "move": carrying,
    "write": swapping,
    "relink": swapping,
    "share": sharing,
    "clone": cloning,
    "link": cloning,
    "symlink": swapping,
    "copy": copying,
    "ask": asking,
}
