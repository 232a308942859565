"""Environments inside caches, and old clients beside what a newer one shares."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import makers
from doctor.patients import only, told


def venv(folder: Path, *packages: str) -> Path:
    """A virtual environment with the metadata of these packages."""
    makers.write(folder / "pyvenv.cfg", "home = /usr/bin\nversion = 3.11.4\n")
    makers.write(folder / "bin" / "python", b"#!")
    for package in packages:
        makers.write(folder / "lib/python3.11/site-packages" / f"{package}.dist-info" / "METADATA")
    return folder


def shared_hub(home: Path) -> Path:
    """A hub cache whose repositories share blobs."""
    hub = home / ".cache/huggingface/hub"
    repo = makers.hub_repo(hub, "models--acme--tiny", {"w": b"w" * 9000})
    makers.share_blob(repo, next((repo / "blobs").iterdir()), hashlib.sha256(b"xet").hexdigest())
    return hub


def test_poetry_keeps_environments_in_its_cache(home: Path) -> None:
    for name in ("a", "b"):
        venv(home / ".cache/pypoetry/virtualenvs" / f"{name}-AbCdEfGh-py3.11")
    found = only(told("environment-in-cache", home))
    assert (found.severity, found.place) == ("fault", "~/.cache/pypoetry/virtualenvs")
    assert found.message.startswith("2 environments lie in")
    assert found.command == f"poetry config virtualenvs.path {home}/.local/share/pypoetry/virtualenvs"


def test_environments_of_a_moved_poetry_cache_are_found(home: Path) -> None:
    venv(home / "data/poetry/virtualenvs/a-AbCdEfGh-py3.11")
    env = {"POETRY_CACHE_DIR": f"{home}/data/poetry"}
    assert only(told("environment-in-cache", home, env)).place == "~/data/poetry/virtualenvs"


@pytest.mark.parametrize(
    ("folder", "severity"),
    [
        (".cache/uv/environments-v2/app-1234", "note"),
        (".cache/rattler/cache/envs/app-1234", "note"),
        (".cache/my env", "fault"),
    ],
)
def test_other_environments_in_caches(folder: str, severity: str, home: Path) -> None:
    venv(home / folder)
    makers.write(home / ".cache/uv/CACHEDIR.TAG")
    found = only(told("environment-in-cache", home))
    assert (found.severity, found.command) == (severity, f"modelyard ls --kind environment --home {home}")


def test_on_macos_the_platforms_own_cache_counts(home: Path) -> None:
    venv(home / "Library/Caches/pypoetry/virtualenvs/a-AbCdEfGh-py3.11")
    assert only(told("environment-in-cache", home, platform="macos")).severity == "fault"


def test_environments_elsewhere_are_where_they_belong(home: Path) -> None:
    venv(home / "project/.venv")
    venv(home / ".local/share/virtualenvs/a-AbCdEfGh")
    makers.conda_env(home / "miniconda3/envs/b")
    makers.conda_package(home / "miniconda3/pkgs", "tiny-1.0-0")
    assert not told("environment-in-cache", home)


@pytest.mark.parametrize("version", ["0.36.2", "1.31.0", "1.9"])
def test_an_old_hub_client_beside_shared_blobs_is_a_danger(version: str, home: Path) -> None:
    shared_hub(home)
    environment = venv(home / "my project/.venv", f"huggingface_hub-{version}", "pip-24.0")
    found = only(told("old-hub-client", home))
    assert found.severity == "danger"
    assert version in found.message
    assert found.command == f"'{environment}/bin/python' -m pip install --upgrade 'huggingface_hub>=1.32'"


def test_an_environment_without_pip_is_upgraded_by_uv(home: Path) -> None:
    shared_hub(home)
    environment = venv(home / "project/.venv", "huggingface_hub-1.0.0")
    expected = f"uv pip install -p {environment}/bin/python --upgrade 'huggingface_hub>=1.32'"
    assert only(told("old-hub-client", home)).command == expected


def test_packages_of_the_user_are_seen_too(home: Path) -> None:
    shared_hub(home)
    makers.write(home / ".local/lib/python3.12/site-packages/huggingface_hub-0.30.0.dist-info/METADATA")
    found = only(told("old-hub-client", home))
    assert found.command == "python3 -m pip install --user --upgrade 'huggingface_hub>=1.32'"


@pytest.mark.parametrize("version", ["1.32.0", "1.40", "2.4.0", "2.0.0rc1"])
def test_a_new_client_or_a_classic_hub_is_no_danger(version: str, home: Path) -> None:
    shared_hub(home)
    venv(home / "project/.venv", f"huggingface_hub-{version}")
    assert not told("old-hub-client", home)


def test_an_old_client_beside_the_classic_layout_is_no_danger(home: Path) -> None:
    makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"w": b"w"})
    venv(home / "project/.venv", "huggingface_hub-0.36.0")
    assert not told("old-hub-client", home)


def test_a_conda_base_is_an_environment_with_packages(home: Path) -> None:
    shared_hub(home)
    base = makers.conda_env(home / "miniconda3")
    makers.write(base / "condabin/conda")
    makers.write(base / "lib/python3.12/site-packages/huggingface_hub-0.36.0.dist-info/METADATA")
    assert only(told("old-hub-client", home)).place == "~/miniconda3"
