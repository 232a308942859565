"""What must not be taken away now."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import makers
from modelyard.apply import marks
from modelyard.plan import Path as Place
from modelyard.plan import Step
from modelyard.uses.guard import Guard


def step(path: Path) -> Step:
    """Taking this away."""
    return Step("remove", Place.of(bytes(path)), marks.take(bytes(path)), "thing")


def why(home: Path, path: Path, user: int | None = None) -> str:
    """The reason to refuse it."""
    return Guard([bytes(home)], os.getuid() if user is None else user).why(step(path))


@pytest.fixture
def holder(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has `weights` open."""
    makers.write(home / "run" / "weights", b"w" * 100)
    code = "import sys; f = open(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(home / "run" / "weights")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"1\n"
        yield process
        process.kill()


def test_what_nobody_holds_may_go(home: Path) -> None:
    makers.write(home / "run" / "weights")
    assert why(home, home / "run") == ""


def test_a_file_that_is_open_and_the_folders_above_it_stay(home: Path, holder: subprocess.Popen[bytes]) -> None:
    for path in (home / "run" / "weights", home / "run"):
        assert why(home, path).endswith(f"(process {holder.pid}) has a file of it open")
    makers.write(home / "run-2" / "weights")
    assert why(home, home / "run-2") == ""


def test_a_file_that_is_open_by_another_name_stays(home: Path, holder: subprocess.Popen[bytes]) -> None:
    (home / "copy").mkdir()
    os.link(home / "run" / "weights", home / "copy" / "weights")
    for path in (home / "copy", home / "copy" / "weights"):
        assert why(home, path).endswith("open by another name")


def test_an_environment_that_a_process_runs_in_stays(home: Path) -> None:
    makers.layouts()["venv"](home)
    environment = {**os.environ, "VIRTUAL_ENV": str(home / "project" / ".venv")}
    command = [sys.executable, "-c", "print(1, flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout and process.stdout.readline() == b"1\n"
        assert "VIRTUAL_ENV" in why(home, home / "project" / ".venv")
        process.kill()


def test_what_lies_outside_what_was_looked_at_stays(home: Path, tmp_path: Path) -> None:
    makers.write(tmp_path / "elsewhere" / "weights")
    (home / "way-out").symlink_to(tmp_path / "elsewhere")
    assert "outside what was looked at" in why(home, home / "way-out" / "weights")
    assert "outside what was looked at" in why(home, tmp_path / "elsewhere" / "weights")
    assert why(home, home / "way-out") == ""  # the link itself is ours


def test_what_belongs_to_somebody_else_stays(home: Path) -> None:
    path = makers.write(home / "run" / "weights")
    assert why(home, home / "run", user=4711) == f"it belongs to user {os.getuid()}"
    os.chown(path, 4711, -1)
    assert why(home, home / "run") == "files of user 4711 lie in it"
    assert why(home, path) == "it belongs to user 4711"
