"""uv on disks of their own: shared extents, and environments far from the cache they came from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from environments_real.clients import Client
from environments_real.looking import get
from modelyard import api
from walk.disks import free_bytes, loop_disk

MIB = 1 << 20
BLOCKS = {"xfs": 256 << 10, "btrfs": 2 << 20}


@pytest.fixture(params=["xfs", "btrfs"])
def disk(request: pytest.FixtureRequest, home: Path) -> Iterator[Path]:
    """A fresh disk whose files can share extents."""
    with ExitStack() as stack:
        yield stack.enter_context(loop_disk(request.param, home))


def install(uv: Client, folder: Path, mode: str) -> Path:
    """An environment of three packages."""
    folder.mkdir()
    uv("venv", "--link-mode", mode, cwd=folder)
    uv("pip", "install", "--link-mode", mode, "bigmodel", "smalllib", "nvidia_cublas_cu12", cwd=folder)
    return folder / ".venv"


@pytest.mark.parametrize("mode", ["clone", "hardlink", "copy"])
def test_the_disk_gains_what_was_foretold(mode: str, disk: Path, uv: Client) -> None:
    """Even what uv copies shares its extents with the cache on these file systems."""
    uv.variables["UV_CACHE_DIR"] = str(disk / "uv")
    place = install(uv, disk / "work", mode)
    before = free_bytes(disk)
    found = api.survey({"UV_CACHE_DIR": str(disk / "uv")}, disk, "linux", system=False)
    own, archives = get(found, "venv:work/.venv"), get(found, "uv:archive-v0")
    assert own.sizes.allocated > 5 * 1000 * 1000
    assert own.sizes.freed < 500_000
    assert archives.sizes.freed < 500_000
    shutil.rmtree(place)
    gained = free_bytes(disk) - before
    assert abs(gained - own.sizes.freed) <= BLOCKS[disk.name], (gained, own.sizes)


def test_an_environment_on_another_disk_than_the_cache_is_its_own(disk: Path, uv: Client, home: Path) -> None:
    install(uv, disk / "work", "hardlink")  # across disks uv copies
    found = api.survey({}, home, "linux", [disk], system=False)
    own, archives = get(found, f"venv:{disk.relative_to(home)}/work/.venv"), get(found, "uv:archive-v0")
    assert own.sizes.freed == own.sizes.allocated > 5 * 1000 * 1000
    assert archives.sizes.freed == archives.sizes.allocated


def test_an_environment_on_a_disk_that_was_not_asked_for_is_not_looked_at(disk: Path, uv: Client, home: Path) -> None:
    install(uv, disk / "work", "copy")
    found = api.survey({}, home, "linux", system=False)
    assert not any(each.store == "venv" for each in found.artifacts)


def test_a_python_on_another_disk_is_there_until_the_disk_is_not(
    disk: Path, uv: Client, own_python: Path, home: Path
) -> None:
    away = disk / "own"
    shutil.copytree(own_python.parent.parent, away, symlinks=True)
    (home / "work").mkdir()
    uv("venv", "--python", away / "bin" / own_python.name, cwd=home / "work")
    assert get(api.survey({}, home, "linux", system=False), "venv:work/.venv").state == "complete"
    os.rename(away, disk / "gone")
    assert get(api.survey({}, home, "linux", system=False), "venv:work/.venv").state == "dangling"
