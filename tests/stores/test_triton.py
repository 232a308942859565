"""Triton's kernels."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import triton


def make(home: Path) -> None:
    """Kernels, what a dead process left, a dump, and what a user overrides."""
    base = home / ".triton"
    makers.write(base / "cache" / "ABC" / "kernel.cubin", b"k" * 4000)
    makers.write(base / "cache" / "tmp.pid_77_0" / "kernel.cubin", b"half")
    makers.write(base / "dump" / "XYZ" / "kernel.ttir", b"d" * 2000)
    makers.write(base / "override" / "ABC" / "kernel.ttgir", b"mine")


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(triton, home) == [("~/.triton/cache", "default"), ("~/.triton/dump", "default")]
    assert makers.places(triton, home, TRITON_HOME="/t")[0] == ("/t/.triton/cache", "TRITON_HOME")
    assert makers.places(triton, home, TRITON_HOME="/t", TRITON_CACHE_DIR="/c")[0] == ("/c", "TRITON_CACHE_DIR")
    assert makers.places(triton, home, TRITON_DUMP_DIR="/d")[1] == ("/d", "TRITON_DUMP_DIR")


def test_kernels_dumps_and_no_overrides(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.state for name, each in found.items()} == {
        "triton:cache": "complete",
        "triton:cache#partial": "partial",
        "triton:dump": "complete",
    }
