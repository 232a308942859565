"""Package caches moved to another disk: their real owners take the new place, and build from what is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments_real.clients import Client, base_python, start
from environments_real.test_rattler import PROGRAM
from environments_real.test_rattler import channel as channel
from environments_real.test_rattler import project as project
from typed import Run
from walk.disks import mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Another file system."""
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=64M") as folder:
        yield folder


def test_uv_reads_its_new_place_in_its_settings(uv: Client, home: Path, disk: Path, run: Run) -> None:
    work = home / "work"
    work.mkdir()
    uv("venv", cwd=work)
    uv("pip", "install", "smalllib", cwd=work)
    assert run("move", "uv", str(disk), "--yes").code == 0
    assert uv("cache", "dir").strip() == str(disk / "uv")
    assert (home / ".config" / "uv" / "uv.toml").read_text() == f'cache-dir = "{disk}/uv"\n'
    start([work / ".venv" / "bin" / "python", "-c", "import smalllib"], home)
    (home / "second").mkdir()
    uv("venv", cwd=home / "second")
    uv("pip", "install", "smalllib", cwd=home / "second", UV_LINK_MODE="symlink")
    linked = next((home / "second").rglob("smalllib/__init__.py")).resolve()
    assert linked.is_relative_to(disk), "taken from the moved cache"
    start([home / "second" / ".venv" / "bin" / "python", "-c", "import smalllib"], home)
    assert run("undo", "--json").code in (0, 3)


def test_pip_reads_its_new_place_in_its_settings(
    old_pip: Client, virtualenv: Client, index: str, home: Path, disk: Path, run: Run
) -> None:
    virtualenv("-p", base_python(), home / "new")
    pip = [home / "new/bin/pip", "--disable-pip-version-check"]
    fetch = ["download", "--no-deps", "--index-url", index, "--trusted-host", "127.0.0.1", "smalllib", "-d"]
    start([*pip, *fetch, home / "one"], home)
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text("[global]\n# mine\ntimeout = 60\n")
    assert run("move", "pip", str(disk), "--yes").code == 0
    assert start([*pip, "cache", "dir"], home).strip() == str(disk / "pip")
    assert (home / ".config" / "pip" / "pip.conf").read_text() == (
        f"[global]\ncache-dir = {disk}/pip\n# mine\ntimeout = 60\n"
    )
    assert "Using cached" in start([*pip, *fetch, home / "two"], home)
    assert run("undo").code == 0
    assert start([*pip, "cache", "dir"], home).strip() == str(home / ".cache" / "pip")
    assert (home / ".config" / "pip" / "pip.conf").read_text() == "[global]\n# mine\ntimeout = 60\n"


def test_rattler_finds_its_packages_behind_the_link_and_environments_stay_whole(
    project: Path, channel: Path, home: Path, disk: Path, run: Run
) -> None:
    cache = home / ".cache" / "rattler" / "cache"
    assert run("move", "rattler", str(disk), "--yes").code == 0
    assert cache.resolve() == disk / "cache"
    environments = [project / ".pixi" / "envs" / name for name in ("default", "old")]
    assert not start([sys.executable, PROGRAM, "doctor", *environments], home).strip()
    new = home / "new"
    start([sys.executable, PROGRAM, "install", channel, cache / "pkgs", f"{new}=trainer ==1.0"], home)
    assert not start([sys.executable, PROGRAM, "doctor", new], home).strip()
    refused = run("move", f"{project}/.pixi/envs/default", str(disk), "--yes")
    assert refused.code == 4
    assert "modelyard env restore" in refused.err
