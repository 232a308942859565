"""What modelyard remembers: written whole or not at all, wherever it is stopped."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from apply.work import Crash, Failing
from modelyard.apply import notes
from modelyard.apply.disk import Disk
from walk.disks import loop_disk


def test_a_note_is_replaced_as_a_whole(home: Path) -> None:
    file = bytes(home / "note")
    for content in (b"first", b"second", b""):
        notes.save(Disk(), file, content)
        assert (home / "note").read_bytes() == content
    assert os.listdir(home) == ["note"]
    assert (home / "note").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("stop", range(6))
def test_stopped_anywhere_the_note_is_the_old_one_or_the_new_one(stop: int, home: Path) -> None:
    notes.save(Disk(), bytes(home / "note"), b"old")
    with contextlib.suppress(Crash):
        notes.save(Failing(stop), bytes(home / "note"), b"new")
    assert (home / "note").read_bytes() in (b"old", b"new")
    notes.save(Disk(), bytes(home / "note"), b"newer")
    assert (home / "note").read_bytes() == b"newer"
    assert os.listdir(home) == ["note"]


def test_a_link_in_place_of_the_note_is_replaced_and_not_followed(home: Path) -> None:
    (home / "other").write_bytes(b"precious")
    (home / "note").symlink_to("other")
    notes.save(Disk(), bytes(home / "note"), b"new")
    assert (home / "other").read_bytes() == b"precious"
    assert not (home / "note").is_symlink()


def test_a_full_disk_keeps_the_old_note_and_leaves_nothing(tmp_path: Path) -> None:
    with loop_disk("ext4", tmp_path) as disk:
        notes.save(Disk(), bytes(disk / "note"), b"old")
        with (disk / "filling").open("wb", buffering=0) as filling, pytest.raises(OSError, match="No space"):
            while True:
                filling.write(bytes(1 << 16))
        with pytest.raises(OSError, match="No space"):
            notes.save(Disk(), bytes(disk / "note"), b"new" * (1 << 20))
        assert (disk / "note").read_bytes() == b"old"
        assert sorted(set(os.listdir(disk)) - {"lost+found"}) == ["filling", "note"]


def test_a_folder_that_is_not_there_or_not_ones_own(home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        notes.save(Disk(), bytes(home / "nowhere" / "note"), b"new")
    assert os.listdir(home) == []
