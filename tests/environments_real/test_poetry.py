"""Poetry with an index on this machine: environments in its cache and in projects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from environments_real.clients import Client, base_python
from environments_real.looking import get, ids, look

PROJECT = """[tool.poetry]
name = "{}"
version = "0.1"
description = ""
authors = []
package-mode = false
[tool.poetry.dependencies]
python = ">=3.11"
smalllib = "*"
[[tool.poetry.source]]
name = "local"
url = "{}"
priority = "primary"
"""


def install(poetry: Client, folder: Path, name: str, index: str, **variables: str) -> Path:
    """A project with its environment."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT.format(name, index))
    poetry("install", cwd=folder, **variables)
    return folder


@pytest.mark.parametrize("name", ["vision", "Vision 2 $x"])
def test_an_environment_in_the_cache_leads_to_its_project(name: str, poetry: Client, index: str, home: Path) -> None:
    folder = install(poetry, home / "work" / "a project", name, index)
    place = Path(poetry("env", "list", "--full-path", cwd=folder).split(" (Activated)")[0].strip())
    found = look(home)
    own = get(found, f"venv:{place.relative_to(home)}")
    assert dict(own.facts)["Project"] == f"{folder} (its path has the hash in the name)"
    assert "smalllib 200 KiB" in dict(own.facts)["Biggest packages"]
    assert own.state == "complete"
    assert own.sizes.freed == own.sizes.allocated > 200_000
    assert {"poetry:artifacts", "poetry:repositories/local"} <= ids(found, "poetry")


def test_a_project_that_was_moved_leaves_an_environment_without_one(poetry: Client, index: str, home: Path) -> None:
    folder = install(poetry, home / "work", "vision", index)
    folder.rename(home / "elsewhere")
    (own,) = (each for each in look(home).artifacts if each.store == "venv")
    assert "Project" not in dict(own.facts)
    assert own.state == "complete"  # the name tells only that it is none of the folders seen


def test_poetry_s_own_note_tells_which_environment_is_in_use(poetry: Client, index: str, home: Path) -> None:
    folder = install(poetry, home / "work", "vision", index)
    poetry("env", "use", base_python(), cwd=folder)
    assert (home / ".cache/pypoetry/virtualenvs/envs.toml").exists()
    (own,) = (each for each in look(home).artifacts if each.store == "venv")
    assert dict(own.facts)["Poetry"] == "the one it uses"


def test_an_environment_in_the_project_goes_with_it(poetry: Client, index: str, home: Path) -> None:
    folder = install(poetry, home / "work", "vision", index, POETRY_VIRTUALENVS_IN_PROJECT="true")
    own = get(look(home), "venv:work/.venv")
    assert dict(own.facts)["Project"] == f"{folder} (it lies there)"
    shutil.rmtree(folder)
    assert not ids(look(home), "venv")


def test_clearing_the_cache_leaves_the_downloads_as_is_told(poetry: Client, index: str, home: Path) -> None:
    folder = install(poetry, home / "work", "vision", index)
    poetry("cache", "clear", "local", "--all", "--no-interaction", cwd=folder)
    downloads = get(look(home), "poetry:artifacts")
    assert "`poetry cache clear` leaves these" in downloads.detail
    assert downloads.sizes.freed > 200_000


def test_places_are_those_that_poetry_tells(poetry: Client, home: Path) -> None:
    settings = home / ".config" / "pypoetry" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('cache-dir = "/big/poetry"\n')
    told = poetry("config", "--list")
    found = {root.path for each in look(home).holdings if each.store.name in ("poetry", "venv") for root in each.roots}
    assert 'cache-dir = "/big/poetry"' in told
    assert "# /big/poetry/virtualenvs" in told
    assert f"# {home}/.local/share/pypoetry/python" in told
    assert {"/big/poetry", "/big/poetry/virtualenvs", f"{home}/.local/share/pypoetry/python"} <= found
