"""Pipenv, virtualenv and pip: environments by their notes, and caches of old and new versions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from environments_real.clients import Client, base_python, start
from environments_real.looking import get, ids, look

PIPFILE = '[[source]]\nurl = "{}"\nverify_ssl = false\nname = "local"\n[packages]\nsmalllib = "*"\n'


@pytest.fixture
def work(pipenv: Client, index: str, home: Path) -> Path:
    """A project with a Pipfile."""
    (home / "work").mkdir()
    (home / "work" / "Pipfile").write_text(PIPFILE.format(index))
    return home / "work"


def test_an_environment_of_pipenv_leads_to_its_project(work: Path, pipenv: Client, home: Path) -> None:
    pipenv("install", cwd=work)
    place = Path(pipenv("--venv", cwd=work).strip())
    found = look(home)
    own = get(found, f"venv:{place.relative_to(home)}")
    assert dict(own.facts)["Project"] == f"{work} (noted in .project)"
    assert "smalllib" in dict(own.facts)["Biggest packages"]
    assert own.blobs == (found.tree.find(place),)
    assert own.state == "complete"
    shutil.rmtree(work)
    assert get(look(home), own.id).state == "orphan"


def test_an_environment_of_pipenv_in_the_project_belongs_to_it(work: Path, pipenv: Client, home: Path) -> None:
    pipenv("install", cwd=work, PIPENV_VENV_IN_PROJECT="1")
    assert dict(get(look(home), "venv:work/.venv").facts)["Project"].startswith(f"{work} (")


def test_pipenv_s_cache_is_found_and_its_own(work: Path, pipenv: Client, home: Path) -> None:
    pipenv("install", cwd=work)
    found = look(home)
    downloads = get(found, "pipenv:http")
    assert downloads.sizes.freed == downloads.sizes.allocated > 200_000
    assert not ids(found, "pip")


def test_downloads_that_no_newer_pip_reads_are_told_from_those_it_does(
    old_pip: Client, virtualenv: Client, index: str, home: Path
) -> None:
    fetch = ["download", "--no-deps", "--index-url", index, "--trusted-host", "127.0.0.1", "smalllib", "-d"]
    old_pip(*fetch, home / "one")
    assert ids(look(home), "pip") == {"pip:http-old"}
    virtualenv("-p", base_python(), home / "new")
    start([home / "new/bin/pip", "--disable-pip-version-check", *fetch, home / "two"], home)
    found = look(home)
    dead, live = get(found, "pip:http-old"), get(found, "pip:http")
    assert "never reads these" in dead.detail
    for each in (dead, live):  # it fetched again what the other one had kept
        assert each.sizes.freed == each.sizes.allocated > 200_000


def test_what_virtualenv_keeps_is_found(virtualenv: Client, home: Path) -> None:
    virtualenv("-p", base_python(), home / "env")
    found = look(home)
    assert ids(found, "virtualenv") == {"virtualenv:wheel", "virtualenv:py_info"}
    own = get(found, "venv:env")
    assert "by virtualenv" in own.detail
    assert own.state == "complete"


def test_an_environment_of_virtualenv_whose_python_is_gone_says_so(
    virtualenv: Client, own_python: Path, home: Path
) -> None:
    virtualenv("-p", own_python, home / "env")
    assert get(look(home), "venv:env").state == "complete"
    shutil.rmtree(own_python.parent.parent)
    found = get(look(home), "venv:env")
    assert found.state == "dangling"
    assert "its Python is gone" in found.detail
    with pytest.raises(FileNotFoundError):
        start([home / "env/bin/python", "-c", "pass"], home)
