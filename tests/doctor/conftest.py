"""A home that every user can reach, for tests that become somebody else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from walk.disks import remove


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home that everybody may enter."""
    made = Path(tempfile.mkdtemp(prefix="doctor-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    remove(made)
