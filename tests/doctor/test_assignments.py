"""Start files of shells are read as the shell reads them, and never run."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.patients import examine, rc, run
from modelyard.doctor.assignments import all_assignments

LINES = (
    "export X=/data/hub",
    "X=/data/hub",
    "  export X=/data/hub  # models",
    'export X="/data/my models"',
    "export X='/data/my models'",
    "export X=/data/my\\ models",
    "export X=~/models",
    'export X="~/models"',
    "export X=$HOME/models",
    'export X="${HOME}/models"',
    "export X='$HOME/models'",
    "export X=\"$HOME\"/my' models'",
    "export X=/data; export Y=1",
    "export X=/data && true",
    'export X="/data/it\'s"',
    'export X="a \\"b\\""',
    "export X=",
    "Z=/data; X=1\nexport Z=/data\nexport X=$Z/hub",
    "export X=/one\nexport X=/two",
)


@pytest.mark.parametrize("line", LINES)
def test_the_value_is_the_one_bash_gives(line: str, home: Path) -> None:
    rc(home, line)
    found = {each.name: each.value for each in all_assignments({}, home, "linux")[0]}
    assert found["X"] == run('. ./.bashrc; printf %s "$X"', home)


@pytest.mark.parametrize("line", ["export X=$(pwd)", "export X=`pwd`", "export X=$UNKNOWN/a", 'export X="${A:-b}"'])
def test_what_only_running_could_tell_is_left_out(line: str, home: Path) -> None:
    rc(home, line)
    assert not [each for each in all_assignments({}, home, "linux")[0] if each.name == "X"]


def test_a_command_in_a_start_file_is_never_run(home: Path) -> None:
    rc(home, "touch ran", "export HF_HOME=$(touch ran)", "touch ran; export X=1")
    examine(home)
    assert not (home / "ran").exists()


def test_a_start_file_that_cannot_be_read_is_told(home: Path) -> None:
    (home / ".bashrc").write_bytes(b"x" * (2 << 20))
    (home / ".zshrc").mkdir()
    codes = {(each.severity, each.place.rpartition("/")[2]) for each in examine(home)}
    assert codes == {("unchecked", ".bashrc"), ("unchecked", ".zshrc")}


def test_windows_has_no_start_files(home: Path) -> None:
    rc(home, "export X=1")
    assert all_assignments({}, home, "windows") == ([], [])
