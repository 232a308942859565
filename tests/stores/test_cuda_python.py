"""What cuda.core compiled."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import cuda_python


def make(home: Path) -> None:
    """Compiled programs and unpacked headers."""
    base = home / ".cache" / "cuda-python"
    makers.write(base / "program-cache" / "v1" / "ab" / "cdef", b"k" * 5000)
    makers.write(base / "nvrtc-headers" / "cuda.h", b"h" * 3000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(cuda_python, home) == [("~/.cache/cuda-python", "default")]
    assert makers.places(cuda_python, home, XDG_CACHE_HOME="/x") == [("/x/cuda-python", "XDG_CACHE_HOME")]
    windows = makers.places(cuda_python, home, "windows", LOCALAPPDATA="C:/L")
    assert windows == [("C:/L/cuda-python", "default")]


def test_what_was_compiled(home: Path) -> None:
    make(home)
    assert set(makers.artifacts(home)) == {"cuda-python:program-cache", "cuda-python:nvrtc-headers"}
