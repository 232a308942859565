"""Names as text, and the mount table as the kernel writes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.walk import mounts as table
from modelyard.walk.text import shown

LINES = rb"""22 28 0:21 / /proc rw,nosuid,relatime shared:14 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
40 28 8:17 / /mnt/a\040b\011c\012d\134e ro,noatime shared:5 master:2 - xfs /dev/disk\040one rw
41 28 0:50 /sub /mnt/sub rw - btrfs /dev/sdb rw,subvolid=256
43 28 254:0 /there /mnt/sub/again rw,relatime - ext4 /dev/vda rw
42 28 0:51 / /mnt/caf\303\251-and-\377 rw optional:1 unbindable - fuse.sshfs user@host:/a rw

"""


@pytest.fixture
def written(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A mount table from a file instead of the kernel's."""
    (home / "mountinfo").write_bytes(LINES.replace(rb"\303\251-and-\377", b"\xc3\xa9-and-\xff"))
    monkeypatch.setattr(table, "MOUNTINFO", home / "mountinfo")
    table.mounts.cache_clear()
    yield
    table.mounts.cache_clear()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain name.gguf", "plain name.gguf"),
        ("🤗 é 模型".encode(), "🤗 é 模型"),
        (b"caf\xe9", "caf\\xe9"),
        (b"a\nb\tc\x1b[31m\x7f", "a\\x0ab\\x09c\\x1b[31m\\x7f"),
        ("a\u202eb\u2066c\u2028d\x85".encode(), "a\\u202eb\\u2066c\\u2028d\\x85"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        ("already text", "already text"),
    ],
)
def test_names_are_shown_without_harm(name: bytes | str, text: str) -> None:
    assert shown(name) == text


@given(st.binary())
def test_any_name_can_be_printed(name: bytes) -> None:
    text = shown(name)
    text.encode("utf-8")
    assert "\n" not in text
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text)


@pytest.mark.usefixtures("written")
def test_the_mount_table_is_read_with_its_escapes() -> None:
    found = {mount.path: mount for mount in table.mounts()}
    assert len(found) == 6
    odd = found[b"/mnt/a b\tc\nd\\e"]
    assert odd.device == os.makedev(8, 17)
    assert odd.source == "/dev/disk one"
    assert odd.options == {"ro", "noatime"}
    assert found[b"/mnt/sub"].device == os.makedev(0, 50)
    assert b"/mnt/caf\xc3\xa9-and-\xff" in found


@pytest.mark.usefixtures("written")
def test_the_mount_of_a_device_is_its_own_place_first() -> None:
    mount = table.mount_of(os.makedev(254, 0))
    assert mount is not None
    assert mount.path == b"/"
    assert table.mount_of(os.makedev(99, 99)) is None


def test_mounts_below_are_those_inside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "in").mkdir()
    (home / "in-not").mkdir()
    lines = [
        f"1 1 0:{number} / {home}/{name} rw - tmpfs t rw" for number, name in enumerate(("in/m", "in-not/m", "in"))
    ]
    (home / "mountinfo").write_text("\n".join([*lines, "1 1 0:9 / / rw - ext4 d rw", "1 1 0:8 / /no/m rw - x y rw"]))
    monkeypatch.setattr(table, "MOUNTINFO", home / "mountinfo")
    table.mounts.cache_clear()
    seen = os.lstat(home / "in")
    assert table.mounts_below([bytes(home / "in")]) == [(seen.st_dev, seen.st_ino, b"m", os.makedev(0, 0))]
    assert len(table.mounts_below([bytes(home)])) == 3
    assert len(table.mounts_below([b"/"])) == 3
    table.mounts.cache_clear()


def test_a_system_without_a_mount_table(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOUNTINFO", home / "none")
    table.mounts.cache_clear()
    assert table.mounts() == ()
    table.mounts.cache_clear()


def test_the_mount_table_of_this_machine() -> None:
    table.mounts.cache_clear()
    assert {os.fsdecode(mount.path) for mount in table.mounts()} >= {"/", "/proc"}
