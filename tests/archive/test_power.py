"""The power goes right after archive or recall said that it is done: what they said is on the medium."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from archive.test_crash import away, back
from archive.things import look, make
from moving.disks import cut_power, image, plugged


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_lost_right_after_an_archive_the_archive_is_whole(kind: str, tmp_path: Path, home: Path) -> None:
    folder = make(home)
    before = look(folder)
    with image(kind, tmp_path) as path:
        with plugged(path, home.parent / "cold") as cold:
            away(home)
            cut_power(cold)
        shutil.rmtree(home / ".local/share/modelyard", ignore_errors=True)  # the trash is gone, too
        assert not folder.exists()
        with plugged(path, home.parent / "cold"):
            back(home)
    assert look(folder) == before


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
@pytest.mark.parametrize("recalled", [True, False], ids=["after a recall", "after an archive"])
def test_power_lost_on_the_disk_of_home_and_archive_everything_comes_back(
    kind: str, tmp_path: Path, recalled: bool
) -> None:
    (tmp_path / "disk").mkdir()
    with image(kind, tmp_path) as path:
        with plugged(path, tmp_path / "disk") as disk:
            home = disk / "home"
            home.mkdir()
            (disk / "cold").mkdir()
            folder = make(home)
            before = look(folder)
            away(home)
            if recalled:
                back(home)
            cut_power(disk)
        with plugged(path, tmp_path / "disk"):
            if not recalled:
                back(home)
            assert look(folder) == before
