"""Equal files made one copy on real file systems: no byte, time or right of any file changes, whatever happens."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import makers
from apply.test_acts import apply, sealed
from apply.work import NEVER, Crash, Failing, journal_file, settle, take_back
from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.plan import Path as Place
from modelyard.plan import Plan, Step, decode, encode
from modelyard.walk.extents import layout
from walk.disks import fresh_disk, run

CONTENT = os.urandom(3 << 20) + b"end"
IMMUTABLE = 0x10  # FS_IMMUTABLE_FL of linux/fs.h
GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602


def two(kind: str, path: Path, other: Path) -> Step:
    """A step that lets `path` have the bytes of `other`."""
    target, source = bytes(path), bytes(other)
    seen = marks.take(target), marks.take(source)
    return Step(kind, Place.of(target), seen[0], "x", other=Place.of(source), source=seen[1])  # type: ignore[arg-type]


def look(path: Path) -> tuple[object, ...]:
    """Everything that must not change: which file, rights, times, attributes and bytes."""
    seen = path.stat()
    attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return seen.st_ino, seen.st_mode, seen.st_uid, seen.st_mtime_ns, seen.st_ctime_ns, attributes, digest


def immutable(path: Path, on: bool) -> None:
    """Lets nobody change a file, or everybody again."""
    descriptor = os.open(path, os.O_RDONLY)
    flags = bytearray(8)
    fcntl.ioctl(descriptor, GET_FLAGS, flags)
    flags[0] = flags[0] | IMMUTABLE if on else flags[0] & ~IMMUTABLE
    fcntl.ioctl(descriptor, SET_FLAGS, bytes(flags))
    os.close(descriptor)


@pytest.fixture(scope="module", params=["xfs", "btrfs"])
def sharing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk whose files can share extents."""
    with fresh_disk(request.param, tmp_path_factory.mktemp("disk")) as disk:
        yield disk


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk whose files cannot."""
    with fresh_disk("ext4", tmp_path_factory.mktemp("disk")) as disk:
        yield disk


@pytest.fixture
def room(request: pytest.FixtureRequest, sharing: Path) -> Path:
    """A folder of its own on the disk."""
    return fresh_room(sharing)


@pytest.fixture
def plain_room(plain: Path) -> Path:
    """A folder of its own on the disk whose files cannot share."""
    return fresh_room(plain)


def fresh_room(disk: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(disk / "room", ignore_errors=True)
    (disk / "room").mkdir()
    return disk / "room"


def weights(folder: Path, *names: str, content: bytes = CONTENT) -> list[Path]:
    """Files of the same content, on the disk."""
    files = [makers.write(folder / "things" / name, content) for name in names]
    run("sync", "-f", folder)
    return files


def test_sharing_changes_nothing_that_anybody_can_see(room: Path) -> None:
    odd = os.fsdecode(b"odd\xff.gguf")
    one, other, third = weights(room, "one", "two", odd)
    run("setfacl", "-m", "u:65534:r", other)
    os.setxattr(other, "user.origin", b"mine")
    other.chmod(0o440)
    third.chmod(0o400)
    os.utime(other, ns=(1, 10**18 + 7))
    before = {path: look(path) for path in (one, other, third)}
    plan = sealed(room, [two("share", other, one), two("share", third, one)])
    ledger = apply(room, plan, Disk())
    assert ledger.states == ["done", "done"], ledger.reasons
    assert ledger.waiting() == []
    assert {path: look(path) for path in before} == before
    assert layout(bytes(one)) == layout(bytes(other)) == layout(bytes(third)) != ()
    take_back(room, plan, Disk())
    assert {path: look(path) for path in before} == before
    with other.open("r+b") as file:
        file.write(b"mine alone")
    assert one.read_bytes() == CONTENT


def change_last(path: Path) -> None:
    """Another last byte, with the old time of writing."""
    seen = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replace(path: Path) -> None:
    """Another file under its name."""
    makers.write(path.with_name("new"), b"?" * len(CONTENT)).rename(path)


def become_link(path: Path) -> None:
    """A link under its name."""
    path.unlink()
    path.symlink_to("/etc/passwd")


CHANGES: dict[str, Callable[[Path], object]] = {
    "written to between plan and apply": change_last,
    "replaced between plan and apply": replace,
    "replaced by an equal file": lambda path: makers.write(path.with_name("new"), path.read_bytes()).rename(path),
    "gone between plan and apply": os.unlink,
    "a link now": become_link,
    "longer now": lambda path: os.truncate(path, len(CONTENT) + 1),
}


@pytest.mark.parametrize("which", ["one", "two"])
@pytest.mark.parametrize("danger", list(CHANGES))
@pytest.mark.parametrize("kind", ["share", "relink"])
def test_a_file_that_is_not_as_it_was_is_left_alone(room: Path, kind: str, danger: str, which: str) -> None:
    one, other = weights(room, "one", "two")
    plan = sealed(room, [two(kind, other, one)])
    CHANGES[danger](room / "things" / which)
    names = sorted(os.listdir(room / "things"))
    before = [path.read_bytes() if path.is_file() else b"" for path in (one, other)]
    ledger = apply(room, plan, Disk())
    assert ledger.states[0] in ("refused", "failed")
    assert ledger.reasons[0]
    assert [path.read_bytes() if path.is_file() else b"" for path in (one, other)] == before
    assert sorted(os.listdir(room / "things")) == names


@pytest.mark.parametrize("kind", ["share", "relink"])
def test_fine_tunes_that_share_size_and_their_first_megabytes_both_survive(room: Path, kind: str) -> None:
    """A published tool linked them after comparing 64 KiB, and one of the two was gone."""
    (one,) = weights(room, "one", content=CONTENT + b"a")
    (other,) = weights(room, "two", content=CONTENT + b"b")
    before = [look(one), look(other)]
    ledger = apply(room, sealed(room, [two(kind, other, one)]), Disk())
    assert ledger.states == ["refused"]
    assert ledger.reasons[0] == "the two files are not equal"
    assert [look(one), look(other)] == before


def test_a_sparse_twin_keeps_its_bytes(room: Path) -> None:
    content = bytes(4 << 20) + CONTENT
    (one,) = weights(room, "one", content=content)
    other = room / "things" / "two"
    with other.open("wb") as file:
        file.seek(4 << 20)
        file.write(CONTENT)
    run("sync", "-f", room)
    before = [look(one), look(other)]
    assert apply(room, sealed(room, [two("share", other, one)]), Disk()).states == ["done"]
    assert [look(one), look(other)] == before


def test_a_file_that_is_being_written_is_never_harmed_by_sharing(room: Path) -> None:
    one, other = weights(room, "one", "two")
    plan = sealed(room, [two("share", other, one)])
    with other.open("r+b") as file:
        apply(room, plan, Disk())
        file.write(b"still mine")
    assert one.read_bytes() == CONTENT
    assert other.read_bytes() == b"still mine" + CONTENT[10:]


def test_an_immutable_file_stays_as_it_is(room: Path) -> None:
    one, other = weights(room, "one", "two")
    immutable(other, True)
    try:
        before = look(other)
        for kind in ("share", "relink"):
            ledger = apply(room, sealed(room, [two(kind, other, one)]), Disk())
            assert ledger.states == ["failed"], ledger.reasons
            assert "EPERM" in ledger.reasons[0]
        assert look(other) == before
        assert sorted(os.listdir(room / "things")) == ["one", "two"]
    finally:
        immutable(other, False)


def test_a_file_system_without_shared_extents_says_so(plain_room: Path) -> None:
    one, other = weights(plain_room, "one", "two")
    ledger = apply(plain_room, sealed(plain_room, [two("share", other, one)]), Disk())
    assert ledger.states == ["failed"]
    assert "cannot share extents" in ledger.reasons[0]


def test_no_link_is_made_of_a_file_that_somebody_writes(plain_room: Path) -> None:
    one, other = weights(plain_room, "one", "two")
    plan = sealed(plain_room, [two("relink", other, one)])
    for writing in (one, other):
        with writing.open("r+b"):
            ledger = apply(plain_room, plan, Disk())
        assert ledger.states == ["refused"]
        assert "open for writing" in ledger.reasons[0]
        os.unlink(journal_file(plain_room, plan))
    assert apply(plain_room, plan, Disk()).states == ["done"]
    assert one.samefile(other)
    take_back(plain_room, plan, Disk())
    assert not one.samefile(other)


@pytest.mark.parametrize("differs", ["list", "attribute", "mode"])
def test_no_link_is_made_where_one_file_would_lose_its_rights(plain_room: Path, differs: str) -> None:
    one, other = weights(plain_room, "one", "two")
    if differs == "list":
        run("setfacl", "-m", "u:65534:r", other)
        one.chmod(other.stat().st_mode & 0o777)
    elif differs == "attribute":
        os.setxattr(other, "user.origin", b"mine")
    else:
        other.chmod(0o400)
    before = look(one), look(other)
    ledger = apply(plain_room, sealed(plain_room, [two("relink", other, one)]), Disk())
    assert ledger.states == ["refused"], ledger.reasons
    assert "differ" in ledger.reasons[0]
    assert (look(one), look(other)) == before


def test_no_link_leads_to_another_disk(plain_room: Path, home: Path) -> None:
    (one,) = weights(plain_room, "one")
    other = makers.write(home / "things" / "two", CONTENT)
    ledger = apply(home, sealed(home, [two("relink", other, one), two("share", other, one)]), Disk())
    assert ledger.states == ["failed", "failed"]
    assert all("EXDEV" in reason or "share" in reason for reason in ledger.reasons.values())
    assert other.read_bytes() == one.read_bytes() == CONTENT
    assert os.listdir(home / "things") == ["two"]


def sweep_plan(folder: Path) -> Plan:
    """Equal files to be shared, linked and cloned."""
    one, shared, linked = weights(folder, "one", "shared", "linked", content=b"x" * 8192)
    clone = two("clone", folder / "things" / "into" / "clone", one)
    return sealed(folder, [two("share", shared, one), two("relink", linked, one), clone])


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the folder."""
    return {path.name: path.read_bytes() for path in (folder / "things").rglob("*") if path.is_file()}


