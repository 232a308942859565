"""What goes wrong on real disks, one danger a test: names, links, rights, races, access times."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from walk.conftest import Look
from walk.truth import assert_true, freed, look, paths_below, row_of, rows_below

OLD = 10**18
Drop = Callable[[], None]


def test_names_that_are_not_utf8(walked: Look, home: Path) -> None:
    names = [b"\xff", b"caf\xe9", b"\xed\xa0\x80", bytes(range(128, 256)), b"\xc3\xa9", b"\xf0\x9f\xa4\x97"]
    for name in names:
        os.mkdir(os.path.join(bytes(home), name))
        Path(os.fsdecode(os.path.join(bytes(home), name)), "f").touch()
    tree = walked(home)
    assert paths_below(tree, home) == set(names) | {name + b"/f" for name in names}
    assert_true(tree, home)
    row = row_of(tree, os.path.join(bytes(home), b"caf\xe9"))
    assert tree.label(row).endswith("caf\\xe9")


def test_names_with_newlines(walked: Look, home: Path) -> None:
    names = [b"\n", b"a\nb", b"\r\n", b"\t", b"\x1b[31mred", b"\x01", b" ", b"trailing "]
    for name in names:
        (home / os.fsdecode(name)).mkdir()
    tree = walked(home)
    assert paths_below(tree, home) == set(names)
    for name in names:
        row = row_of(tree, os.path.join(bytes(home), name))
        assert tree.label(row).isprintable()


def test_names_of_the_greatest_length(walked: Look, home: Path) -> None:
    names = {bytes([letter]) * 255 for letter in b"abcdefghijklmnopqrstuvwxyz"}
    for name in names:
        (home / os.fsdecode(name)).touch()
    assert paths_below(walked(home), home) == names


def test_never_follows_symlinks(walked: Look, home: Path) -> None:
    outside = home / "outside"
    inside = home / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret").write_bytes(b"x" * 10_000)
    for name, target in (("to folder", outside), ("to file", outside / "secret"), ("loop", inside), ("dangling", "no")):
        (inside / name).symlink_to(target)
    tree = walked(inside)
    assert paths_below(tree, inside) == {b"to folder", b"to file", b"loop", b"dangling"}
    assert_true(tree, inside)
    for name in ("to folder", "to file", "loop", "dangling"):
        row = row_of(tree, inside / name)
        assert tree.is_link(row)
        assert not tree.is_file(row)


def test_a_starting_point_that_is_a_link_is_a_problem(walked: Look, home: Path) -> None:
    (home / "real").mkdir()
    (home / "real" / "f").touch()
    (home / "link").symlink_to("real")
    tree = walked(home / "link")
    assert tree.find(str(home / "link")) is None
    assert [problem.path for problem in tree.problems()] == [str(home / "link")]


def test_a_starting_point_that_is_missing_is_a_problem(walked: Look, home: Path) -> None:
    tree = walked(home / "gone", home)
    assert [(problem.path, problem.code) for problem in tree.problems()] == [(str(home / "gone"), "vanished")]
    assert_true(tree, home)


def test_folders_that_cannot_be_read(walked: Look, place: Path, as_nobody: Drop) -> None:
    for name in ("open", "closed/inner", "open/closed"):
        (place / name).mkdir(parents=True)
        (place / name / "f").write_bytes(b"x" * 5000)
    (place / "closed").chmod(0o700)
    (place / "open/closed").chmod(0o311)
    as_nobody()
    tree = walked(place)
    assert paths_below(tree, place) == {b"open", b"open/f", b"closed", b"open/closed"}
    found = {(os.path.relpath(problem.path, place), problem.code) for problem in tree.problems()}
    assert found == {("closed", "unreadable"), ("open/closed", "unreadable")}
    top, inner = row_of(tree, place), row_of(tree, place / "open/closed")
    assert tree.totals(top).troubles == 2
    assert not tree.is_whole(inner)
    assert tree.entry(inner) is not None


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_folder_that_only_tells_its_names(walked: Look, place: Path, as_nobody: Drop, kind: str) -> None:
    """Read permission without search: the names are known, and nothing about them."""
    names = place / "names"
    (names / "inner" if kind == "folder" else names).mkdir(parents=True)
    (names / "inner" / "f" if kind == "folder" else names / "f").write_bytes(b"x" * 50_000)
    names.chmod(0o744)
    as_nobody()
    tree = walked(place)
    row = row_of(tree, names)
    assert tree.problems()
    assert not tree.is_whole(row)
    assert not tree.measure([row]).sizes.exact


def test_an_unreadable_starting_point_hides_nothing_of_the_next(walked: Look, place: Path, as_nobody: Drop) -> None:
    """What was not opened first must not decide what is known about its file system."""
    (place / "a").mkdir(mode=0o700)
    (place / "b").mkdir()
    (place / "b" / "f").write_bytes(b"x" * 50_000)
    as_nobody()
    tree = walked(place / "a", place / "b")
    sizes = freed(tree, place / "b")
    assert sizes.exact
    assert sizes.freed == sizes.allocated > 50_000


class Churn(threading.Thread):
    """Makes and removes files and folders until told to stop."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.root, self.stopped = root, threading.Event()

    def run(self) -> None:
        """Renames, replaces and removes as fast as it can."""
        while not self.stopped.is_set():
            for number in range(20):
                folder, file = self.root / f"d{number}", self.root / f"f{number}"
                folder.mkdir(exist_ok=True)
                (folder / "inner").touch()
                file.touch()
            for number in range(20):
                folder, file = self.root / f"d{number}", self.root / f"f{number}"
                (folder / "inner").unlink()
                folder.rmdir()
                folder.symlink_to(self.root)
                file.rename(self.root / "again")
                (self.root / "again").unlink()
                folder.unlink()


