"""DVC's caches."""

from __future__ import annotations

from pathlib import Path

import makers


def make(home: Path) -> None:
    """A project with objects in the layouts of DVC 3 and 2."""
    cache = home / "project" / ".dvc" / "cache"
    makers.write(cache / "files" / "md5" / "ab" / ("c" * 30), b"o" * 4000)
    makers.write(cache / "de" / ("f" * 30), b"o" * 3000)
    makers.write(home / "project" / ".dvc" / "config.local", "password = secret")


def test_objects_may_exist_nowhere_else(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.recovery for name, each in found.items()} == {"dvc:project": "none", "dvc:project#old": "none"}


def test_a_project_without_a_cache_of_its_own(home: Path) -> None:
    makers.write(home / "project" / ".dvc" / "config", "[cache]\ndir = /mnt/shared\n")
    assert not makers.artifacts(home)
