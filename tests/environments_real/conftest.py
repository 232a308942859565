"""The real clients, each under the version that is installed, with a home and an environment of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments_real import wheels as made
from environments_real.clients import VERSIONS, Client, base_python


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels."""
    return made.build(tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def index(wheels: Path, tmp_path: Path) -> Iterator[str]:
    """The address of an index that serves them."""
    with made.index(wheels, tmp_path / "index") as address:
        yield address


@pytest.fixture(params=[pytest.param(0, id=f"uv {VERSIONS.get('uv', 'missing')}")])
def uv(home: Path, wheels: Path) -> Client:
    """uv, offline with the wheels alone, linking as it does where nothing else is said.

    Never with UV_PYTHON: `uv pip install` would then install into that Python instead of the environment. The base
    Python is first in PATH instead.
    """
    variables = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels), "UV_PYTHON_DOWNLOADS": "never", "UV_OFFLINE": "1"}
    return Client("uv", home, wheels, variables | {"PATH": f"{base_python().parent}:/usr/bin:/bin"})


@pytest.fixture(params=[pytest.param(0, id=f"poetry {VERSIONS.get('poetry', 'missing')}")])
def poetry(home: Path, wheels: Path) -> Client:
    """Poetry, without a keyring."""
    return Client("poetry", home, wheels, {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"})


@pytest.fixture(params=[pytest.param(0, id=f"pipenv {VERSIONS.get('pipenv', 'missing')}")])
def pipenv(home: Path, wheels: Path) -> Client:
    """Pipenv."""
    return Client("pipenv", home, wheels, {"PIPENV_YES": "1", "PIPENV_PYTHON": str(base_python())})


@pytest.fixture(params=[pytest.param(0, id=f"virtualenv {VERSIONS.get('virtualenv', 'missing')}")])
def virtualenv(home: Path, wheels: Path) -> Client:
    """virtualenv."""
    return Client("virtualenv", home, wheels)


@pytest.fixture(params=[pytest.param(0, id=f"pip {VERSIONS.get('pip', 'missing')}")])
def old_pip(home: Path, wheels: Path) -> Client:
    """A pip from before 23.3."""
    return Client("pip", home, wheels, {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})


@pytest.fixture
def own_python(home: Path) -> Path:
    """A Python of this home alone, which can be removed: a copy that finds its library where the original has it."""
    copy = home / "own" / "bin" / base_python().name
    copy.parent.mkdir(parents=True)
    shutil.copy2(base_python(), copy)
    (copy.parent / "python3").symlink_to(copy.name)
    return copy
