"""DVC's caches."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard import api
from modelyard.stores import dvc


def make(home: Path) -> None:
    """A project with objects in the layouts of DVC 3 and 2."""
    cache = home / "project" / ".dvc" / "cache"
    makers.write(cache / "files" / "md5" / "ab" / ("c" * 30), b"o" * 4000)
    makers.write(cache / "de" / ("f" * 30), b"o" * 3000)
    makers.write(home / "project" / ".dvc" / "config.local", "['remote \"far\"']\npassword = secret\n")


def test_objects_may_exist_nowhere_else(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.recovery for name, each in found.items()} == {"dvc:project": "none", "dvc:project#old": "none"}


def project(home: Path, name: str, cache: str) -> None:
    """A project whose settings keep its cache elsewhere."""
    makers.write(home / name / ".dvc" / "config", f"[core]\n    remote = far\n[cache]\n    dir = {cache}\n")


def shared(place: Path) -> None:
    """A cache with one object."""
    makers.write(place / "files" / "md5" / "ab" / ("c" * 30), b"o" * 4000)


def test_a_cache_that_projects_share_is_found_where_their_settings_say_and_counted_once(home: Path) -> None:
    project(home, "one", "../../shared")
    project(home, "two", f"{home}/shared")
    shared(home / "shared")
    found = makers.artifacts(home)
    assert {name: (each.title, each.recovery) for name, each in found.items()} == {
        "dvc:shared": ("cache of shared", "none")
    }


def test_local_settings_go_before_those_of_the_project(home: Path) -> None:
    project(home, "one", "../../shared")
    makers.write(home / "one" / ".dvc" / "config.local", "[cache]\n    dir = ../../mine\n")
    for name in ("shared", "mine"):
        shared(home / name)
    assert list(makers.artifacts(home)) == ["dvc:mine"]


def test_the_user_s_own_settings_name_a_cache_for_all_projects(home: Path) -> None:
    makers.write(home / ".config" / "dvc" / "config", f"[cache]\n    dir = {home}/all\n")
    shared(home / "all")
    assert makers.places(dvc, home) == [("~/all", f"{home}/.config/dvc/config")]
    named = makers.places(dvc, home, "macos", DVC_GLOBAL_CONFIG_DIR=f"{home}/.config/dvc")
    assert named == [("~/all", f"{home}/.config/dvc/config")]
    assert makers.places(dvc, home, "macos") == []
    assert list(makers.artifacts(home)) == ["dvc:all"]


def test_a_cache_that_was_not_looked_at_is_never_passed_over(home: Path, tmp_path: Path) -> None:
    project(home, "one", f"{tmp_path}/volume")
    shared(tmp_path / "volume")
    seen = api.survey({}, home, "linux", system=False)
    assert [(each.path, each.code) for each in seen.problems] == [(f"{tmp_path}/volume", "cache-elsewhere")]
    again = api.survey({}, home, "linux", [tmp_path / "volume"], system=False)
    assert [each.id for each in again.artifacts] == [f"dvc:{tmp_path}/volume"]


def test_settings_that_cannot_be_understood_are_a_problem(home: Path) -> None:
    makers.write(home / "one" / ".dvc" / "config", "[[[")
    seen = api.survey({}, home, "linux", system=False)
    assert [each.code for each in seen.problems] == ["unreadable-settings"]
