"""Settings files of tools, good and hostile."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import makers
from modelyard import api
from modelyard.problem import Problem
from modelyard.stores.settings import ini_settings, json_settings, yaml_settings

PAIRS = zip("abcdefghi", "bcdefghij", strict=True)
BOMB = "a: &a [x, x]\n" + "".join(f"{name}: &{name} [*{before}, *{before}]\n" for before, name in PAIRS)
HOSTILE = ["[" * 60_000, "{a: " * 60_000, BOMB, "a: b: c", "\t- x", "dirs: 7", "dirs: [[x]]", "&a [*a]"]
HOSTILE += ["!!python/object:os.x {}", "\0"]


class Wanted(msgspec.Struct):
    """A list in a file."""

    dirs: list[str] = []


def test_what_is_there_is_read_and_what_is_not_is_empty(home: Path) -> None:
    path = str(makers.write(home / "s", "dirs: [a, b]\nmore: {}\n"))
    assert yaml_settings(path, Wanted) == Wanted(["a", "b"])
    assert yaml_settings(str(home / "none"), Wanted) == json_settings(str(home / "none"), Wanted) == Wanted()
    ini = ini_settings(str(home / "none"))
    assert not isinstance(ini, Problem)
    assert not ini.sections()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_settings_file_is_a_problem_and_nothing_worse(home: Path, text: str) -> None:
    makers.write(home / ".condarc", text)
    found = yaml_settings(str(home / ".condarc"), Wanted)
    assert isinstance(found, Problem)
    assert found.path == str(home / ".condarc")
    api.survey({}, home, "linux", system=False)


@pytest.mark.parametrize("text", ["[" * 60_000, '{"dirs": 7}', "{", "\0"])
def test_json_that_is_none(home: Path, text: str) -> None:
    assert isinstance(json_settings(str(makers.write(home / "s", text)), Wanted), Problem)


@pytest.mark.parametrize("text", ["no section = 1", "[[[", "\0", "[a]\nx\n[a"])
def test_ini_that_is_none(home: Path, text: str) -> None:
    assert isinstance(
        ini_settings(
            str(makers.write(home / "s", text)),
        ),
        Problem,
    )
