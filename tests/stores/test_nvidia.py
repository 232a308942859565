"""The driver's kernels."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import nvidia


def make(home: Path) -> None:
    """Both caches of the driver."""
    makers.write(home / ".nv" / "ComputeCache" / "0" / "1" / "kernel", b"k" * 4000)
    makers.write(home / ".nv" / "GLCache" / "abc" / "shader", b"s" * 3000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(nvidia, home)[0] == ("~/.nv/ComputeCache", "default")
    windows = makers.places(nvidia, home, "windows")
    assert windows == [("~/AppData/Roaming/NVIDIA/ComputeCache", "default")]
    assert makers.places(nvidia, home, CUDA_CACHE_PATH="/c")[0] == ("/c", "CUDA_CACHE_PATH")


def test_one_artifact_a_cache(home: Path) -> None:
    make(home)
    assert set(makers.artifacts(home)) == {"nvidia:ComputeCache", "nvidia:GLCache"}