@pytest.mark.parametrize("act", ["apply", "undo"])
def test_stopped_at_every_call_every_file_is_readable_and_a_second_run_completes(room: Path, act: str) -> None:
    def acted(plan: Plan, disk: Disk) -> None:
        if act == "undo":
            apply(room, plan, Disk())
            take_back(room, plan, disk)
        else:
            apply(room, plan, disk)

    counting = Failing(NEVER)
    acted(sweep_plan(room), counting)
    before = dict.fromkeys(("one", "shared", "linked"), b"x" * 8192)
    for at in range(1, counting.calls + 1):
        fresh_room(room.parent)
        plan = sweep_plan(room)
        with pytest.raises(Crash):
            acted(plan, Failing(at))
        ledger = settle(room, plan, Disk())
        found = contents(room)
        assert set(found.values()) == {b"x" * 8192}
        assert set(before) <= set(found) <= {*before, "clone"}, at
        assert ledger is None or set(ledger.states) <= {"planned", "refused", "done", "undone"}
        if ledger is not None:
            take_back(room, plan, Disk())
        assert contents(room) == before, at
        if act == "apply":
            again = sealed(room, [two(step.do, Path(step.path.text), room / "things" / "one") for step in plan.steps])
            again = Plan(
                **{name: getattr(again, name) for name in again.__struct_fields__} | {"title": f"{at}"}
            ).sealed()
            assert set(apply(room, again, Disk()).states) == {"done"}


