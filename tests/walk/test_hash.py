"""Digests of files: equal to those of hashlib however the bytes are read, and never those of a file that changed."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest
from blake3 import blake3

from modelyard.problem import Problem
from modelyard.walk import blocks, digest_cache
from modelyard.walk.digest_cache import RACY, DigestCache
from modelyard.walk.hash import Hashed, Method, Seen, hash_file, hash_files
from walk.disks import fresh_disk

METHODS: tuple[Method, ...] = get_args(Method)
LONG_AGO = 10**18


def expected(content: bytes) -> dict[Method, bytes]:
    """The digests by the standard library, and git's by git."""
    git = subprocess.run(["git", "hash-object", "--stdin"], input=content, capture_output=True, check=True).stdout
    plain = {name: hashlib.new(name, content).digest() for name in ("sha256", "md5", "sha1", "sha512")}
    return {"blake3": blake3(content).digest(), "git-sha1": bytes.fromhex(git.decode().strip()), **plain}  # type: ignore[dict-item]


def drop_from_memory(path: Path) -> None:
    """Takes a file out of the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
def test_digests_are_right_however_the_bytes_are_read(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "LARGE", blocks.PAST_MEMORY + 1)
    ways = set()
    ahead = blocks._ahead

    def noted(descriptor: int) -> Iterator[memoryview]:
        ways.add("past memory")
        return ahead(descriptor)

    monkeypatch.setattr(blocks, "_ahead", noted)
    with fresh_disk(kind, tmp_path) as disk:
        for size in (0, 1, blocks.BLOCK, blocks.BLOCK + 1, 2 * blocks.PAST_MEMORY, 2 * blocks.PAST_MEMORY + 4097):
            (disk / "file").write_bytes(content := os.urandom(size))
            for cold in (True, False):
                if cold:
                    drop_from_memory(disk / "file")
                found = hash_file(bytes(disk / "file"), METHODS)
                assert isinstance(found, Hashed)
                assert dict(found.digests) == expected(content)
    assert ways == (set() if kind == "tmpfs" else {"past memory"})


def test_a_file_system_that_refuses_to_be_read_past_memory_is_read_as_others(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "LARGE", 1 << 20)
    monkeypatch.setattr(blocks, "in_memory", lambda *_: False)
    preadv, calls = os.preadv, []

    def refusing(descriptor: int, rooms: list[memoryview], at: int, *flags: int) -> int:
        calls.append(at)
        if len(calls) == 2:
            raise OSError(22, "no")
        return preadv(descriptor, rooms, at, *flags)

    monkeypatch.setattr(os, "preadv", refusing)
    (home / "file").write_bytes(content := os.urandom(9 << 20))
    found = hash_file(bytes(home / "file"), ["sha256"])
    assert isinstance(found, Hashed)
    assert found.hex("sha256") == hashlib.sha256(content).hexdigest()


def test_reading_leaves_no_trace_and_opens_nothing_that_blocks(home: Path) -> None:
    (home / "file").write_bytes(b"x" * 5000)
    os.utime(home / "file", ns=(0, LONG_AGO))
    os.mkfifo(home / "fifo")
    (home / "link").symlink_to("file")
    before = os.listdir("/proc/self/fd")
    assert isinstance(hash_file(bytes(home / "file"), ["blake3"]), Hashed)
    assert os.stat(home / "file").st_atime_ns == 0
    for name in ("fifo", "link", "gone"):
        assert isinstance(hash_file(bytes(home / name), ["blake3"]), Problem)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("harm", ["longer", "same size", "replaced names"])
def test_a_file_that_changes_while_it_is_read_has_no_digest(home: Path, harm: str) -> None:
    (home / "file").write_bytes(b"x" * (3 << 20))
    os.utime(home / "file", ns=(LONG_AGO, LONG_AGO))

    def meddle(_: int) -> None:
        if harm == "replaced names":
            if not (home / "other").exists():
                os.link(home / "file", home / "other")
        else:
            with (home / "file").open("r+b" if harm == "same size" else "ab") as file:
                file.write(b"y")
            os.utime(home / "file", ns=(LONG_AGO, LONG_AGO))

    found = hash_file(bytes(home / "file"), ["blake3"], meddle)
    assert isinstance(found, Problem)
    assert found.code == "changed"


def test_many_files_come_each_with_its_own_digest_and_can_be_stopped(home: Path) -> None:
    contents = [os.urandom(1000 + each) for each in range(40)]
    for number, content in enumerate(contents):
        (home / str(number)).write_bytes(content)
    paths = [bytes(home / str(number)) for number in range(40)] + [bytes(home / "gone")]
    read: list[int] = []
    found = dict(hash_files(paths, ["sha256"], read.append))
    assert sum(read) == sum(map(len, contents))
    assert isinstance(found.pop(40), Problem)
    assert {number: each.hex("sha256") for number, each in found.items() if isinstance(each, Hashed)} == {
        number: hashlib.sha256(content).hexdigest() for number, content in enumerate(contents)
    }
    read.clear()
    taking = hash_files(paths, ["sha256"], read.append)
    next(taking)
    taking.close()
    assert len(read) < 10


def hashed(path: Path) -> Hashed:
    """The digest of a file, as if it had been read long after it was written."""
    found = hash_file(bytes(path), ["blake3", "md5"])
    assert isinstance(found, Hashed)
    return Hashed(found.seen, found.seen.ctime + RACY, found.digests)


def test_a_rewritten_file_is_never_served_an_old_digest_though_size_and_mtime_are_as_before(home: Path) -> None:
    (home / "file").write_bytes(b"before")
    os.utime(home / "file", ns=(LONG_AGO, LONG_AGO))
    cache = DigestCache()
    assert cache.put(old := hashed(home / "file"))
    cache = DigestCache(cache.encoded())
    assert cache.get(Seen.of(os.stat(home / "file")), "blake3") == blake3(b"before").digest()
    assert cache.get(old.seen, "sha256") is None
    with (home / "file").open("r+b") as file:
        file.write(b"after!")
    os.utime(home / "file", ns=(LONG_AGO, LONG_AGO))
    now = Seen.of(os.stat(home / "file"))
    assert now[:4] == old.seen[:4]
    assert cache.get(now, "blake3") is None


def test_what_was_written_just_before_it_was_read_is_not_remembered(home: Path) -> None:
    (home / "file").write_bytes(b"now")
    os.utime(home / "file", ns=(LONG_AGO, LONG_AGO))  # the ctime is of now
    found = hash_file(bytes(home / "file"), ["blake3"])
    assert isinstance(found, Hashed)
    cache = DigestCache()
    assert not cache.put(found)
    assert cache.get(found.seen, "blake3") is None
    assert not cache.changed


def test_new_names_that_modelyard_gave_keep_a_digest(home: Path) -> None:
    (home / "file").write_bytes(b"same")
    cache = DigestCache()
    cache.put(found := hashed(home / "file"))
    os.link(home / "file", home / "name")
    now = Seen.of(os.stat(home / "file"))
    assert cache.get(now, "md5") is None
    cache.renamed(found.seen, now)
    assert cache.get(now, "md5") == found.digests["md5"]
    other = now._replace(mtime=1)
    cache.renamed(now, other)
    assert cache.get(other, "md5") is None


def one_row(inode: int, at: int) -> DigestCache:
    """A cache of one file that was read at this time."""
    cache = DigestCache()
    assert cache.put(Hashed(Seen(1, inode, 5, 0, 0), at, {"sha512": bytes([at % 256]) * 64}))
    return cache


@pytest.mark.parametrize(
    "harm", [lambda t: t[:-1], lambda t: t[:30] + b"?" + t[31:], lambda t: b"?" + t[1:], lambda t: t[:9]]
)
def test_a_damaged_table_of_digests_is_as_if_there_were_none(harm: Callable[[bytes], bytes]) -> None:
    table = one_row(1, LONG_AGO).encoded()
    assert len(DigestCache(table)) == 1
    assert len(DigestCache(harm(table))) == 0


def test_the_table_keeps_what_was_read_last(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = one_row(1, LONG_AGO).merged(one_row(2, LONG_AGO + 2)).merged(one_row(1, LONG_AGO + 1))
    assert cache.get(Seen(1, 1, 5, 0, 0), "sha512") == bytes([(LONG_AGO + 1) % 256]) * 64
    assert cache.read_at(Seen(1, 2, 5, 0, 0), "sha512") == LONG_AGO + 2
    monkeypatch.setattr(digest_cache, "MOST", 1)
    kept = DigestCache(cache.encoded())
    assert kept.get(Seen(1, 1, 5, 0, 0), "sha512") is None
    assert kept.get(Seen(1, 2, 5, 0, 0), "sha512")


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
def test_holes_are_zeros_that_nobody_reads(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LARGE", 1 << 20)
    size = 5_000_003
    with fresh_disk(kind, tmp_path) as disk:
        path = disk / "sparse"
        with path.open("wb") as file:
            for at in (0, 1 << 20, 3 << 20):
                file.seek(at)
                file.write(os.urandom(5000))
            file.truncate(size)
        read: list[int] = []
        real = os.preadv

        def counted(descriptor: int, rooms: list[memoryview], at: int, *flags: int) -> int:
            read.append(real(descriptor, rooms, at, *flags))
            return read[-1]

        monkeypatch.setattr(os, "preadv", counted)
        found = hash_file(os.fsencode(path), METHODS)
        assert isinstance(found, Hashed)
        assert found.digests == expected(path.read_bytes())
        assert sum(read) < 200_000
        with path.open("r+b") as emptied:
            emptied.truncate(0)
            emptied.truncate(size)
        empty = hash_file(os.fsencode(path), ["sha256"])
        assert isinstance(empty, Hashed)
        assert empty.hex("sha256") == hashlib.sha256(bytes(size)).hexdigest()
