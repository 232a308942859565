"""Reclaiming space: a plan with its proofs, applied once, taken back or purged."""

from __future__ import annotations

import os
import platform as machine
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from modelyard.api import KEEP, Survey
from modelyard.apply import journal as journals
from modelyard.apply import saved
from modelyard.apply.disk import Disk
from modelyard.apply.engine import Engine
from modelyard.apply.journal import Ledger as Ledger
from modelyard.apply.journal import State
from modelyard.apply.lock import locked
from modelyard.apply.purge import purge
from modelyard.apply.recover import recover
from modelyard.apply.rooms import Rooms, known_rooms, rooms
from modelyard.apply.trash import Trash
from modelyard.apply.undo import undo
from modelyard.inventory import Artifact, Platform
from modelyard.plan import Origin, Plan, Skipped
from modelyard.policies import clean, removal
from modelyard.problem import Problem
from modelyard.uses.everyone import Everyone
from modelyard.uses.guard import Guard
from modelyard.uses.links import links_into
from modelyard.walk.text import shown

HOLDING = ("process", "server", "container", "kernel")
TITLE = "clean"
OPEN: dict[str, tuple[State, ...]] = {
    "done": ("refused", "planned", "intent"),
    "undone": ("done", "undoing"),
    "purged": ("done", "purging"),
}
"""The states of steps that an act left undone, by the state that it wanted to reach."""


def now_text() -> str:
    """The time in UTC, as plans and journals write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plan_clean(
    survey: Survey, everyone: Everyone, wish: clean.Wish, now: int, proven: Mapping[str, clean.Evidence] = clean.NOTHING
) -> Plan:
    """What would go, with the evidence for each artifact; `proven` as for the policy."""
    artifacts = survey.artifacts
    found = clean.chosen(artifacts, clean.candidates(artifacts, now, proven), wish)
    skipped: list[Skipped] = []
    kept = []
    linked = _linked(survey, {each.number for each in found})
    for each in found:
        why = _why_not(survey, everyone, each.number) or linked.get(each.number, "")
        if why:
            skipped.append(Skipped(artifacts[each.number].id, why))
        else:
            kept.append(each)
    if wish.wanted is not None:
        kept = clean.enough(kept, lambda numbers: survey.claims.measure(numbers).sizes, wish.wanted)
    return _plan(survey, kept, skipped)


def _why_not(survey: Survey, everyone: Everyone, number: int) -> str:
    artifact = survey.artifacts[number]
    if artifact.store == "trash":
        return "`modelyard purge` frees it"
    if not artifact.rows:
        return "its service removes it, not modelyard"
    if _pinned(survey, artifact):
        return f"a {KEEP} file keeps it"
    for use in everyone.of(number):
        if use.by in HOLDING:
            return f"{use.who} {use.evidence}"
    return ""


def _pinned(survey: Survey, artifact: Artifact) -> bool:
    """Whether a keep file lies in or above one of its rows."""
    keeps = {survey.tree.parent(row) for row in survey.tree.marks().get(KEEP, ())}
    for row in artifact.rows if keeps else ():
        at: int | None = row
        while at is not None:
            if at in keeps:
                return True
            at = survey.tree.parent(at)
    inside = {survey.tree.path(keep) for keep in keeps if keep is not None}
    return any(path.startswith(survey.tree.path(row) + b"/") for row in artifact.rows for path in inside)


def _linked(survey: Survey, numbers: set[int]) -> dict[int, str]:
    """The artifacts that links of others lead into."""
    found: dict[int, str] = {}
    rows = survey.claims.removable(numbers)
    for row, link in links_into(survey.tree, rows):
        for owner in survey.claims.owners_of(row):
            found.setdefault(owner, f"the link {survey.tree.label(link)} leads to it")
    return found


def _plan(survey: Survey, kept: Sequence[clean.Candidate], skipped: list[Skipped]) -> Plan:
    numbers = {each.number for each in kept}
    proofs = {survey.artifacts[each.number].id: each for each in kept}
    steps = removal.steps(survey.tree, survey.claims, survey.artifacts, numbers, proofs)
    rows = [row for step in steps if (row := survey.tree.find(bytes(step.path))) is not None]
    sizes = survey.tree.measure(rows).sizes  # of the folders too that go when nothing is left in them
    roots = [shown(root.path) for each in survey.holdings for root in each.roots if root.row is not None]
    origin = Origin(machine.node(), os.getuid(), survey.home, [*survey.starts], now_text())
    stays = [Skipped(survey.artifacts[number].id, why) for number, why in _left(survey, numbers)]
    return Plan(
        TITLE, now_text(), origin, steps, roots, sizes.freed, sizes.exact, clean.worst(kept), [*skipped, *stays]
    ).sealed()


def _left(survey: Survey, numbers: set[int]) -> Iterator[tuple[int, str]]:
    """Artifacts of the plan of which something stays, because another needs it."""
    gone = set(survey.claims.removable(numbers))
    for number in sorted(numbers):
        if any(True for _ in removal.left_behind(survey.tree, survey.claims, gone, number)):
            yield number, "a part of it stays: something else needs it"


def save(plan: Plan, file: Path) -> None:
    """Writes the plan into a new file. FileExistsError when the file is there."""
    saved.save(Disk(), plan, bytes(file.absolute()))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was done: steps by outcome with the reasons, bytes predicted, and bytes measured where some were freed."""

    journal: str
    done: int
    skipped: list[tuple[str, str]]
    failed: list[tuple[str, str]]
    predicted: int
    measured: int | None = None


