"""Where the programs are installed that these tests run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

RUNNERS = Path(os.environ.get("MODELYARD_RUNNERS") or Path(__file__).parents[2] / ".deps" / "runners")


@pytest.fixture(scope="session")
def runners() -> Path:
    """A folder of Python packages: RamaLama, and tensorboardX for Lightning."""
    if not (RUNNERS / "ramalama").is_dir() or not (RUNNERS / "tensorboardX").is_dir():
        pytest.fail(f"RamaLama or tensorboardX is not in {RUNNERS}; run `make deps`, or set MODELYARD_RUNNERS")
    return RUNNERS
