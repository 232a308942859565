"""What a set of names frees: every inode when its last name goes, nothing that others still need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walk.conftest import Look
from walk.disks import fill, reflink
from walk.test_dangers import Drop
from walk.truth import freed, look, row_of, rows_below

MIB = 1 << 20


def allocated(*paths: Path) -> int:
    """Bytes that the files and folders themselves take."""
    return sum(os.lstat(path).st_blocks * 512 for path in paths)


@pytest.fixture
def shared(home: Path) -> Path:
    """Two folders with a file in common, one of a kind in each, and a link from outside."""
    for name in ("a", "b", "outside"):
        (home / name).mkdir()
    for name in ("a/own", "b/own", "a/common", "a/kept"):
        (home / name).write_bytes(b"x" * 100_000)
    os.link(home / "a" / "common", home / "b" / "common")
    os.link(home / "a" / "kept", home / "outside" / "kept")
    return home


def test_an_inode_counts_only_with_all_its_links(walked: Look, shared: Path) -> None:
    tree = walked(shared)
    a, b = shared / "a", shared / "b"
    alone = freed(tree, a)
    assert alone.freed == allocated(a, a / "own")
    assert alone.apparent == 300_000
    both = freed(tree, a, b)
    assert both.freed == allocated(a, b, a / "own", b / "own", a / "common")
    assert both.apparent == 400_000
    assert alone.exact and both.exact
    assert freed(tree, shared).freed == freed(tree, shared).allocated


def test_links_outside_the_tree_keep_the_bytes(walked: Look, shared: Path) -> None:
    sizes = freed(walked(shared / "a"), shared / "a")
    assert sizes.freed == allocated(shared / "a", shared / "a" / "own")
    assert sizes.exact


def test_nested_rows_count_once(walked: Look, shared: Path) -> None:
    tree = walked(shared)
    paths = [shared, shared / "a", shared / "a" / "own", shared / "a" / "own", shared / "b" / "common", shared / "b"]
    assert freed(tree, *paths) == freed(tree, shared)
    assert freed(tree, *reversed(paths)) == freed(tree, shared)


def test_kept_rows_are_left_out(walked: Look, shared: Path) -> None:
    tree = walked(shared)
    a = shared / "a"
    measured = tree.measure([row_of(tree, a)], [row_of(tree, a / "own")]).sizes
    assert measured.apparent == 200_000
    assert measured.entries == 3
    assert measured.freed == 0, "the folder stays with what is kept in it"
    one_link = tree.measure([row_of(tree, a), row_of(tree, shared / "b")], [row_of(tree, shared / "b" / "common")])
    assert one_link.sizes.freed == allocated(a, a / "own", shared / "b" / "own")
    whole_folder = tree.measure([row_of(tree, shared)], [row_of(tree, a)]).sizes
    assert whole_folder.freed == allocated(shared / "b", shared / "b" / "own", shared / "outside")
    assert tree.measure([row_of(tree, a)], [row_of(tree, a)]).sizes.entries == 0


def test_the_nearest_row_decides_between_chosen_and_kept(walked: Look, home: Path) -> None:
    inner = home / "a" / "kept" / "chosen"
    inner.mkdir(parents=True)
    (inner / "f").write_bytes(b"x" * 100_000)
    tree = walked(home)
    rows = [row_of(tree, home / "a"), row_of(tree, inner)]
    sizes = tree.measure(rows, [row_of(tree, home / "a" / "kept")]).sizes
    assert (sizes.entries, sizes.freed) == (3, allocated(inner, inner / "f"))


def test_a_measure_leaves_nothing_behind_for_the_next(shared: Path) -> None:
    tree = look(shared)
    first = freed(tree, shared / "a")
    assert freed(tree, shared / "a") == first
    tree.measure([row_of(tree, shared)], [row_of(tree, shared / "b")])
    assert freed(tree, shared / "a") == first
    tree.columns.overlap([row_of(tree, shared / "a")], [[row_of(tree, shared / "b")]])
    assert freed(tree, shared / "a") == first


def test_newest_and_last_read_come_from_files_of_one_owner(walked: Look, home: Path) -> None:
    for name, read, written in (("a", 50, 10), ("b", 20, 30), ("linked", 90, 5)):
        (home / name).touch()
        os.utime(home / name, ns=(read, written))
    os.link(home / "linked", home / "again")
    tree = walked(home)
    measured = tree.measure([row_of(tree, home)])
    assert (measured.newest, measured.last_read) == (30, 50)
    (home / "empty").mkdir()
    tree = walked(home)
    assert tree.measure([row_of(tree, home / "empty")])[1:] == (None, None)


def test_a_path_that_was_not_walked_is_refused(home: Path) -> None:
    with pytest.raises(KeyError):
        freed(look(home), home / "nothing")


def test_an_unreadable_folder_makes_it_inexact(walked: Look, place: Path, as_nobody: Drop) -> None:
    (place / "a" / "closed").mkdir(parents=True)
    (place / "b").mkdir()
    (place / "a" / "closed").chmod(0o700)
    as_nobody()
    tree = walked(place)
    assert not freed(tree, place / "a").exact
    assert not freed(tree, place).exact
    assert freed(tree, place / "b").exact


def test_overlap_counts_each_file_once_a_group(walked: Look, shared: Path) -> None:
    os.link(shared / "a" / "common", shared / "b" / "third")
    tree = walked(shared)
    a, b, outside = (row_of(tree, shared / name) for name in ("a", "b", "outside"))
    size = allocated(shared / "a" / "common")
    assert tree.columns.overlap([a], [[b], [outside], [b, outside], []]) == [
        (1, size),
        (1, size),
        (2, 2 * size),
        (0, 0),
    ]
    assert tree.columns.overlap([b], [[outside]]) == [(0, 0)]


def test_reflinked_files_do_not_count_and_are_not_exact(walked: Look, sharing_disk: Path) -> None:
    original = fill(sharing_disk / "a", 4 * MIB)
    copy = reflink(original, sharing_disk / "b")
    private = fill(sharing_disk / "c", 4 * MIB)
    tree = walked(sharing_disk)
    for paths in ([original], [copy], [original, copy]):
        sizes = freed(tree, *paths)
        assert (sizes.freed, sizes.exact) == (0, False)
    sizes = freed(tree, private)
    assert (sizes.freed, sizes.exact) == (4 * MIB, True)
    assert freed(tree, copy, private).freed == 4 * MIB


def test_partly_shared_files_free_their_private_part(walked: Look, sharing_disk: Path) -> None:
    original = fill(sharing_disk / "a", 4 * MIB)
    copy = reflink(original, sharing_disk / "b")
    with copy.open("r+b") as file:
        file.seek(2 * MIB)
        file.write(os.urandom(3 * MIB))
        file.flush()
        os.fsync(file.fileno())
    sizes = freed(walked(sharing_disk), copy)
    assert (sizes.freed, sizes.exact) == (3 * MIB, False)


def test_files_in_many_pieces_are_asked_to_the_end(walked: Look, sharing_disk: Path) -> None:
    """More extents than one question to the kernel answers."""
    pieces = sharing_disk / "pieces"
    with pieces.open("wb") as file:
        for number in range(600):
            file.seek(number * 65_536)
            file.write(os.urandom(8192))
    copy = reflink(pieces, sharing_disk / "copy")
    with copy.open("r+b") as file:
        file.seek(599 * 65_536)
        file.write(os.urandom(8192))
        os.fsync(file.fileno())
    sizes = freed(walked(sharing_disk), copy)
    assert 8192 <= sizes.freed <= 8192 + (128 << 10), "xfs reserves up to 128 KiB around a changed piece"
    assert not sizes.exact


def decides(path: bytes, chosen: set[bytes], kept: set[bytes]) -> bool:
    """Whether the nearest row at or above the path that is chosen or kept is a chosen one."""
    while path not in chosen | kept:
        if path == b"/":
            return False
        path = os.path.dirname(path)
    return path not in kept


@settings(max_examples=60, deadline=None, derandomize=True)
@given(links=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=25), data=st.data())
def test_any_set_frees_what_sets_of_names_say(
    tmp_path_factory: pytest.TempPathFactory, links: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Files by number, each linked into some folders; the set is any rows, kept any others."""
    root = tmp_path_factory.mktemp("sets")
    for folder in range(5):
        (root / str(folder)).mkdir()
    for number, folder in dict.fromkeys(links):
        first = root / f"file{number}"
        if not first.exists():
            first.write_bytes(b"x" * (number * 5000))
        os.link(first, root / str(folder) / f"file{number}")
    tree = look(root)
    rows = rows_below(tree, row_of(tree, root))
    some = st.sets(st.sampled_from(sorted(rows)), max_size=6)
    chosen, kept = data.draw(some), data.draw(some)
    gone = {path for path in rows if decides(path, chosen, kept)}
    held = {path for path in gone if any(each.startswith(path + b"/") for each in kept)}
    freed = 0
    for inode in {os.lstat(path).st_ino for path in gone}:
        names = [path for path in rows if os.lstat(path).st_ino == inode]
        if set(names) <= gone - held:
            freed += os.lstat(names[0]).st_blocks * 512
    measured = tree.measure([rows[path] for path in chosen], [rows[path] for path in kept]).sizes
    assert (measured.freed, measured.entries, measured.exact) == (freed, len(gone), True)
