"""A folder of things to remove, plans for it, and disks that stop working at a chosen call."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import makers
from modelyard.apply import journal as journals
from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.engine import Engine
from modelyard.apply.hands import Hands, Nobody, Owner
from modelyard.apply.journal import Journal, Ledger
from modelyard.apply.purge import purge
from modelyard.apply.recover import recover
from modelyard.apply.trash import Trash
from modelyard.apply.undo import undo
from modelyard.plan import Origin, Plan, Step
from modelyard.plan import Path as Place
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

NOBODY = Nobody()
NEVER = 1 << 30
"""A call that no act reaches."""


class Blind:
    """Refuses nothing."""

    def look(self, tree: Tree) -> None:
        """Sees nothing."""

    def why(self, step: Step) -> str:
        """Never a reason."""
        return ""


class Crash(BaseException):
    """The power went away."""


CALLS = (
    "make_folder",
    "move",
    "exchange",
    "link",
    "mode",
    "replace",
    "create",
    "append",
    "cut",
    "sync",
    "sync_folder",
    "permit",
    "unlink",
    "remove_folder",
    "make_open_folder",
    "blank",
    "share",
    "share_equal",
)


class Failing(Disk):
    """A disk that stops at one call: before it, or, for a write, after half of it."""

    def __init__(self, stop: int) -> None:
        super().__init__()
        self.calls, self._stop = 0, stop

    def __getattribute__(self, name: str) -> object:
        method = super().__getattribute__(name)
        if name not in CALLS:
            return method

        def counted(*arguments: object) -> object:
            self.calls += 1
            if self.calls == self._stop:
                if name == "append":
                    descriptor, data = arguments
                    os.write(descriptor, data[: len(data) // 2])  # type: ignore[arg-type,index]
                raise Crash
            return method(*arguments)

        return counted


def now() -> str:
    """A time that never changes."""
    return "2026-11-21T05:00:00Z"


def things(home: Path) -> list[Path]:
    """Something of every kind: a file, hard links, links, folders, a name that is no text, a read-only folder."""
    base = home / "things"
    file = makers.write(base / "file", b"one")
    makers.write(base / "folder" / "deep" / "inner", b"two")
    (base / "folder" / "link").symlink_to("deep/inner")
    os.link(file, base / "second-name")
    (base / "dangling").symlink_to("nowhere")
    odd = Path(os.fsdecode(bytes(base) + b"/odd\xff"))
    makers.write(odd, b"three")
    locked = base / "read-only"
    makers.write(locked / "kept", b"four").chmod(0o400)
    locked.chmod(0o500)
    makers.write(base / "stays", b"five")
    return [file, base / "folder", base / "second-name", base / "dangling", odd, locked]


def plan_for(paths: Iterable[Path], home: Path) -> Plan:
    """A plan that removes these."""
    steps = [Step("remove", Place.of(bytes(path)), marks.take(bytes(path)), shown(bytes(path))) for path in paths]
    origin = Origin("here", os.getuid(), str(home), [], now())
    return Plan("clean", now(), origin, steps, [], 0, True, "unproven", []).sealed()


def digest(home: Path) -> dict[str, str]:
    """Every name below the things with its content, its link, or its being a folder."""
    found = {}
    for path in sorted((home / "things").rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"link {os.readlink(path)}"
        elif path.is_dir():
            found[str(path)] = "folder"
        else:
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@dataclass(frozen=True)
class Rooms:
    """Where modelyard keeps its own things."""

    state: bytes
    trash: bytes


def places(home: Path) -> Rooms:
    """Folders for the journal and the trash."""
    for name in ("state", "own"):
        (home / name).mkdir(exist_ok=True)
    return Rooms(bytes(home / "state"), bytes(home / "own" / "trash"))


def journal_file(home: Path, plan: Plan) -> bytes:
    """The journal of a plan."""
    return os.path.join(places(home).state, f"{plan.id}.jsonl".encode())


def apply(home: Path, plan: Plan, disk: Disk) -> None:
    """Makes every step."""
    with journals.begin(disk, journal_file(home, plan), plan) as journal:
        engine(home, plan, disk, journal).run(range(len(plan.steps)))


def engine(home: Path, plan: Plan, disk: Disk, journal: Journal, owner: Owner = NOBODY) -> Engine:
    """An engine that refuses nothing."""
    trash = Trash(disk, plan.id, places(home).trash, [], os.getuid())
    return Engine(Hands(disk, journal, trash, now, owner), Blind())


@contextmanager
def resumed(home: Path, plan: Plan, disk: Disk) -> Iterator[Journal]:
    """The journal of a plan as the next start finds it."""
    ledger = journals.read(journal_file(home, plan))
    assert isinstance(ledger, Ledger), ledger
    with journals.resume(disk, ledger) as journal:
        yield journal


def settle(home: Path, plan: Plan, disk: Disk, owner: Owner = NOBODY) -> Ledger | None:
    """What the next start does first; None where the journal never came to be."""
    if not os.path.lexists(journal_file(home, plan)):
        return None
    ledger = journals.read(journal_file(home, plan))
    if not isinstance(ledger, Ledger):
        return None
    with journals.resume(disk, ledger) as journal:
        recover(disk, journal, now, owner)
    return ledger


def take_back(home: Path, plan: Plan, disk: Disk) -> None:
    """Undoes the plan."""
    with resumed(home, plan, disk) as journal:
        undo(disk, journal, now)


def throw_away(home: Path, plan: Plan, disk: Disk) -> int:
    """Purges the plan."""
    with resumed(home, plan, disk) as journal:
        return purge(disk, journal, now)
