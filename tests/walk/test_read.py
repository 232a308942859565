"""The capped readers: no trace, no link followed, nothing that blocks."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.problem import Problem
from modelyard.walk.read import read_file, read_link, read_many, read_setting
from walk.truth import look, row_of


def code(answer: bytes | Problem) -> str:
    """The code of the Problem that was expected."""
    assert isinstance(answer, Problem)
    return answer.code


def test_a_file_up_to_its_cap(home: Path) -> None:
    (home / "f").write_bytes(b"0123456789")
    path = bytes(home / "f")
    assert read_file(path) == read_file(path, 10) == b"0123456789"
    assert code(read_file(path, 9)) == "too-large"
    assert read_file(path, 4, head=True) == b"0123"
    (home / "empty").touch()
    assert read_file(bytes(home / "empty")) == b""


def test_a_file_that_grows_while_it_is_read_stays_capped() -> None:
    """Files in /proc say that they are empty and are not."""
    assert len(read_file(b"/proc/self/status", 100)) == 100  # type: ignore[arg-type]


def test_a_large_file_is_read_in_parts(home: Path) -> None:
    content = os.urandom(5 << 20)
    (home / "f").write_bytes(content)
    assert read_file(bytes(home / "f"), 5 << 20) == content


def test_links_are_refused_unless_wanted(home: Path) -> None:
    (home / "f").write_bytes(b"secret")
    (home / "l").symlink_to("f")
    assert code(read_file(bytes(home / "l"))) == "changed"
    assert read_file(bytes(home / "l"), follow=True) == b"secret"
    assert read_link(bytes(home / "l")) == b"f"
    assert code(read_link(bytes(home / "f"))) == "unreadable"


def test_what_is_no_file_does_not_block(home: Path) -> None:
    os.mkfifo(home / "fifo")
    os.mknod(home / "zero", 0o020666, os.makedev(1, 5))
    (home / "folder").mkdir()
    for name in ("fifo", "zero", "folder"):
        assert code(read_file(bytes(home / name))) == "not-a-file"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home / "socket"))
        assert isinstance(read_file(bytes(home / "socket")), Problem)


def test_what_vanished_is_a_problem(home: Path) -> None:
    (home / "f").touch()
    (home / "l").symlink_to("f")
    tree = look(home)
    rows = [row_of(tree, home / name) for name in ("f", "l")]
    (home / "f").unlink()
    (home / "l").unlink()
    assert code(tree.read(rows[0])) == "vanished"
    assert code(tree.link_target(rows[1])) == "vanished"
    assert tree.follow(rows[1]) is None


def test_the_access_time_stays(home: Path) -> None:
    (home / "f").write_bytes(b"x")
    os.utime(home / "f", ns=(0, 10**18))
    assert read_file(bytes(home / "f")) == b"x"
    assert os.stat(home / "f").st_atime_ns == 0


def test_what_belongs_to_others_is_read_all_the_same(place: Path, as_nobody: Callable[[], None]) -> None:
    """Only the owner may ask that no access time be written."""
    (place / "f").write_bytes(b"x")
    (place / "closed").write_bytes(b"x")
    (place / "closed").chmod(0o600)
    as_nobody()
    assert read_file(bytes(place / "f")) == b"x"
    assert code(read_file(bytes(place / "closed"))) == "unreadable"


def test_no_descriptor_stays_open(home: Path) -> None:
    (home / "f").write_bytes(b"x" * 100)
    before = os.listdir("/proc/self/fd")
    for _ in range(5):
        read_file(bytes(home / "f"))
        read_file(bytes(home / "f"), 10)
        read_file(bytes(home))
    assert os.listdir("/proc/self/fd") == before


def test_settings(home: Path) -> None:
    (home / "s").write_bytes(b"caf\xe9 = 1")
    (home / "l").symlink_to("s")
    assert read_setting(str(home / "l")) == "caf� = 1"
    assert read_setting(str(home / "none")) == read_setting("a\0b") == ""
    (home / "binary").write_bytes(b"a\0b")
    for path, code in ((home, "not-a-file"), (home / "binary", "not-text")):
        found = read_setting(str(path))
        assert isinstance(found, Problem)
        assert found.code == code


@pytest.mark.parametrize(
    ("text", "target"),
    [("f", "f"), ("./a/../f", "f"), ("nowhere", None), ("../../..", None), ("l", "l"), ("f/x", None)],
)
def test_a_link_is_followed_one_hop_within_the_tree(home: Path, text: str, target: str | None) -> None:
    (home / "f").touch()
    (home / "l").symlink_to(text)
    tree = look(home)
    row = row_of(tree, home / "l")
    assert tree.follow(row) == (row_of(tree, home / target) if target else None)
    assert tree.link_target(row) == os.path.normpath(os.path.join(bytes(home), text.encode()))


def test_many_files_and_what_may_not_be_read_among_them(home: Path) -> None:
    (home / "full").write_bytes(b"0123456789")
    (home / "empty").touch()
    (home / "link").symlink_to("full")
    (home / "broken").symlink_to("nowhere")
    os.mkfifo(home / "fifo")
    os.mknod(home / "zero", 0o020666, os.makedev(1, 5))
    odd = os.fsdecode(bytes(home) + b"/\xff")
    Path(odd).write_bytes(b"odd")
    names = ["full", "empty", "link", "broken", "fifo", "zero", ".", "gone", odd]
    paths = [str(home / name) for name in names]
    expected = [b"0123456789", b"", b"0123456789", None, None, None, None, None, b"odd"]
    for threads in (1, 2, 40):
        assert read_many(paths, 10, threads) == expected
        assert read_many(paths, 9, threads) == [None, b"", None, *expected[3:]]
    assert read_many(["/proc/self/status", "/dev/null"], 100) == [None, None]  # it says that it is empty, and is not
    assert read_many([paths[0], "a\0b"], 100) == [None, None]
    assert read_many([], 1) == []


def test_many_files_keep_their_access_times(home: Path) -> None:
    paths = [home / str(each) for each in range(20)]
    for path in paths:
        path.write_bytes(b"x")
        os.utime(path, (1, 2))
    assert read_many([str(path) for path in paths], 1, 4) == [b"x"] * 20
    assert {path.stat().st_atime for path in paths} == {1}
