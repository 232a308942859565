"""Mounts inside the tree: loops, other file systems, files mounted over files, and starting points among them."""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack
from pathlib import Path

from walk.conftest import Look
from walk.disks import mounted
from walk.truth import assert_true, freed, look, paths_below, row_of


def bind(mounts: ExitStack, source: Path, target: Path) -> None:
    """Mounts a folder or file a second time."""
    mounts.enter_context(mounted(source, target, "--bind"))


def tmpfs(mounts: ExitStack, target: Path) -> Path:
    """Mounts another file system with a file in it."""
    mounts.enter_context(mounted("tmpfs", target, "-t", "tmpfs", "-o", "size=4m"))
    (target / "far").write_bytes(b"x" * 8192)
    return target


def test_loops_made_with_bind_mounts(walked: Look, home: Path, mounts: ExitStack) -> None:
    (home / "a" / "b").mkdir(parents=True)
    (home / "a" / "f").write_bytes(b"x" * 9000)
    before = walked(home).totals()
    bind(mounts, home / "a", home / "a" / "b")
    tree = walked(home)
    assert paths_below(tree, home) == {b"a", b"a/f", b"a/b"}
    top = row_of(tree, home / "a")
    assert tree.totals().apparent == before.apparent == 9000
    assert not tree.is_whole(top)


def test_a_bind_mount_of_the_folder_above_the_root(walked: Look, home: Path, mounts: ExitStack) -> None:
    (home / "root" / "up").mkdir(parents=True)
    (home / "sibling").write_bytes(b"x" * 9000)
    bind(mounts, home, home / "root" / "up")
    tree = walked(home / "root")
    assert paths_below(tree, home / "root") == {b"up", b"up/sibling", b"up/root"}
    assert tree.totals().apparent == 9000


def test_a_folder_is_met_first_under_its_own_place(walked: Look, home: Path, mounts: ExitStack) -> None:
    """Also when its own place is below a later starting point."""
    (home / "a" / "again").mkdir(parents=True)
    (home / "b" / "own").mkdir(parents=True)
    (home / "b" / "own" / "f").write_bytes(b"x" * 9000)
    bind(mounts, home / "b" / "own", home / "a" / "again")
    tree = walked(home / "a", home / "b")
    assert_true(tree, home / "b")
    assert tree.totals().apparent == 9000
    assert paths_below(tree, home / "a") == {b"again"}


def test_crosses_no_file_system_unless_told(walked: Look, home: Path, mounts: ExitStack) -> None:
    (home / "near").write_bytes(b"x" * 100)
    tmpfs(mounts, home / "other")
    tree = walked(home)
    assert paths_below(tree, home) == {b"near", b"other"}
    assert tree.totals().apparent == 100
    assert not tree.is_whole(row_of(tree, home))
    told = walked(home, cross_device=True)
    assert paths_below(told, home) == {b"near", b"other", b"other/far"}
    assert told.totals().apparent == 8292
    assert told.is_whole(row_of(told, home))


def test_crosses_no_file_system_when_the_mount_table_is_hidden(walked: Look, home: Path, mounts: ExitStack) -> None:
    """As in a chroot without /proc: then the device number tells."""
    from modelyard.walk import _walker

    tmpfs(mounts, home / "other")
    portable, threads = walked.keywords["portable"], walked.keywords["threads"]  # type: ignore[attr-defined]
    tree = _walker.walk([bytes(home)], [], [], threads, portable, False, None)
    names = [tree.name(row) for row in range(len(tree))]
    assert b"other" in names
    assert b"far" not in names
    assert tree.totals(None)[4] == 1


def test_a_mount_of_a_dead_or_other_filesystem_is_not_entered(walked: Look, home: Path, mounts: ExitStack) -> None:
    """A mount point is not even stat-ed: a dead network share would hang. Its access time and entry tell."""
    other = tmpfs(mounts, home / "other")
    os.utime(other, ns=(0, 10**18))
    tree = walked(home)
    row = row_of(tree, other)
    assert tree.is_folder(row)
    assert tree.entry(row) is None
    assert tree.columns.stat_calls == 1
    assert os.stat(other).st_atime_ns == 0
    sizes = tree.measure([row]).sizes
    assert (sizes.freed, sizes.allocated, sizes.exact) == (0, 0, False)


def test_a_mount_point_with_an_odd_name(walked: Look, home: Path, mounts: ExitStack) -> None:
    """The mount table escapes blanks, tabs, newlines and backslashes."""
    other = tmpfs(mounts, home / "a b\tc\nd\\e#")
    tree = walked(home)
    row = row_of(tree, other)
    assert tree.entry(row) is None
    assert tree.columns.stat_calls == 1


