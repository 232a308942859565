"""Secrets that others can read: told by path and mode, and never opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import makers
import oracle
from doctor.patients import examine, only, run, told

HUGGING = ".cache/huggingface"
SECRET = "hf_VeryVerySecretIndeed"


def secret(path: Path, mode: int) -> Path:
    """A secret with a mode, in folders that let everybody through."""
    makers.write(path, SECRET).chmod(mode)
    path.parent.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "name",
    [
        f"{HUGGING}/token",
        f"{HUGGING}/stored_tokens",
        ".huggingface/token",
        ".ollama/id_ed25519",
        ".kaggle/kaggle.json",
        ".netrc",
        ".git-credentials",
        "invokeai/api_keys.yaml",
        ".modelscope/credentials/git_token",
    ],
)
def test_a_secret_that_everybody_can_read_is_told_and_mended(name: str, open_home: Path) -> None:
    path = secret(open_home / name, 0o644)
    found = only(told("readable-secret", open_home))
    assert (found.severity, found.place) == ("danger", f"~/{name}")
    assert "everybody" in found.message and "644" in found.message
    run(found.command, open_home)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not told("readable-secret", open_home)


def test_secrets_that_variables_move_are_looked_at_there(open_home: Path) -> None:
    secret(open_home / "my hf/token", 0o644)
    secret(open_home / "the token", 0o644)
    env = {"HF_HOME": f"{open_home}/my hf", "HF_TOKEN_PATH": f"{open_home}/the token"}
    assert {each.place for each in told("readable-secret", open_home, env)} == {"~/my hf/token", "~/the token"}


def test_a_group_of_others_is_named(open_home: Path) -> None:
    path = secret(open_home / ".netrc", 0o640)
    os.chown(path, 0, 1)
    assert "the group daemon can read" in only(told("readable-secret", open_home)).message
    os.chown(path, 0, 0)
    assert not told("readable-secret", open_home), "a group of one's own name holds oneself alone"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_closed_secret_is_well(mode: int, open_home: Path) -> None:
    secret(open_home / ".netrc", mode)
    assert not told("readable-secret", open_home)


def test_a_secret_in_a_closed_folder_is_well(open_home: Path) -> None:
    secret(open_home / ".ollama/id_ed25519", 0o644).parent.chmod(0o700)
    assert not told("readable-secret", open_home)
    secret(open_home / ".netrc", 0o644)
    open_home.chmod(0o700)
    assert not told("readable-secret", open_home)


def test_a_link_is_judged_by_what_it_points_to(open_home: Path) -> None:
    target = secret(open_home / "dot files/netrc", 0o644)
    (open_home / ".netrc").symlink_to(target)
    run(only(told("readable-secret", open_home)).command, open_home)
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_secret_is_never_opened_or_shown(open_home: Path) -> None:
    path = secret(open_home / f"{HUGGING}/token", 0o644)
    oracle.age([path])
    before = oracle.traces([path])
    assert SECRET not in repr(examine(open_home))
    assert oracle.traces([path]) == before


def test_modes_of_windows_are_not_judged_and_that_is_told(open_home: Path) -> None:
    secret(open_home / ".netrc", 0o644)
    found = only([each for each in examine(open_home, platform="windows") if each.code == "secret-unchecked"])
    assert found.severity == "unchecked"
    assert not told("readable-secret", open_home, platform="windows")


def test_a_secret_that_cannot_be_looked_at_is_told(open_home: Path) -> None:
    secret(open_home / ".kaggle/kaggle.json", 0o644).parent.chmod(0o000)
    os.seteuid(65534)
    try:
        found = told("secret-unchecked", open_home)
    finally:
        os.seteuid(0)
    assert {each.place for each in found} >= {"~/.kaggle/kaggle.json"}
    assert all("Permission denied" in each.message for each in found)
