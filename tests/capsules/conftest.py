"""An index on this machine, and an environment with packages from it and from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from capsules.making import publish, served, variables, venv, wheel

SCRIPT = b"#!python\nimport sys, localpkg\nprint(localpkg.WORD, sys.prefix)\n"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an index with two packages."""
    folder = tmp_path / "published"
    wheel(folder, "public", "1.0", {"public/__init__.py": b"WORD = 'public'\n"}, "public-tool = public:main")
    wheel(folder, "public", "2.0", {"public/__init__.py": b"WORD = 'newer'\n"})
    wheel(folder, "other", "3.1", {"spaces/other/__init__.py": b"", "single.py": b"", "other.data.txt": b"x"})
    publish(folder, tmp_path / "index")
    with served(tmp_path / "index") as address:
        yield address


@pytest.fixture
def env(home: Path, index: str) -> dict[str, str]:
    """The variables of installers."""
    return variables(home, index)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A wheel that no index has: a script, data, a header, and a version with a local part."""
    files = {
        "localpkg/__init__.py": b"WORD = 'mine'\n",
        "localpkg/data.bin": bytes(range(256)) * 40,
        "localpkg-1.0+mine.data/scripts/localtool": SCRIPT,
        "localpkg-1.0+mine.data/data/share/localpkg/notes.txt": b"notes\n",
        "localpkg-1.0+mine.data/headers/localpkg.h": b"#define MINE\n",
    }
    return wheel(tmp_path / "private", "localpkg", "1.0+mine", files, "localrun = localpkg:main")


@pytest.fixture
def prefix(home: Path, env: dict[str, str], private: Path) -> Path:
    """An environment with an older package of the index and a private one, whose wheel is gone by now."""
    made = venv(home / "work" / ".venv", env, "public==1.0", "other", private)
    private.unlink()
    return made


@pytest.fixture
def published(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder for bare repositories, and its address on this machine."""
    folder = tmp_path / "repositories"
    folder.mkdir()
    with served(folder) as address:
        yield folder, address
