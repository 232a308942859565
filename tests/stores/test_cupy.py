"""CuPy's kernels."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import cupy


def make(home: Path) -> None:
    """A kernel."""
    makers.write(home / ".cupy" / "kernel_cache" / "abc.cubin", b"k" * 4000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(cupy, home) == [("~/.cupy/kernel_cache", "default")]
    assert makers.places(cupy, home, CUPY_CACHE_DIR="/c") == [("/c", "CUPY_CACHE_DIR")]


def test_the_cache_is_one_artifact(home: Path) -> None:
    make(home)
    assert makers.artifacts(home)["cupy:kernels"].recovery == "re-make"