class Yard:
    """The journals and the trash of one user, locked while it is open. Locked when another modelyard has it.

    Unopened it only reads, and makes nothing.
    """

    def __init__(self, env: Mapping[str, str], home: Path, platform: Platform, wait: float = 0.0) -> None:
        self._disk = Disk()
        self._where = env, home, platform
        self._wait = wait
        self.rooms: Rooms = known_rooms(env, home, platform)

    def __enter__(self) -> Yard:
        self.rooms = rooms(*self._where, self._disk)
        self._lock = locked(self.rooms.state, self._wait)
        self._lock.__enter__()
        for ledger in self.ledgers():
            if isinstance(ledger, Ledger) and ledger.steps("intent", "undoing", "purging"):
                with journals.resume(self._disk, ledger) as journal:
                    recover(self._disk, journal, now_text)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)

    def ledgers(self) -> list[Ledger | Problem]:
        """Every journal, the oldest first."""
        return list(self.rooms.ledgers())

    def apply(self, plan: Plan, progress: Callable[[int, int], None] | None = None) -> Receipt:
        """Makes the plan's steps. FileExistsError: it was applied before; ValueError: it is another user's."""
        if plan.origin.user != os.getuid():
            raise ValueError(f"the plan was made by user {plan.origin.user}, and this is user {os.getuid()}")
        guard = Guard([os.fsencode(root) for root in plan.origin.roots], os.getuid())
        trash = Trash(self._disk, plan.id, self.rooms.trash, [os.fsencode(root) for root in plan.stores], os.getuid())
        with journals.begin(self._disk, self.rooms.file(plan.id), plan) as journal:
            engine = Engine(self._disk, journal, trash, guard.why, now_text)
            total = len(plan.steps)
            for start in range(0, total, 64):
                engine.run(range(start, min(start + 64, total)))
                if progress:
                    progress(min(start + 64, total), total)
            return receipt(journal.ledger)

    def undo(self, ledger: Ledger) -> Receipt:
        """Takes a plan back, as far as nobody purged it."""
        with journals.resume(self._disk, ledger) as journal:
            undo(self._disk, journal, now_text)
        return receipt(ledger, "undone")

    def purge(self, ledger: Ledger) -> Receipt:
        """Frees what a plan removed."""
        with journals.resume(self._disk, ledger) as journal:
            gained = purge(self._disk, journal, now_text)
        return receipt(ledger, "purged", gained)


def receipt(ledger: Ledger, reached: State = "done", measured: int | None = None) -> Receipt:
    """What a journal tells of its plan: which steps reached the state that was wanted, and why others did not."""
    steps = ledger.plan.steps
    reasons = {number: (steps[number].path.text, ledger.reasons.get(number, "")) for number in range(len(steps))}
    return Receipt(
        ledger.plan.id,
        len(ledger.steps(reached)),
        [reasons[number] for number in ledger.steps(*OPEN[reached])],
        [reasons[number] for number in ledger.steps("failed")],
        ledger.plan.freed,
        measured,
    )
