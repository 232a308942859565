"""Writing, linking, moving and asking: stopped at every call nothing is lost, and what may not be is refused."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import makers
from apply.work import (
    NEVER,
    NOBODY,
    Crash,
    Failing,
    digest,
    engine,
    journal_file,
    now,
    resumed,
    settle,
    take_back,
    throw_away,
)
from modelyard.apply import journal as journals
from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.hands import Owner
from modelyard.apply.journal import Ledger
from modelyard.apply.undo import undo
from modelyard.plan import Answer, Ask, Origin, Plan, Step
from modelyard.plan import Path as Place


@dataclass
class Service:
    """A service with one model, which it removes before or after the power goes away."""

    models: set[str] = field(default_factory=lambda: {"llama"})
    dies: str = ""

    def remove(self, step: Step) -> Answer:
        assert step.ask
        if self.dies == "before":
            raise Crash
        self.models.discard(step.ask.name)
        if self.dies == "after":
            raise Crash
        return Answer(None if self.dies == "silent" else True, 7)

    def make(self, step: Step) -> str:
        assert step.ask
        if self.dies == "before":
            raise Crash
        self.models.add(step.ask.name)
        if self.dies == "after":
            raise Crash
        return ""

    def present(self, step: Step) -> bool | None:
        assert step.ask
        return None if self.dies == "unreachable" else step.ask.name in self.models


def step(do: str, path: Path, **more: object) -> Step:
    """A step for what is at the path now."""
    return Step(do, Place.of(bytes(path)), marks.take(bytes(path)), path.name, **more)  # type: ignore[arg-type]


def sealed(home: Path, steps: list[Step]) -> Plan:
    """A plan of these steps."""
    origin = Origin("here", os.getuid(), str(home), [], now())
    return Plan("test", now(), origin, steps, [], 0, True, "unproven", []).sealed()


def written(path: Path, content: bytes) -> Step:
    """A step that writes."""
    return step("write", path, content=base64.b64encode(content).decode())


def relinked(path: Path, other: Path) -> Step:
    """A step that links."""
    return step("relink", path, other=Place.of(bytes(other)), source=marks.take(bytes(other)))


def fresh(home: Path) -> tuple[Plan, dict[str, str]]:
    """Some files, and a plan with a step of every kind."""
    for name in ("things", "state", "own"):
        shutil.rmtree(home / name, ignore_errors=True)
    base = home / "things"
    for name in ("settings", "weights", "copy", "third", "goes", "moves"):
        makers.write(base / name, b"same weights" if name in ("weights", "copy", "third") else name.encode())
    (base / "settings").chmod(0o644)
    steps = [
        written(base / "settings", b"new settings"),
        written(base / "made", b"a new file"),
        relinked(base / "copy", base / "weights"),
        relinked(base / "third", base / "weights"),
        step("move", base / "moves", other=Place.of(bytes(base / "moved"))),
        step("remove", base / "goes"),
    ]
    return sealed(home, steps), digest(home)


def apply(home: Path, plan: Plan, disk: Disk, owner: Owner = NOBODY) -> Ledger:
    """Makes every step."""
    with journals.begin(disk, journal_file(home, plan), plan) as journal:
        engine(home, plan, disk, journal, owner).run(range(len(plan.steps)))
        return journal.ledger


def test_every_kind_of_step_is_made_and_taken_back(home: Path) -> None:
    plan, before = fresh(home)
    inodes = {name: (home / "things" / name).stat().st_ino for name in ("settings", "copy", "third")}
    ledger = apply(home, plan, Disk())
    base = home / "things"
    assert set(ledger.states) == {"done"}, ledger.reasons
    assert (base / "settings").read_bytes() == b"new settings"
    assert (base / "settings").stat().st_mode & 0o777 == 0o644
    assert (base / "made").read_bytes() == b"a new file"
    assert len({(base / name).stat().st_ino for name in ("weights", "copy", "third")}) == 1
    assert sorted(os.listdir(base)) == ["copy", "made", "moved", "settings", "third", "weights"]
    assert ledger.waiting() == [0, 2, 3, 5]
    take_back(home, plan, Disk())
    assert digest(home) == before
    assert {name: (base / name).stat().st_ino for name in inodes} == inodes


def test_purging_leaves_what_was_made(home: Path) -> None:
    plan, _ = fresh(home)
    apply(home, plan, Disk())
    kept = digest(home)
    throw_away(home, plan, Disk())
    assert digest(home) == kept
    ledger = journals.read(journal_file(home, plan))
    assert isinstance(ledger, Ledger)
    assert ledger.states == ["purged", "done", "purged", "purged", "done", "purged"]


@pytest.mark.parametrize("act", ["apply", "undo"])
def test_stopped_at_every_call_every_file_is_old_or_new_and_comes_back(home: Path, act: str) -> None:
    def acted(plan: Plan, disk: Disk) -> None:
        if act == "undo":
            apply(home, plan, Disk())
            take_back(home, plan, disk)
        else:
            apply(home, plan, disk)

    counting = Failing(NEVER)
    acted(fresh(home)[0], counting)
    for at in range(1, counting.calls + 1):
        plan, before = fresh(home)
        with pytest.raises(Crash):
            acted(plan, Failing(at))
        recovering = Failing(NEVER)
        settle(home, plan, recovering)
        for again in range(1, recovering.calls + 1, 3):
            plan, before = fresh(home)
            with pytest.raises(Crash):
                acted(plan, Failing(at))
            with pytest.raises(Crash):
                settle(home, plan, Failing(again))
            _is_whole(home, settle(home, plan, Disk()))
            if os.path.lexists(journal_file(home, plan)) and settle(home, plan, Disk()):
                take_back(home, plan, Disk())
            assert digest(home) == before, (at, again)


def _is_whole(home: Path, ledger: Ledger | None) -> None:
    """Every name has its old or its new content, and nothing lies beside."""
    base = home / "things"
    assert (base / "settings").read_bytes() in (b"settings", b"new settings")
    assert {(base / name).read_bytes() for name in ("weights", "copy", "third")} == {b"same weights"}
    assert not [name for name in os.listdir(base) if name.startswith(".modelyard")]
    assert ledger is None or set(ledger.states) <= {"planned", "refused", "done", "undone"}


Spoil = Callable[[Path], object]
REFUSED: dict[str, tuple[Spoil, int]] = {
    "a written file changed since": (lambda base: (base / "settings").write_bytes(b"mine"), 0),
    "a new file is there already": (lambda base: (base / "made").write_bytes(b"mine"), 1),
    "the copy changed since": (lambda base: (base / "copy").write_bytes(b"some weights"), 2),
    "the source changed since": (lambda base: (base / "weights").write_bytes(b"some weights"), 2),
    "the source is gone": (lambda base: (base / "weights").unlink(), 2),
    "the moved thing is gone": (lambda base: (base / "moves").unlink(), 4),
    "something is where it moves to": (lambda base: (base / "moved").write_bytes(b"mine"), 4),
}


@pytest.mark.parametrize("danger", list(REFUSED))
def test_not_made_when(home: Path, danger: str) -> None:
    plan, _ = fresh(home)
    spoil, number = REFUSED[danger]
    spoil(home / "things")
    before = digest(home)
    ledger = apply(home, plan, Disk())
    assert ledger.states[number] in ("refused", "failed")
    assert ledger.reasons[number]
    path = str(home / "things" / plan.steps[number].artifact)
    assert digest(home).get(path) == before.get(path)
    take_back(home, plan, Disk())
    assert digest(home) == before


def test_files_that_differ_in_their_last_byte_are_never_linked(home: Path) -> None:
    """Published tools compared the first megabyte only, and destroyed a fine-tune."""
    base = home / "things"
    one = makers.write(base / "one", b"\0" * (2 << 20) + b"a")
    two = makers.write(base / "two", b"\0" * (2 << 20) + b"b")
    before = digest(home)
    ledger = apply(home, sealed(home, [relinked(two, one)]), Disk())
    assert ledger.states == ["refused"]
    assert ledger.reasons[0] == "the two files are not equal"
    assert digest(home) == before


def test_what_was_changed_after_a_write_is_not_undone(home: Path) -> None:
    plan, _ = fresh(home)
    apply(home, plan, Disk())
    (home / "things" / "settings").write_bytes(b"edited by hand")
    (home / "things" / "made").write_bytes(b"edited, too")
    take_back(home, plan, Disk())
    ledger = journals.read(journal_file(home, plan))
    assert isinstance(ledger, Ledger)
    assert ledger.states[:2] == ["done", "done"]
    assert "something new is there" in ledger.reasons[0]
    assert (home / "things" / "settings").read_bytes() == b"edited by hand"
    assert (home / "things" / "made").read_bytes() == b"edited, too"


def asking(home: Path) -> Plan:
    """A plan that asks for one model."""
    (home / "things").mkdir(exist_ok=True)
    path = Place("http://127.0.0.1:1")
    return sealed(home, [Step("ask", path, None, "ollama:llama", ask=Ask("ollama", "model", "llama"))])


def test_a_service_is_asked_once_and_what_it_freed_is_kept(home: Path) -> None:
    service = Service()
    ledger = apply(home, asking(home), Disk(), service)
    assert (ledger.states, ledger.measured, service.models) == (["purged"], 7, set())
    take_back(home, ledger.plan, Disk())
    assert settle(home, ledger.plan, Disk(), service)


@pytest.mark.parametrize(("dies", "state"), [("before", "refused"), ("after", "purged")])
def test_power_lost_while_a_service_was_asked(home: Path, dies: str, state: str) -> None:
    plan, service = asking(home), Service(dies=dies)
    with pytest.raises(Crash):
        apply(home, plan, Disk(), service)
    service.dies = "unreachable"
    ledger = settle(home, plan, Disk(), service)
    assert ledger
    assert ledger.states == ["intent"]
    service.dies = ""
    ledger = settle(home, plan, Disk(), service)
    assert ledger
    assert ledger.states == [state]


def test_a_service_that_fell_silent_is_asked_later_what_it_has(home: Path) -> None:
    service = Service(dies="silent")
    ledger = apply(home, asking(home), Disk(), service)
    assert ledger.states == ["intent"]
    found = settle(home, ledger.plan, Disk(), service)
    assert found
    assert found.states == ["purged"]


def test_a_model_that_a_service_made_is_removed_again(home: Path) -> None:
    (home / "things").mkdir()
    ask = Ask("ollama", "model", "mine", make="ab" * 32)
    plan = sealed(home, [Step("ask", Place("http://127.0.0.1:1"), None, "x", ask=ask)])
    for dies, states in (("before", ["refused"]), ("after", ["done"])):
        service = Service(dies=dies)
        with pytest.raises(Crash):
            apply(home, plan, Disk(), service)
        service.dies = ""
        ledger = settle(home, plan, Disk(), service)
        assert ledger
        assert ledger.states == states
        assert ledger.waiting() == []
        with resumed(home, plan, Disk()) as journal:
            undo(Disk(), journal, now, service)
            assert journal.ledger.states == (["undone"] if states == ["done"] else ["refused"])
        assert service.models == {"llama"}
        os.unlink(journal_file(home, plan))