def test_a_file_mounted_over_another(walked: Look, home: Path, mounts: ExitStack) -> None:
    """The directory entry still carries the hidden file's inode, which has a name elsewhere."""
    (home / "a").mkdir()
    (home / "b").mkdir()
    (home / "a" / "linked").write_bytes(b"h" * 50_000)
    os.link(home / "a" / "linked", home / "b" / "mounted")
    (home / "shown").write_bytes(b"s" * 100)
    bind(mounts, home / "shown", home / "b" / "mounted")
    tree = walked(home)
    row = row_of(tree, home / "b" / "mounted")
    entry = tree.entry(row)
    assert entry is not None
    assert (entry.size, entry.inode) == (100, os.stat(home / "shown").st_ino)
    assert tree.totals().apparent == 50_100, "one file under two names counts once"
    sizes = freed(tree, home / "b")
    assert sizes.freed < 50_000
    assert not sizes.exact, "what lies under the mount is not known"
    assert freed(tree, home / "b", home / "shown").freed == sizes.freed, "the mount holds the file until it is undone"
    assert not tree.is_whole(row_of(tree, home / "b"))


def test_a_file_mounted_from_elsewhere_frees_nothing(walked: Look, home: Path, mounts: ExitStack) -> None:
    """A mounted name cannot be removed, and its file keeps its own name outside the tree."""
    (home / "outside").write_bytes(b"s" * 100_000)
    (home / "root").mkdir()
    (home / "root" / "f").touch()
    bind(mounts, home / "outside", home / "root" / "f")
    sizes = freed(walked(home / "root"), home / "root")
    assert sizes.freed < 100_000
    assert not sizes.exact


def test_a_file_mounted_from_another_file_system_is_not_touched(walked: Look, home: Path, mounts: ExitStack) -> None:
    other = tmpfs(mounts, home / "other")
    (home / "root").mkdir()
    (home / "root" / "f").touch()
    bind(mounts, other / "far", home / "root" / "f")
    tree = walked(home / "root")
    assert tree.totals().apparent == 0
    assert tree.columns.stat_calls == 1
    assert not tree.is_whole(row_of(tree, home / "root"))
    told = walked(home / "root", cross_device=True)
    assert told.totals().apparent == 8192


def test_roots_that_overlap_are_walked_once(walked: Look, home: Path) -> None:
    (home / "a" / "b").mkdir(parents=True)
    (home / "a" / "b" / "f").write_bytes(b"x" * 9000)
    (home / "ab").mkdir()
    alone = walked(home)
    tree = walked(home, home / "a", home / "a" / "b", home, f"{home}/a/", f"{home}/./a/../ab")
    assert_true(tree, home)
    assert tree.totals()[:2] == alone.totals()[:2]
    for path in (home, home / "a", home / "a" / "b", home / "ab"):
        row = row_of(tree, path)
        assert tree.is_whole(row)
        assert tree.totals(row)[:4] == alone.totals(row_of(alone, path))[:4]
    assert freed(tree, home / "a" / "b").freed == freed(tree, home / "a" / "b").allocated > 9000
    assert tree.totals().troubles == 0


def test_a_root_below_another_on_another_device(walked: Look, home: Path, mounts: ExitStack) -> None:
    other = tmpfs(mounts, home / "a" / "other")
    (home / "a" / "near").write_bytes(b"x" * 100)
    tree = walked(home, other)
    assert tree.totals().apparent == 8292
    assert_true(tree, other)
    assert row_of(tree, other / "far") is not None
    assert tree.totals(row_of(tree, other)).apparent == 8192
    assert tree.totals(row_of(tree, home)).apparent == 100


def test_two_roots_that_are_one_folder(walked: Look, home: Path, mounts: ExitStack) -> None:
    (home / "a").mkdir()
    (home / "a" / "f").write_bytes(b"x" * 9000)
    bind(mounts, home / "a", home / "z")
    tree = walked(home / "a", home / "z")
    assert tree.totals().apparent == 9000
    assert_true(tree, home / "a")


def test_a_mount_within_a_mount(walked: Look, home: Path, mounts: ExitStack) -> None:
    tmpfs(mounts, home / "one")
    tmpfs(mounts, home / "one" / "two")
    assert paths_below(walked(home), home) == {b"one"}
    told = walked(home, cross_device=True)
    assert paths_below(told, home) == {b"one", b"one/far", b"one/two", b"one/two/far"}
    assert told.totals().apparent == 16_384


def test_the_root_of_the_disk_has_plain_paths(mounts: ExitStack, home: Path) -> None:
    """A walk of / inside a small mount namespace: no doubled slash, and everything found again."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc is not None
    small = home / "small"
    (small / "a" / "b").mkdir(parents=True)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.chroot(small)
        tree = look("/")
        paths = sorted(tree.path(row) for row in range(len(tree)))
        found = tree.find("/a/b")
        os.write(writer, repr((paths, found is not None)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        assert answer.read() == repr(([b"/", b"/a", b"/a/b"], True)).encode()
