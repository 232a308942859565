"""What a plan may still do when the disk is not what it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

import makers
from apply.work import Blind, apply, digest, engine, journal_file, plan_for, settle, take_back, things, throw_away
from modelyard import plan as plans
from modelyard.apply import journal as journals
from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.apply.lock import Locked, locked
from modelyard.plan import Plan, Step


def ledger_of(home: Path, plan: Plan) -> Ledger:
    """What the journal tells."""
    found = journals.read(journal_file(home, plan))
    assert isinstance(found, Ledger)
    return found


def rewrite(path: Path) -> None:
    """Another content of the same length and time of writing."""
    seen = path.stat()
    path.write_bytes(b"ONE")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


DRIFTS = {
    "gone": "it is gone",
    "written": "its size changed",
    "same size and time": "its attributes or names changed",
    "became a folder": "it became a folder",
    "became a link": "it became a link",
    "replaced": "it was replaced",
    "deep inside": "something below it changed",
    "new inside": "something below it changed",
    "another link": "the link points elsewhere now",
}


def spoil(base: Path, how: str) -> None:
    """Changes one of the things after the plan was made."""
    file, link = base / "file", base / "dangling"
    match how:
        case "written":
            file.write_bytes(b"other")
        case "same size and time":
            rewrite(file)
        case "replaced":
            makers.write(base / "n", b"one").rename(file)
        case "deep inside":
            (base / "folder/deep/inner").write_bytes(b"2 more")
        case "new inside":
            (base / "folder/deep/new").write_bytes(b"")
        case "another link":
            link.unlink()
            link.symlink_to("stays")
        case _:
            file.unlink()
            if how == "became a folder":
                file.mkdir()
            elif how == "became a link":
                file.symlink_to("stays")


@pytest.mark.parametrize("drift", list(DRIFTS))
def test_a_step_whose_mark_does_not_hold_is_refused_and_the_others_go_on(home: Path, drift: str) -> None:
    paths = [path for path in things(home) if path.name != "second-name"]
    (home / "things" / "second-name").unlink()
    plan = plan_for(paths, home)
    spoil(home / "things", drift)
    apply(home, plan, Disk())
    ledger = ledger_of(home, plan)
    assert sorted(ledger.states) == ["done"] * (len(paths) - 1) + ["refused"]
    (number,) = ledger.steps("refused")
    assert ledger.reasons[number] in (DRIFTS[drift], "it was replaced")  # an inode may be used again at once


class Swapping(Disk):
    """Somebody replaces the file between the look and the rename."""

    def move(self, source: bytes, target: bytes) -> None:
        if source.endswith(b"/file"):
            os.unlink(source)
            Path(os.fsdecode(source)).write_bytes(b"not what was planned")
        super().move(source, target)


def test_what_slips_in_between_look_and_rename_goes_back(home: Path) -> None:
    path = makers.write(home / "things" / "file", b"one")
    plan = plan_for([path], home)
    apply(home, plan, Swapping())
    assert path.read_bytes() == b"not what was planned"
    assert "at the last moment" in ledger_of(home, plan).reasons[0]


def test_a_plan_is_applied_once(home: Path) -> None:
    plan = plan_for(things(home), home)
    apply(home, plan, Disk())
    with pytest.raises(FileExistsError):
        apply(home, plan, Disk())


def test_undo_never_covers_what_is_there_now(home: Path) -> None:
    path = makers.write(home / "things" / "file", b"one")
    folder = makers.write(home / "things" / "run" / "weights", b"two").parent
    plan = plan_for([path, folder], home)
    apply(home, plan, Disk())
    makers.write(path, b"new")
    folder.mkdir()  # a plain rename would replace an empty folder without a word
    take_back(home, plan, Disk())
    ledger = ledger_of(home, plan)
    assert path.read_bytes() == b"new"
    assert list(folder.iterdir()) == []
    assert ledger.states == ["done", "done"]
    assert "something new is there" in ledger.reasons[0]
    path.unlink()
    folder.rmdir()
    take_back(home, plan, Disk())
    assert (path.read_bytes(), (folder / "weights").read_bytes()) == (b"one", b"two")


def test_undo_makes_folders_again_that_went_meanwhile(home: Path) -> None:
    path = makers.write(home / "things" / "a" / "b" / "file", b"one")
    plan = plan_for([path], home)
    apply(home, plan, Disk())
    path.parent.rmdir()
    path.parent.parent.rmdir()
    take_back(home, plan, Disk())
    assert path.read_bytes() == b"one"


def test_the_trash_is_for_its_owner_alone(home: Path) -> None:
    plan = plan_for(things(home), home)
    apply(home, plan, Disk())
    for folder in (home / "own" / "trash", home / "own" / "trash" / plan.id):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_trash_of_somebody_else_is_not_used(home: Path) -> None:
    (home / "own").mkdir()
    (home / "own" / "trash").symlink_to(home)
    plan = plan_for(things(home), home)
    apply(home, plan, Disk())
    assert all(b"/own/" not in place for place in ledger_of(home, plan).places.values())


def test_a_removed_name_of_a_file_with_two_lets_the_other_go_too(home: Path) -> None:
    """Renaming the first changes the ctime of the second: that was ourselves."""
    first = makers.write(home / "things" / "first", b"one")
    os.link(first, home / "things" / "second")
    plan = plan_for([first, home / "things" / "second"], home)
    apply(home, plan, Disk())
    assert ledger_of(home, plan).states == ["done", "done"]


def test_purge_frees_and_leaves_no_folder_behind(home: Path) -> None:
    plan = plan_for(things(home), home)
    apply(home, plan, Disk())
    throw_away(home, plan, Disk())
    assert not (home / "own" / "trash").exists()
    assert set(ledger_of(home, plan).states) == {"purged"}
    before = digest(home)
    take_back(home, plan, Disk())
    assert digest(home) == before


def test_a_trash_on_a_drive_that_is_away_is_never_called_purged(home: Path) -> None:
    plan = plan_for(things(home), home)
    before = digest(home)
    apply(home, plan, Disk())
    kept = digest(home)
    (home / "own").rename(home / "unplugged")
    throw_away(home, plan, Disk())
    ledger = ledger_of(home, plan)
    assert set(ledger.states) == {"done"}
    assert "is the drive mounted?" in ledger.reasons[0]
    assert digest(home) == kept
    (home / "unplugged").rename(home / "own")
    take_back(home, plan, Disk())
    assert digest(home) == before


@pytest.mark.parametrize("tail", [b"", b"0", b"0" * 30, b'deadbeef {"event":"done","step":0}\n', b"\0" * 5000])
def test_a_torn_or_damaged_end_of_a_journal_is_passed_over(home: Path, tail: bytes) -> None:
    plan = plan_for(things(home), home)
    before = digest(home)
    apply(home, plan, Disk())
    with open(journal_file(home, plan), "ab") as file:
        file.write(tail)
    take_back(home, plan, Disk())
    assert digest(home) == before
    assert set(ledger_of(home, plan).states) == {"undone"}


def test_a_damaged_line_within_a_journal_hides_none_that_follow(home: Path) -> None:
    """A bad medium, or somebody's editor: what lies in the trash is still known."""
    plan = plan_for(things(home), home)
    before = digest(home)
    count = 2 * len(plan.steps)
    for line in range(1, count + 1):
        (home / "state" / f"{plan.id}.jsonl").unlink(missing_ok=True)
        apply(home, plan, Disk())
        file = Path(os.fsdecode(journal_file(home, plan)))
        lines = file.read_bytes().splitlines(keepends=True)
        assert len(lines) == count + 1
        lines[line] = b"#" + lines[line][1:]
        file.write_bytes(b"".join(lines))
        settle(home, plan, Disk())
        take_back(home, plan, Disk())
        assert digest(home) == before
        plan = plan_for([Path(os.fsdecode(bytes(step.path))) for step in plan.steps], home)


