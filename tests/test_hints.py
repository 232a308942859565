"""What is said when something was not done: the truth, and the next command for the same home."""

from __future__ import annotations

import os
import venv
from pathlib import Path

import pytest

import makers
import oracle
from modelyard.api.reclaim import Yard
from modelyard.apply.disk import Disk
from modelyard.apply.engine import Engine
from modelyard.apply.rooms import known_rooms, rooms
from typed import Run

OLD = 1_700_000_000


@pytest.fixture
def full(home: Path) -> Path:
    """A hub cache with leftovers."""
    makers.layouts()["hf"](home)
    for path in oracle.below(home):
        os.utime(path, (OLD, OLD), follow_symlinks=False)
    return home


def test_an_interrupted_clean_does_not_say_that_nothing_was_changed(
    run: Run, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Engine.run

    def stopped(engine: Engine, numbers: range) -> None:
        made(engine, numbers)
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "run", stopped)
    answer = run("clean", "--yes")
    assert answer.code == 130
    assert "nothing was changed" not in answer.err
    assert "modelyard journal" in answer.err
    assert "brought back" in run("undo").out


def test_the_next_commands_are_for_the_same_home(run: Run, full: Path) -> None:
    out = run("clean", "--yes").out
    assert f"`modelyard purge --home {full}`" in out
    assert f" --home {full}` brings it back" in out


@pytest.mark.parametrize("verb", ("undo", "purge"))
def test_a_home_that_is_not_there_is_told_as_such(run: Run, verb: str, tmp_path: Path) -> None:
    answer = run("--home", str(tmp_path / "nowhere"), verb)
    assert answer.code == 1
    assert "nowhere is not a folder" in answer.err


def test_relative_base_directories_are_ignored(home: Path) -> None:
    env = {"XDG_DATA_HOME": "../data", "XDG_STATE_HOME": "state"}
    assert known_rooms(env, home, "linux") == known_rooms({}, home, "linux")
    with Yard(env, home, "linux") as yard:
        assert yard.ledgers() == []


def test_a_file_in_the_place_of_a_folder_is_not_taken_for_a_plan_made_before(home: Path) -> None:
    with pytest.raises(NotADirectoryError):
        rooms({"XDG_STATE_HOME": "/dev/null"}, home, "linux", Disk())


def test_only_what_has_an_option_to_save_is_told_of_it(run: Run, full: Path, tmp_path: Path) -> None:
    assert "--plan" in run("clean").err
    run("clean", "--plan", str(tmp_path / "plan"))
    for words in (("apply", str(tmp_path / "plan")), ("purge",)):
        answer = run(*words)
        run("apply", str(tmp_path / "plan"), "--yes")
        assert (answer.code, "--yes" in answer.err, "--plan" in answer.err) == (4, True, False)


def test_an_environment_is_known_by_its_whole_id(run: Run, home: Path) -> None:
    venv.create(home / "project" / ".venv", with_pip=False)
    assert "venv:project/.venv" in run("ls", "-q").out
    answer = run("env", "freeze", "venv:project/.venv")
    assert answer.code == 0, answer.err
    assert answer.out.strip().endswith(".zip")
