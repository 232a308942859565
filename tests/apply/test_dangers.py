"""What could take more away than was looked at: mounts in folders, late writers, depth, replaced files, rights."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import makers
import oracle
from apply.work import apply, journal_file, plan_for, resumed, take_back, throw_away
from modelyard.api.reclaim import Yard
from modelyard.apply import journal as journals
from modelyard.apply import trash
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.apply.purge import purge
from modelyard.plan import Plan
from modelyard.uses.guard import Guard
from reclaiming import age, clean, everything, holding, left_out
from typed import Run
from walk.disks import loop_disk, mounted
from walk.disks import run as command

DEEP = 1100  # more than Python calls within calls, and more than a process may have open


def ledger(home: Path, plan: Plan) -> Ledger:
    """What the journal tells now."""
    found = journals.read(journal_file(home, plan))
    assert isinstance(found, Ledger)
    return found


@pytest.fixture(params=["tmpfs", "bind"])
def run_with_data(request: pytest.FixtureRequest, home: Path) -> Iterator[tuple[Path, Path]]:
    """A folder in which a colleague's data are mounted; gives it and a file of those data."""
    folder, theirs = home / "things" / "run", home / "theirs"
    makers.write(folder / "log", b"log")
    (folder / "data").mkdir()
    theirs.mkdir()
    source, options = ("tmpfs", ("-t", "tmpfs")) if request.param == "tmpfs" else (theirs, ("--bind",))
    with mounted(source, folder / "data", *options) as data:
        yield folder, makers.write(data / "thesis", b"years of work")


def test_a_mount_in_a_folder_keeps_it_when_it_is_about_to_go(run_with_data: tuple[Path, Path], home: Path) -> None:
    """A rename takes the mount along into the trash, and purging would empty it."""
    folder, thesis = run_with_data
    step = plan_for([folder], home).steps[0]
    assert Guard([bytes(home)], os.getuid()).why(step) == f"{thesis.parent} is mounted in it"


def test_a_mount_in_the_trash_is_never_purged(run_with_data: tuple[Path, Path], home: Path) -> None:
    folder, thesis = run_with_data
    plan = plan_for([folder], home)
    apply(home, plan, Disk())
    throw_away(home, plan, Disk())
    assert "is mounted in it: unmount it and purge again" in ledger(home, plan).reasons[0]
    take_back(home, plan, Disk())
    assert (thesis.read_bytes(), (folder / "log").read_bytes()) == (b"years of work", b"log")


def test_a_mount_that_came_while_a_folder_was_removed_is_not_entered(
    run_with_data: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, thesis = run_with_data
    monkeypatch.setattr(trash, "mounts_within", lambda path: [])
    with pytest.raises(OSError, match="another file system is mounted in it") as caught:
        trash.remove_tree(Disk(), bytes(folder))
    assert caught.value.errno == errno.EBUSY
    assert thesis.read_bytes() == b"years of work"


def test_a_plan_leaves_out_what_something_is_mounted_in(run: Run, home: Path, tmp_path: Path) -> None:
    makers.layouts()["pip"](home)
    age(home)
    cache = home / ".cache/pip/http-v2"
    (cache / "theirs").mkdir()
    with mounted("tmpfs", cache / "theirs", "-t", "tmpfs"):
        assert left_out(run, "pip")["pip:http"] == f"{cache}/theirs is mounted in it"


def test_a_file_system_that_is_all_one_store_has_no_place_for_a_trash(run: Run, home: Path) -> None:
    """An owner that starts would take the trash for its own."""
    models = home / ".ollama" / "models"
    models.mkdir(parents=True)
    with mounted("tmpfs", models, "-t", "tmpfs"):
        makers.layouts()["ollama"](home)
        age(home)
        before = everything(models)
        answer = run("clean", "ollama", "--yes")
        assert (answer.code, "in which no trash is made" in answer.out) == (3, True)
        assert everything(models) == before


def test_a_tree_of_any_depth_can_be_purged(home: Path) -> None:
    top = home / "things" / "deep"
    top.mkdir(parents=True)
    at = os.open(top, os.O_RDONLY)
    for _ in range(DEEP):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=at))
    os.close(at)
    plan = plan_for([top], home)
    apply(home, plan, Disk())
    throw_away(home, plan, Disk())
    assert ledger(home, plan).states == ["purged"]
    assert not (home / "own" / "trash").exists()


