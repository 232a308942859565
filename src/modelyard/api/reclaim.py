"""A plan applied once, taken back or purged."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from modelyard.api.keeper import Keeper
from modelyard.api.lately import Lately
from modelyard.api.moving import missing
from modelyard.api.planning import now_text
from modelyard.apply import journal as journals
from modelyard.apply import saved
from modelyard.apply.disk import Disk
from modelyard.apply.engine import Engine
from modelyard.apply.hands import Hands
from modelyard.apply.journal import Journal, Record, State
from modelyard.apply.journal import Ledger as Ledger
from modelyard.apply.lock import locked
from modelyard.apply.purge import Progress, free_bytes, purge, silent
from modelyard.apply.recover import recover
from modelyard.apply.rooms import NO_ROOM, Rooms, known_rooms, rooms, rooms_in_memory
from modelyard.apply.together import is_half, is_whole, whole
from modelyard.apply.trash import Trash
from modelyard.apply.undo import undo
from modelyard.inventory import Platform
from modelyard.owners.services import Services
from modelyard.plan import Plan, root_path
from modelyard.problem import Problem
from modelyard.uses.guard import Guard
from modelyard.walk.text import shown

OPEN: dict[str, tuple[State, ...]] = {
    "done": ("refused", "planned", "intent"),
    "undone": ("done", "undoing"),
    "purged": ("done", "purging"),
}
"""The states of steps that an act left undone, by the state that it wanted to reach."""

NOTHING: Mapping[str, str] = {}
FOR_GOOD = "its service removed it for good: services keep no trash"


def save(plan: Plan, file: Path) -> None:
    """Writes the plan into a new file. FileExistsError when the file is there."""
    saved.save(Disk(), plan, bytes(file.absolute()))


class Receipt(Struct, frozen=True):
    """What was done: steps by outcome with the reasons, bytes predicted, and bytes measured where some were freed."""

    journal: str
    done: int
    skipped: list[tuple[str, str]]
    failed: list[tuple[str, str]]
    predicted: int
    measured: int | None = None
    for_good: int = 0
    """How many of the things services removed: nothing of those waits in the trash."""
    waiting: int = 0
    """How many things wait in the trash."""
    capsules: list[str] = field(default_factory=list)
    """The capsules of environments that were written before these went."""


class Yard:
    """The journals and the trash of one user, locked while it is open. Locked when another modelyard has it.

    Unopened it only reads, and makes nothing.
    """

    def __init__(self, env: Mapping[str, str], home: Path, platform: Platform, wait: float = 0.0) -> None:
        self._disk = Disk()
        self._where = env, home, platform
        self._wait = wait
        self._owner = Services()
        self.rooms: Rooms = known_rooms(env, home, platform)

    def __enter__(self) -> Yard:
        self.rooms = rooms(*self._where, self._disk)
        self._lock = locked(self.rooms.state, self._wait)
        self._lock.__enter__()
        for ledger in self.unsettled():
            with journals.resume(self._disk, ledger) as journal:
                recover(self._disk, journal, now_text, self._owner)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)

    def unsettled(self) -> list[Ledger]:
        """The journals that an interruption left open, which are settled when the yard is opened."""
        ledgers = [each for each in self.ledgers() if isinstance(each, Ledger)]
        return [each for each in ledgers if each.steps("intent", "undoing", "purging") or is_half(each)]

    def ledgers(self) -> list[Ledger | Problem]:
        """Every journal, the oldest first."""
        return list(self.rooms.ledgers())

    def apply(
        self, plan: Plan, progress: Progress = silent, doubted: Mapping[str, str] = NOTHING, told: Progress = silent
    ) -> Receipt:
        """Makes the plan's steps, but none of what is `doubted`: by artifact why it must stay.

        `progress` is told of steps, `told` of bytes that are copied. FileExistsError: it was applied before;
        ValueError: it is another user's.
        """
        if plan.origin.user != os.getuid():
            raise ValueError(f"the plan was made by user {plan.origin.user}, and this is user {os.getuid()}")
        moved = {each.artifact for each in plan.moves}
        guard = Guard([root_path(root) for root in plan.origin.roots], os.getuid(), plan.copies, moved)
        trash = Trash(self._disk, plan.id, self.rooms.trash, [root_path(root) for root in plan.stores], os.getuid())
        with self._begun(plan) as journal:
            keeper = Keeper(guard, plan.freezes, Path(os.fsdecode(self.rooms.capsules)), self._disk)
            hands = Hands(self._disk, journal, trash, now_text, self._owner, told=told)
            engine = Engine(hands, Lately(keeper, doubted))
            total = len(plan.steps)
            shared = [os.path.dirname(bytes(step.path)) for step in plan.steps if step.do == "share"]
            before = self._free(shared)
            for start in range(0, total, 64):
                engine.run(range(start, min(start + 64, total)))
                progress(min(start + 64, total), total)
            lost = self._looked_over(journal) if plan.together else []
            gained = sum(self._free(shared).values()) - sum(before.values()) if shared else None
            done = receipt(journal.ledger, measured=gained)
            return replace(done, failed=[*done.failed, *lost], capsules=keeper.capsules)

    def _free(self, folders: Sequence[bytes]) -> dict[int, int]:
        """Free bytes by device, once each has done what waits in memory: files that lie there took no room yet."""
        for folder in {os.lstat(each).st_dev: each for each in folders if os.path.isdir(each)}.values():
            self._disk.sync_file_system(folder)
        return free_bytes(folders)

    def _looked_over(self, journal: Journal) -> list[tuple[str, str]]:
        """All steps or none: what moved has to show everything that it showed before.

        What it does not show, by its new place, where it cannot be taken back any more.
        """
        plan, why = journal.ledger.plan, ""
        if is_whole(journal.ledger) and (why := missing(plan, *self._where)):
            last = len(plan.steps) - 1
            journal.write([Record("done", last, now_text(), why=why)])
            undo(self._disk, journal, now_text)
        whole(self._disk, journal, now_text)
        return [(move.target.text, why) for move in plan.moves] if why and journal.ledger.steps("done") else []

    def apply_whole(self, plan: Plan, progress: Progress = silent) -> Receipt:
        """Makes all steps of a plan, or none: where one could not be made the others are taken back."""
        done = self.apply(plan, progress)
        if done.skipped or done.failed:
            for ledger in self.ledgers():
                if isinstance(ledger, Ledger) and ledger.plan.id == plan.id:
                    self.undo(ledger)
            return replace(done, done=0)
        return done

    @contextmanager
    def _begun(self, plan: Plan) -> Iterator[Journal]:
        """A new journal, in memory where the home has no room for it."""
        with ExitStack() as stack:
            try:
                journal = stack.enter_context(journals.begin(self._disk, self.rooms.file(plan.id), plan))
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                memory = rooms_in_memory(*self._where, self._disk)
                journal = stack.enter_context(journals.begin(self._disk, memory.file(plan.id), plan))
            yield journal

    def undo(self, ledger: Ledger) -> Receipt:
        """Takes a plan back, as far as nobody purged it."""
        already = frozenset(ledger.steps("undone"))
        with journals.resume(self._disk, ledger) as journal:
            undo(self._disk, journal, now_text, self._owner)
        return receipt(ledger, "undone", already=already)

    def purge(self, ledger: Ledger, progress: Progress = silent) -> Receipt:
        """Frees what a plan removed."""
        already = frozenset(ledger.steps("purged"))
        with journals.resume(self._disk, ledger) as journal:
            gained = purge(self._disk, journal, now_text, progress, Guard([], os.getuid()).held)
        return receipt(ledger, "purged", gained, already)


def receipt(
    ledger: Ledger, reached: State = "done", measured: int | None = None, already: frozenset[int] = frozenset()
) -> Receipt:
    """What a journal tells of its plan: which steps reached the state that was wanted, and why others did not.

    `already` had reached it before, and do not count.
    """
    steps = ledger.plan.steps
    wanted: tuple[State, ...] = ("done", "purged") if reached == "done" else (reached,)
    made = [number for number in ledger.steps(*wanted) if number not in already]
    left = ledger.steps(*OPEN[reached])
    if reached == "purged":  # what was written or moved does not lie in the trash
        there = {*ledger.waiting(), *ledger.steps("purging")}
        left = [number for number in left if number in there]
    predicted = ledger.plan.predicted
    if len(made) < len(steps):
        predicted = min(predicted, sum(steps[number].freed for number in made))
    for_good = [number for number in ledger.steps("purged") if steps[number].do == "ask"]
    reasons = {
        number: (shown(bytes(steps[number].path)), ledger.reasons.get(number, "")) for number in range(len(steps))
    }
    left = ledger.steps(*OPEN[reached])
    if reached == "purged":  # what was only written or copied leaves nothing to purge
        left = [number for number in left if number in ledger.places and steps[number].do != "move"]
    if ledger.plan.together and reached == "done":  # the others were not made, or taken back, because of these
        left = [number for number in (*left, *ledger.steps("undone")) if reasons[number][1]]
    return Receipt(
        ledger.plan.id,
        len(made),
        [reasons[number] for number in left]
        + [(reasons[number][0], FOR_GOOD) for number in for_good if reached == "undone"],
        [reasons[number] for number in ledger.steps("failed")],
        predicted,
        measured,
        len(for_good),
        len(ledger.waiting()),
    )
