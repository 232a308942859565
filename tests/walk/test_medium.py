"""Small files many at a time as their disk has them: never mixed up, never those of a file that changed meanwhile."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from modelyard.walk.extents import extents, first_places
from modelyard.walk.hash import Hashed, Method, Seen, hash_anew
from walk.test_hash import METHODS, drop_from_memory, expected

ONE: tuple[Method, ...] = ("sha256",)


def test_each_of_many_files_has_its_own_digests(home: Path) -> None:
    contents = [os.urandom(number * 37) for number in range(100)]
    paths = [home / str(number) for number in range(100)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
        os.utime(path, (1, 2))
    kinds = [METHODS if number % 20 == 0 else ONE for number in range(100)]
    for number, found in enumerate(hash_anew([bytes(path) for path in paths], kinds, 5000)):
        assert isinstance(found, Hashed)
        assert found.seen == Seen.of(paths[number].stat())
        whole = expected(contents[number])
        assert dict(found.digests) == {method: whole[method] for method in kinds[number]}
    assert {path.stat().st_atime for path in paths} == {1}
    assert hash_anew([], [], 1) == []


def test_what_is_no_small_file_is_told_and_blocks_nothing(home: Path) -> None:
    (home / "long").write_bytes(bytes(11))
    (home / "link").symlink_to("long")
    os.mkfifo(home / "fifo")
    names = {"long": errno.EFBIG, "link": errno.ELOOP, "fifo": errno.EINVAL, ".": errno.EINVAL, "gone": errno.ENOENT}
    before = os.listdir("/proc/self/fd")
    assert hash_anew([bytes(home / name) for name in names], [ONE] * len(names), 10) == list(names.values())
    assert hash_anew([b"/proc/self/status"], [ONE], 10) == [errno.ESTALE]  # it says that it is empty, and is not
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("harm", ["written", "longer"])
def test_a_small_file_that_changes_while_it_is_read_has_no_digest(home: Path, harm: str) -> None:
    size, over = 64 << 20, threading.Event()
    path = home / "file"
    path.touch()
    os.truncate(path, size)

    def change() -> None:
        with path.open("r+b", buffering=0) as file:
            while not over.is_set():
                file.seek(0, os.SEEK_END if harm == "longer" else os.SEEK_SET)
                file.write(b"x")
                over.wait(0.001)

    writer = threading.Thread(target=change)
    writer.start()
    try:
        assert hash_anew([bytes(path)] * 3, [ONE] * 3, 2 * size)[-1] == errno.ESTALE
    finally:
        over.set()
        writer.join()


def test_files_are_told_in_the_order_in_which_their_disk_has_them(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "two", "three")]
    for path in paths:
        path.write_bytes(os.urandom(9000))
        drop_from_memory(path)
    found = first_places([bytes(path) for path in paths] + [bytes(tmp_path / "gone"), bytes(tmp_path)])
    for path, (device, at) in zip(paths, found, strict=False):
        with path.open("rb") as file:
            assert (device, at) == (path.stat().st_dev, next(extents(file.fileno())).physical)
    assert found[3:] == [(0, 0), (0, 0)]
