"""What the Intel GPU driver compiled."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import intel_neo


def make(home: Path) -> None:
    """Kernels of both interfaces and the driver own count."""
    base = home / ".cache" / "neo_compiler_cache"
    for name in ("0123.cl_cache", "4567.l0_cache", "config.file"):
        makers.write(base / name, b"k" * 4000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(intel_neo, home) == [("~/.cache/neo_compiler_cache", "default")]
    assert makers.places(intel_neo, home, XDG_CACHE_HOME="/x") == [("/x/neo_compiler_cache", "XDG_CACHE_HOME")]
    assert makers.places(intel_neo, home, NEO_CACHE_DIR="/n") == [("/n", "NEO_CACHE_DIR")]
    windows = makers.places(intel_neo, home, "windows", LOCALAPPDATA="C:/L")
    assert windows == [("C:/L/NEO/neo_compiler_cache", "default")]


def test_what_was_compiled(home: Path) -> None:
    make(home)
    assert set(makers.artifacts(home)) == {"intel-neo:kernels"}
