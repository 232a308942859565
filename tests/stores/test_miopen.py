"""MIOpen's kernels and tuning results."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import miopen


def make(home: Path) -> None:
    """Kernels of two versions and what tuning found."""
    for version in ("3.2.0.", "3.4.0.1a2b"):
        makers.write(home / ".cache" / "miopen" / version / "gfx942.ukdb", b"k" * 6000)
    makers.write(home / ".config" / "miopen" / "gfx942.HIP.3_4_0.ufdb.txt", b"t" * 3000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(miopen, home) == [("~/.cache/miopen", "default"), ("~/.config/miopen", "default")]
    moved = makers.places(miopen, home, MIOPEN_CUSTOM_CACHE_DIR="/c", MIOPEN_USER_DB_PATH="/d", XDG_CACHE_HOME="/x")
    assert moved == [("/c", "MIOPEN_CUSTOM_CACHE_DIR"), ("/d", "MIOPEN_USER_DB_PATH")]


def test_kernels_of_each_version_apart_from_what_took_tuning(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert set(found) == {"miopen:3.2.0.", "miopen:3.4.0.1a2b", "miopen:tuning"}
    assert "tuning" in found["miopen:tuning"].detail


def test_a_folder_of_ones_own_is_one_cache(home: Path) -> None:
    makers.write(home / "fast" / "gfx942.ukdb", b"k" * 6000)
    assert set(makers.artifacts(home, MIOPEN_CUSTOM_CACHE_DIR=str(home / "fast"))) == {"miopen:kernels"}
