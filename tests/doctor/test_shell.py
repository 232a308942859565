"""Commands that are copied into a shell: whatever a name holds, the shell gets exactly that name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from doctor.patients import run
from modelyard.doctor import shell

NASTY = (
    "plain",
    "two words",
    "it's",
    'say "hi"',
    "$HOME",
    "`id`",
    "$(id)",
    "a;b & c|d",
    "-rf",
    "line\nend",
    "tab\there",
    "back\\slash",
    "caf\udce9",
    "\udcff'quoted\udcfe 1",
    "日本語 モデル",
    "right\u202eleft",
    "!history",
    "~",
    "*?[a]",
    "#comment",
)


@pytest.mark.parametrize("name", NASTY)
def test_a_shell_reads_back_the_very_name(name: str, home: Path) -> None:
    assert run(f"printf %s {shell.quoted(name, 'linux')}", home) == name


@pytest.mark.parametrize("name", NASTY)
def test_a_command_is_one_line_without_control_characters(name: str) -> None:
    for platform in ("linux", "macos", "windows"):
        text = shell.words(platform, "rm", "--", name)
        assert text.isprintable()
        text.encode()


def test_powershell_doubles_its_quotes() -> None:
    assert shell.quoted("it's $HOME", "windows") == "'it''s $HOME'"
    assert shell.remove_files(["C:/a b", "C:/c"], "windows") == "Remove-Item -LiteralPath 'C:/a b', 'C:/c'"
    assert shell.set_variable("X", "C:/a", "windows") == "[Environment]::SetEnvironmentVariable('X', 'C:/a', 'User')"
    assert shell.unset_variable("X", "windows") == "[Environment]::SetEnvironmentVariable('X', $null, 'User')"
    assert shell.copy_missing("C:/a", "C:/b", "windows") == "robocopy 'C:/a' 'C:/b' /E /XC /XN /XO"


def test_on_macos_programs_started_by_a_click_lose_the_variable_too() -> None:
    assert shell.unset_variable("X", "macos") == "unset X; launchctl unsetenv X"


@pytest.mark.parametrize("name", NASTY)
def test_files_of_every_name_are_removed_and_no_others(name: str, home: Path) -> None:
    bystander = home / "rf"
    for path in (home / name, bystander):
        path.write_bytes(b"x")
    run(shell.remove_files([str(home / name)], "linux"), home)
    assert [each.name for each in home.iterdir()] == [bystander.name]


def test_copying_what_is_missing_overwrites_nothing_and_keeps_links(home: Path) -> None:
    old, new = home / "old place", home / "new'place"
    for folder, text in ((old, "old"), (new, "new")):
        folder.mkdir()
        (folder / "both").write_text(text)
    (old / "blob").write_text("payload")
    (old / "link").symlink_to("blob")
    run(shell.copy_missing(str(old), str(new), "linux") + " || true", home)  # newer cp tells what it skipped
    assert (new / "both").read_text() == "new"
    assert os.readlink(new / "link") == "blob"
    assert (old / "blob").read_text() == (new / "blob").read_text() == "payload"
