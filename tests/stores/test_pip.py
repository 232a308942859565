"""pip's cache: where settings put it, and what in it is dead."""

from __future__ import annotations

from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact, Root
from modelyard.problem import Problem
from modelyard.stores import pip


def make(home: Path) -> None:
    """Downloads of new and old pips, half a download, and a wheel built here."""
    cache = home / ".cache" / "pip"
    for name in ("a" * 56, "b" * 56):
        makers.write(cache / "http-v2" / Path(*name[:5]) / name, b"meta")
        makers.write(cache / "http-v2" / Path(*name[:5]) / f"{name}.body", b"PK" * 3000)
    makers.write(cache / "http-v2" / "c" / "c" / "c" / "c" / "c" / f"{'c' * 56}.body", b"PK" * 900)
    makers.write(cache / "http" / "d" / "d" / "d" / "d" / "d" / ("d" * 56), b"PK" * 800)
    makers.write(
        cache / "wheels" / "a1" / "b2" / "c3" / ("e" * 58) / "slow_build-1.2-cp311-cp311-linux_x86_64.whl", b"PK" * 700
    )
    makers.write(cache / "selfcheck" / ("f" * 56), "{}")


def artifacts(home: Path) -> dict[str, Artifact]:
    """The artifacts of the home by id."""
    return {each.id: each for each in api.survey({}, home, "linux", system=False).artifacts}


@pytest.mark.parametrize(
    ("env", "platform", "path"),
    [
        ({}, "linux", "{home}/.cache/pip"),
        ({}, "macos", "{home}/Library/Caches/pip"),
        ({"XDG_CACHE_HOME": "/x"}, "macos", "/x/pip"),
        ({"LOCALAPPDATA": "/l"}, "windows", "/l/pip/Cache"),
        ({"PIP_CACHE_DIR": "/p", "XDG_CACHE_HOME": "/x"}, "linux", "/p"),
    ],
)
def test_precedence_of_what_moves_it(env: dict[str, str], platform: str, path: str, home: Path) -> None:
    assert [root.path for root in makers.named(pip, home, platform, **env)] == [path.format(home=home)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("platform", "file"),
    [
        ("linux", ".config/pip/pip.conf"),
        ("linux", ".pip/pip.conf"),
        ("macos", "Library/Application Support/pip/pip.conf"),
        ("windows", "AppData/Roaming/pip/pip.ini"),
    ],
)
def test_a_settings_file_moves_it(platform: str, file: str, home: Path) -> None:
    makers.write(home / file, "[global]\ncache-dir = ~/big/pip\n")
    (root,) = makers.named(pip, home, platform)  # type: ignore[arg-type]
    assert (root.path, root.found_by) == (f"{home}/big/pip", f"{home}/{file}")


def test_a_broken_settings_file_is_a_problem_and_the_next_one_counts(home: Path) -> None:
    makers.write(home / ".config/pip/pip.conf", "cache-dir = lost\n[[[")
    makers.write(home / ".pip/pip.conf", "[global]\ncache-dir = /old\n")
    problem, root = pip.roots({}, home, "linux")
    assert isinstance(problem, Problem)
    assert (problem.path, problem.code) == (f"{home}/.config/pip/pip.conf", "unreadable-settings")
    assert isinstance(root, Root)
    assert root.path == "/old"


def test_downloads_old_downloads_halves_and_wheels_are_told_apart(home: Path) -> None:
    make(home)
    found = artifacts(home)
    assert set(found) == {
        "pip:http", "pip:http#orphan", "pip:http-old", "pip:selfcheck",
        "pip:wheel/slow_build-1.2-cp311-cp311-linux_x86_64",
    }  # fmt: skip
    assert found["pip:wheel/slow_build-1.2-cp311-cp311-linux_x86_64"].recovery == "re-make"
    assert found["pip:http#orphan"].state == "orphan"


def test_half_a_download_is_freed_by_itself_and_not_twice(home: Path) -> None:
    make(home)
    survey = api.survey({}, home, "linux", system=False)
    found = {each.id: each.sizes for each in survey.artifacts}
    assert found["pip:http#orphan"].freed == found["pip:http#orphan"].allocated > 0
    both = survey.freed(["pip:http", "pip:http#orphan"])
    assert both.freed == both.allocated  # and the folders above the half, which it alone keeps, come on top
    assert both.freed > found["pip:http"].freed + found["pip:http#orphan"].freed
