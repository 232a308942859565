"""Virtual environments, made by the real venv and by hand."""

from __future__ import annotations

import venv as maker
from pathlib import Path

import pytest

import makers
from modelyard.stores import venv


def make(home: Path) -> None:
    """One of the real venv, one of uv whose Python is gone, one of Pipenv whose project is gone."""
    maker.create(home / "project" / ".venv", with_pip=False, symlinks=True)
    for name, text in (("lost", "home = /gone\nuv = 0.13.8\nversion_info = 3.12.1\n"), ("old", "version = 3.9.1\n")):
        makers.write(home / ".local/share/virtualenvs" / name / "pyvenv.cfg", text)
        (home / ".local/share/virtualenvs" / name / "bin").mkdir()
    (home / ".local/share/virtualenvs/lost/bin/python").symlink_to("/gone/bin/python3.12")
    (home / ".local/share/virtualenvs/old/bin/python").symlink_to("/bin/sh")
    makers.write(home / ".local/share/virtualenvs/old/.project", "/gone/project\n")


def test_precedence_of_what_moves_the_collections(home: Path) -> None:
    first, second = makers.places(venv, home)
    assert first == ("~/.cache/pypoetry/virtualenvs", "default")
    assert second == ("~/.local/share/virtualenvs", "default")
    assert makers.places(venv, home, "macos")[0] == ("~/Library/Caches/pypoetry/virtualenvs", "default")
    assert makers.places(venv, home, POETRY_CACHE_DIR="/p")[0] == ("/p/virtualenvs", "POETRY_CACHE_DIR")
    assert makers.places(venv, home, POETRY_VIRTUALENVS_PATH="/v")[0] == ("/v", "POETRY_VIRTUALENVS_PATH")
    assert makers.places(venv, home, WORKON_HOME="/w")[1] == ("/w", "WORKON_HOME")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("project/.venv", ["Python 3.11", "by venv"]),
        (".local/share/virtualenvs/lost", ["Python 3.12.1 by uv", "its Python is gone"]),
        (".local/share/virtualenvs/old", ["Python 3.9.1", "of /gone/project, which is gone"]),
    ],
)
def test_what_is_known_of_an_environment(name: str, words: list[str], home: Path) -> None:
    make(home)
    found = makers.artifacts(home)[f"venv:{name}"]
    assert all(word in found.detail for word in words)
    assert ("is gone" in found.detail) == (name != "project/.venv")
    assert (found.kind, found.recovery) == ("environment", "re-solve")