def test_files_that_vanish_while_walking(walked: Look, home: Path) -> None:
    (home / "stays").mkdir()
    (home / "stays" / "f").write_bytes(b"x" * 100)
    churn = Churn(home)
    churn.start()
    vanished, until = 0, time.monotonic() + 20
    try:
        while vanished < 200 and time.monotonic() < until:
            tree = walked(home)
            listed = set(rows_below(tree, row_of(tree, home)).values())
            assert {b"stays", b"stays/f"} <= paths_below(tree, home)
            assert {problem.code for problem in tree.problems()} <= {"vanished", "changed"}
            assert not listed & {row for row, _ in tree.columns.troubles}
            assert tree.totals(row_of(tree, home / "stays")).apparent == 100
            vanished += len(tree.problems())
    finally:
        churn.stopped.set()
        churn.join()
    assert vanished, "nothing ever vanished: the test proves nothing"


@pytest.mark.parametrize("stale", [OLD, 0])
def test_access_times_stay(walked: Look, home: Path, stale: int) -> None:
    """With relatime the first read of what is older than its change would be written down."""
    (home / "a" / "b").mkdir(parents=True)
    (home / "a" / "f").write_bytes(b"x" * 100)
    (home / "a" / "l").symlink_to("f")
    paths = [home, home / "a", home / "a" / "b", home / "a" / "f", home / "a" / "l"]
    for path in reversed(paths):
        os.utime(path, ns=(stale, OLD), follow_symlinks=False)
    tree = walked(home)
    row = row_of(tree, home / "a" / "f")
    assert tree.read(row) == b"x" * 100
    tree.measure([row])
    assert [os.lstat(path).st_atime_ns for path in paths] == [stale] * len(paths)


def test_a_hard_link_needs_no_second_stat(walked: Look, home: Path) -> None:
    (home / "f").touch()
    for number in range(1000):
        os.link(home / "f", home / f"l{number}")
    tree = walked(home)
    assert_true(tree, home)
    assert tree.columns.stat_calls < 20


def test_a_device_whose_names_lie_about_inodes_is_stat_ed(walked: Look) -> None:
    """In /proc every name carries an inode of its own making: nothing may be taken from there."""
    tree = walked("/proc/sys/kernel")
    assert len(tree) > 100
    assert not [trusted for *_, trusted in tree.columns.devices if trusted]


def test_fifos_sockets_and_devices_are_counted_and_not_opened(walked: Look, home: Path) -> None:
    os.mkfifo(home / "fifo")
    os.mknod(home / "null", 0o020666, os.makedev(1, 3))
    tree = walked(home)
    assert_true(tree, home)
    assert tree.measure([row_of(tree, home)]).sizes.exact


def test_a_symlink_is_told_with_its_number(home: Path) -> None:
    """Opening a link as a folder gives an errno that has a code of its own."""
    (home / "l").symlink_to(home)
    assert look(home / "l").columns.troubles[0][1] in (errno.ELOOP, errno.ENOTDIR)


def test_threads_out_of_bounds_are_refused(home: Path) -> None:
    for threads in (0, -1, 65):
        with pytest.raises(ValueError, match="threads"):
            look(home, threads=threads)


def test_a_path_with_a_nul_is_refused(home: Path) -> None:
    with pytest.raises(ValueError, match="NUL"):
        look(bytes(home) + b"\0x")