PROGRAM = """
import sys; sys.path[:0] = sys.argv[2:]
from pathlib import Path
from apply.work import apply
from modelyard.apply.disk import Disk
from modelyard.plan import decode
apply(Path(sys.argv[1]), decode(Path(sys.argv[1], "plan").read_bytes()), Disk())
"""


def traced(room: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """The plan of the room applied in a program of its own, under strace."""
    paths = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]
    command = ["strace", "-f", "-qq", *options, sys.executable, "-c", PROGRAM, str(room), *paths]
    return subprocess.run(command, capture_output=True, check=False)


def ready(disk: Path) -> Path:
    """A fresh room with a plan in it."""
    room = fresh_room(disk)
    (room / "plan").write_bytes(encode(sweep_plan(room)))
    return room


@pytest.mark.parametrize(
    ("call", "ours", "harms"),
    [
        ("linkat", b"things", ("signal=KILL", "error=EMLINK", "error=EXDEV")),
        ("renameat2", b"things", ("signal=KILL", "error=EIO")),
        ("ioctl", b"FIDEDUPERANGE", ("signal=KILL", "error=EIO")),
        ("ioctl", b"FICLONERANGE", ("signal=KILL", "error=ENOSPC")),
        ("fsync", b"", ("signal=KILL", "error=EIO")),
    ],
)
def test_killed_or_refused_by_the_system_at_each_call(
    tmp_path_factory: pytest.TempPathFactory, call: str, ours: bytes, harms: tuple[str, ...]
) -> None:
    with fresh_disk("xfs", tmp_path_factory.mktemp("disk")) as disk:
        log = tmp_path_factory.mktemp("log") / "calls"
        assert traced(ready(disk), "-o", str(log), "-e", f"trace={call}").returncode == 0
        lines = [line for line in log.read_bytes().splitlines() if call.encode() + b"(" in line]
        numbers = [number for number, line in enumerate(lines, start=1) if ours in line]
        assert numbers, lines
        for harm in harms:
            for number in numbers[:3]:
                room = ready(disk)
                plan = decode((room / "plan").read_bytes())
                options = ("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{harm}:when={number}")
                ended = traced(room, *options)
                ledger = settle(room, plan, Disk())
                whole = isinstance(ledger, Ledger) and set(ledger.states) == {"done"}
                assert ended.returncode != 0 or not whole, (call, harm, number)
                found = contents(room)
                assert {found[name] for name in ("one", "shared", "linked")} == {b"x" * 8192}, (call, harm, number)
                assert set(found) <= {"one", "shared", "linked", "clone"}
                if isinstance(ledger, Ledger):
                    take_back(room, plan, Disk())
                assert set(contents(room)) == {"one", "shared", "linked"}