def test_a_file_in_a_folder_replaced_by_an_older_one_of_its_size_is_noticed(home: Path) -> None:
    """Checkpoints of one model are all of one size, and `cp -p` keeps the time: neither tells them apart."""
    folder = home / "things" / "checkpoint-500"
    makers.write(folder / "optimizer.pt", b"newest")
    weights = makers.write(folder / "global_step500" / "model.safetensors", b"w" * 100)
    makers.write(home / "promoted", b"b" * 100)
    for path, when in ((weights, 2000), (home / "promoted", 1000)):
        os.utime(path, (when, when))
    plan = plan_for([folder], home)
    os.replace(home / "promoted", weights)
    apply(home, plan, Disk())
    assert ledger(home, plan).reasons == {0: "something below it changed"}
    assert weights.read_bytes() == b"b" * 100


def test_what_was_written_to_in_the_trash_is_not_purged(home: Path) -> None:
    """A process that had opened a file just before it went writes on, wherever the file lies."""
    makers.write(home / "things" / "run" / "log", b"one")
    single = makers.write(home / "things" / "single", b"two")
    plan = plan_for([home / "things" / "run", single], home)
    with (home / "things" / "run" / "log").open("ab") as late, single.open("ab") as later:
        apply(home, plan, Disk())
        late.write(b" more")
        later.write(b" more")
    throw_away(home, plan, Disk())
    told = ledger(home, plan)
    assert told.states == ["done", "done"]
    assert all(f"`modelyard undo {plan.id}` brings it back" in why for why in told.reasons.values())
    take_back(home, plan, Disk())
    assert (home / "things" / "run" / "log").read_bytes() == b"one more"
    assert single.read_bytes() == b"two more"


def test_what_somebody_took_out_of_the_trash_by_hand_does_not_keep_the_rest(home: Path) -> None:
    makers.write(home / "things" / "run" / "log", b"one")
    makers.write(home / "things" / "run" / "wanted", b"two")
    plan = plan_for([home / "things" / "run"], home)
    apply(home, plan, Disk())
    os.rename(os.path.join(ledger(home, plan).places[0], b"wanted"), home / "wanted")
    throw_away(home, plan, Disk())
    assert ledger(home, plan).states == ["purged"]
    assert (home / "wanted").read_bytes() == b"two"


def test_what_a_process_has_open_in_the_trash_is_not_purged(run: Run, home: Path) -> None:
    makers.layouts()["pip"](home)
    age(home)
    clean(run, "pip")
    (place,) = (home / ".local/share/modelyard").glob(".modelyard-trash-*/*/*-http-v2")
    opened = next(path for path in oracle.below(place) if path.is_file())
    with holding(opened) as process:
        answer = run("purge", "--yes")
        assert answer.code == 3
        assert f"(process {process.pid})" in answer.out
        assert opened.exists()
    assert run("purge", "--yes").code == 0
    assert not place.exists()


def test_an_immutable_file_is_a_failure_that_is_told_and_can_be_mended(tmp_path: Path) -> None:
    with loop_disk("ext4", tmp_path) as home:
        fixed = makers.write(home / "things" / "run" / "fixed", b"one")
        alone = makers.write(home / "things" / "alone", b"two")
        command("chattr", "+i", fixed, alone)
        plan = plan_for([fixed.parent, alone], home)
        apply(home, plan, Disk())
        told = ledger(home, plan)
        assert told.states == ["done", "failed"]
        assert "EPERM" in told.reasons[1]
        throw_away(home, plan, Disk())
        assert ledger(home, plan).states == ["purging", "failed"]
        kept = Path(os.fsdecode(told.places[0])) / "fixed"
        assert (kept.read_bytes(), alone.read_bytes()) == (b"one", b"two")
        command("chattr", "-i", kept, alone)
        throw_away(home, plan, Disk())
        assert ledger(home, plan).states == ["purged", "failed"]


def test_a_purge_asks_who_holds_each_thing(home: Path) -> None:
    first, second = (makers.write(home / "things" / name, b"x") for name in ("first", "second"))
    plan = plan_for([first, second], home)
    apply(home, plan, Disk())
    with resumed(home, plan, Disk()) as journal:
        purge(Disk(), journal, lambda: "", holder=lambda path: "held" if path.endswith(b"first") else "")
    assert ledger(home, plan).states == ["done", "purged"]


def test_a_yard_closes_and_opens_beside_a_journal_of_another_kind(home: Path) -> None:
    """What cannot be read as a journal is told, and keeps nobody from working."""
    state = home / ".local/state/modelyard"
    makers.write(state / "strange.jsonl", b"not a journal\n")
    (state / "folder.jsonl").mkdir()
    with Yard({}, home, "linux") as yard:
        assert len([each for each in yard.ledgers() if not isinstance(each, Ledger)]) == 2
