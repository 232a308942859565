"""Generated trees: both back ends see what a slow walk with lstat sees, column by column and folder by folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walk.conftest import Look
from walk.truth import assert_true, look, row_of, rows_below

NAME = st.one_of(
    st.sampled_from([b"a", b"b", b"...", b" ", b"-rf", b"\n", b"\xff\xfe", b"\\", b"*", b"model.gguf"]),
    st.binary(min_size=1, max_size=255).filter(lambda name: name not in (b".", b"..") and not set(name) & {0, 47}),
)
TIME = st.integers(min_value=-(10**18), max_value=4 * 10**18)
PICK = st.integers(min_value=0, max_value=1000)
STEP = st.one_of(
    st.tuples(st.just("folder"), NAME, PICK, st.just(0), TIME),
    st.tuples(st.just("file"), NAME, PICK, st.integers(min_value=0, max_value=20_000), TIME),
    st.tuples(st.just("sparse"), NAME, PICK, st.integers(min_value=1, max_value=1 << 40), TIME),
    st.tuples(st.just("symlink"), NAME, PICK, PICK, TIME),
    st.tuples(st.just("hard link"), NAME, PICK, PICK, TIME),
    st.tuples(st.just("fifo"), NAME, PICK, st.just(0), TIME),
)
Step = tuple[str, bytes, int, int, int]


def make(kind: str, path: bytes, number: int, others: list[bytes]) -> None:
    """Makes one entry of a kind; `number` is its size or which of the others it points at."""
    if kind == "folder":
        os.mkdir(path)
    elif kind in ("file", "sparse"):
        with open(path, "xb") as file:
            file.write(b"x" * number if kind == "file" else b"x")
            file.truncate(number)
    elif kind == "symlink":
        os.symlink([*others, b"nowhere", b"..", b"."][number % (len(others) + 3)], path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif others:
        os.link(others[number % len(others)], path, follow_symlinks=False)


def build(root: bytes, steps: list[Step]) -> None:
    """Makes the entries one after the other, each in one of the folders made before."""
    folders, others = [root], list[bytes]()
    for kind, name, where, number, when in steps:
        path = os.path.join(folders[where % len(folders)], name)
        if os.path.lexists(path):
            continue
        make(kind, path, number, others)
        if not os.path.lexists(path):
            continue
        (folders if kind == "folder" else others).append(path)
        os.utime(path, ns=(when, when), follow_symlinks=False)


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """One place for all the generated trees."""
    with tempfile.TemporaryDirectory(prefix="walk-") as made:
        yield Path(made)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(steps=st.lists(STEP, max_size=40))
def test_generated_trees_are_seen_as_they_are(base: Path, steps: list[Step]) -> None:
    root = base / "tree"
    root.mkdir()
    try:
        build(os.fsencode(root), steps)
        trees = [look(root, portable=portable, threads=threads) for portable in (False, True) for threads in (1, 4)]
        for tree in trees:
            assert_true(tree, root)
            assert not tree.partial
            assert not tree.problems()
    finally:
        shutil.rmtree(root)


def test_an_empty_folder(walked: Look, home: Path) -> None:
    tree = walked(home)
    assert len(tree) == 1
    assert_true(tree, home)


def test_every_column_of_the_whole_walk(walked: Look, home: Path) -> None:
    (home / "a").mkdir()
    (home / "a" / "f").write_bytes(b"x" * 5000)
    os.link(home / "a" / "f", home / "g")
    tree = walked(home)
    top = row_of(tree, home)
    rows = rows_below(tree, top)
    for number, name in enumerate(
        ("mode", "size", "allocated", "device", "inode", "nlink", "mtime", "ctime", "atime", "uid")
    ):
        column = memoryview(tree.columns.column(name)).cast("Q")
        for row in rows.values():
            entry = tree.entry(row)
            assert entry is not None
            assert column[row] == entry[number], name
    parents = memoryview(tree.columns.column("parent")).cast("Q")
    assert parents[rows[bytes(home / "a" / "f")]] == rows[bytes(home / "a")]
    with pytest.raises(KeyError):
        tree.columns.column("no such column")


def test_a_hard_link_between_folders_counts_in_each_and_once_above(walked: Look, home: Path) -> None:
    for name in ("a/x", "a/y", "b"):
        (home / name).mkdir(parents=True)
    (home / "a" / "x" / "f").write_bytes(b"1" * 100_000)
    for name in ("a/y/f", "a/x/again", "b/f"):
        os.link(home / "a" / "x" / "f", home / name)
    tree = walked(home)
    assert_true(tree, home)
    for name in ("a/x", "a/y", "a", "b", "."):
        row = row_of(tree, home / name)
        assert tree.totals(row).apparent == 100_000, name


def test_the_largest_files_each_once(walked: Look, home: Path) -> None:
    for size in range(1, 40):
        (home / f"f{size}").write_bytes(b"x" * (size * 8192))
    os.link(home / "f39", home / "second name of the largest")
    tree = walked(home)
    sizes = [entry.size for row in tree.columns.largest(5) if (entry := tree.entry(row))]
    assert sizes == [size * 8192 for size in (39, 38, 37, 36, 35)]


def test_markers_by_name_prefix_and_suffix(walked: Look, home: Path) -> None:
    for name in ("models--a--b", "other/models--c", "x.gguf", ".gguf", "x.ggufs", "conda-meta", "conda-meta2"):
        (home / name).mkdir(parents=True)
    tree = walked(home, markers=["models--*", "*.gguf", "conda-meta"])
    found = {marker: [tree.name(row) for row in rows] for marker, rows in tree.marks().items()}
    assert found == {
        "models--*": [b"models--a--b", b"models--c"],
        "*.gguf": [b".gguf", b"x.gguf"],
        "conda-meta": [b"conda-meta"],
    }


def test_times_beyond_the_year_2262_do_not_wrap_around(walked: Look, home: Path) -> None:
    (home / "f").touch()
    os.utime(home / "f", (10**10, 10**10))
    seen = os.lstat(home / "f").st_mtime_ns
    tree = walked(home)
    entry = tree.entry(row_of(tree, home / "f"))
    assert entry is not None
    assert entry.mtime == min(seen, (1 << 63) - 1)
    assert tree.totals().newest == entry.mtime


def test_numbers_that_are_no_rows_are_refused(home: Path) -> None:
    tree = look(home)
    for number in (len(tree), 1 << 32, 1 << 64, -1):
        with pytest.raises((IndexError, OverflowError)):
            tree.columns.entry(number)
    with pytest.raises(NotADirectoryError):
        (home / "f").touch()
        tree = look(home)
        tree.totals(row_of(tree, home / "f"))