def test_opening_a_journal_keeps_the_room_that_was_reserved_for_purging(home: Path) -> None:
    plan = plan_for(things(home), home)
    apply(home, plan, Disk())
    file = Path(os.fsdecode(journal_file(home, plan)))
    reserved = file.stat().st_blocks
    with journals.resume(Disk(), ledger_of(home, plan)):
        assert file.stat().st_blocks == reserved


@pytest.mark.parametrize("content", [b"", b"\0", b"{}\n", b"00000000 {}\n"])
def test_a_journal_without_a_plan_is_a_problem(home: Path, content: bytes) -> None:
    path = makers.write(home / "j.jsonl", content)
    assert not isinstance(journals.read(bytes(path)), Ledger)


class Busy(Blind):
    """Refuses everything."""

    def why(self, step: Step) -> str:
        return "a process has it open"


def test_a_refused_step_says_why(home: Path) -> None:
    plan = plan_for(things(home), home)
    before = digest(home)
    (home / "state").mkdir()
    with journals.begin(Disk(), journal_file(home, plan), plan) as journal:
        working = engine(home, plan, Disk(), journal)
        working.watch = Busy()
        working.run(range(len(plan.steps)))
    assert set(ledger_of(home, plan).reasons.values()) == {"a process has it open"}
    assert digest(home) == before


def test_a_changed_plan_is_no_plan(home: Path) -> None:
    plan = plan_for(things(home), home)
    text = plans.encode(plan)
    assert plans.decode(text) == plan
    for wrong in (text.replace(b"things/file", b"things/stay"), b"{}", b"[" * 100_000, b"\xff", text[:-5]):
        with pytest.raises(ValueError, match=r"plan"):
            plans.decode(wrong)
    assert bytes(plan.steps[4].path).endswith(b"/odd\xff")


def test_one_modelyard_at_a_time(home: Path) -> None:
    with locked(bytes(home)):
        pid = os.fork()
        if pid == 0:
            try:
                with locked(bytes(home)):
                    os._exit(1)
            except Locked as held:
                os._exit(75 if str(os.getppid()) in str(held) else 2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 75
    with locked(bytes(home)):
        pass


def test_a_mark_of_nothing(home: Path) -> None:
    assert marks.take(bytes(home / "nothing")) is None
    assert marks.drift(None, None) == ""
    seen = marks.take(bytes(home))
    assert marks.drift(None, seen) == "something is there now"


def test_a_plan_of_an_earlier_version_tells_less_of_a_folder_and_is_understood(home: Path) -> None:
    folder = makers.write(home / "things" / "run" / "weights", b"two").parent
    seen = marks.take(bytes(folder))
    assert seen is not None
    assert seen.below is not None
    before = replace(seen, below=replace(seen.below, print=0))
    assert marks.drift(before, seen) == ""
    assert marks.drift(before, replace(seen, below=replace(seen.below, apparent=4))) == "something below it changed"
    assert marks.drift(replace(seen, below=replace(seen.below, print=7)), seen) == "something below it changed"
