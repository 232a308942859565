"""`modelyard env` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from capsules.making import listed
from modelyard.cli import documents
from typed import Run


@pytest.fixture(autouse=True)
def _variables(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installers of the command get."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def test_frozen_by_name_and_restored_beside(run: Run, prefix: Path, env: dict[str, str], home: Path) -> None:
    answer = run("env", "freeze", "work/.venv")
    assert answer.code == 0
    capsule = Path(answer.out.strip())
    assert capsule.parent == home / ".local" / "share" / "modelyard" / "capsules"
    assert "modelyard env prove" in answer.err
    (home / "work-venv").mkdir()
    again = run("env", "restore", str(capsule))
    assert (again.code, again.out) == (0, f"{home}/work-venv-2\n")
    assert listed(home / "work-venv-2", env) == listed(prefix, env)


def test_frozen_by_folder_into_a_folder(run: Run, prefix: Path, home: Path) -> None:
    answer = run("env", "freeze", str(prefix), "--into", str(home / "kept"), "--json")
    told = msgspec.json.decode(answer.out, type=documents.Frozen, strict=True)
    assert (answer.code, answer.err, told.kind, told.wheels) == (0, "", "venv", 1)
    assert Path(told.path).parent == home / "kept"
    assert json.loads(answer.out)["schema_version"] == 1
    assert not (home / ".local").exists()


def test_proven_and_not_proven_have_their_codes(
    run: Run, prefix: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = run("env", "prove", "work/.venv", "--json")
    told = msgspec.json.decode(answer.out, type=documents.Proved, strict=True)
    assert (answer.code, told.proven, told.differences) == (0, True, [])
    assert run("env", "prove", told.capsule).out.startswith("proven: ")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    answer = run("env", "prove", told.capsule)
    assert answer.code == 5
    assert answer.out.startswith("not proven: ")
    assert "could not be built" in answer.out


def test_restored_where_it_was_said(run: Run, prefix: Path, home: Path) -> None:
    capsule = run("env", "freeze", str(prefix)).out.strip()
    answer = run("env", "restore", capsule, "--prefix", str(home / "there"), "--json")
    told = msgspec.json.decode(answer.out, type=documents.Rebuilt, strict=True)
    assert (answer.code, told.prefix, told.notes) == (0, str(home / "there"), [])
    refused = run("env", "restore", capsule, "--prefix", str(home / "there"))
    assert (refused.code, refused.out) == (4, "")
    assert "--prefix" in refused.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("freeze", "nothing-like-it"), 1, "modelyard ls"),
        (("freeze", "/nowhere/at/all"), 1, "no environment"),
        (("restore", "nothing.zip"), 1, "modelyard env freeze"),
        (("prove", "nothing-like-it"), 1, "modelyard ls"),
        (("thaw",), 2, "No such command"),
    ],
)
def test_what_went_wrong_says_what_to_type(words: tuple[str, ...], code: int, said: str, run: Run, home: Path) -> None:
    answer = run("env", *words)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
    assert list(home.iterdir()) == []


def test_what_is_no_environment_is_not_frozen(run: Run, home: Path) -> None:
    place = home / ".ollama" / "models" / "blobs"
    place.mkdir(parents=True)
    assert run("env", "freeze", str(place)).code == 1
    assert not (home / ".local").exists()
