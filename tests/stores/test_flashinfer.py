"""FlashInfer's kernels."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import flashinfer


def make(home: Path) -> None:
    """Two versions and cubins."""
    base = home / ".cache" / "flashinfer"
    for version in ("0.6.1", "0.7.2"):
        makers.write(base / version / "90" / "cached_ops" / "op.so", b"o" * 4000)
    makers.write(base / "cubins" / "kernel.cubin", b"c" * 3000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(flashinfer, home, XDG_CACHE_HOME="/x") == [("~/.cache/flashinfer", "default")]
    moved = makers.places(flashinfer, home, FLASHINFER_WORKSPACE_BASE="/w", FLASHINFER_CUBIN_DIR="/c")
    assert moved == [("/w/.cache/flashinfer", "FLASHINFER_WORKSPACE_BASE"), ("/c", "FLASHINFER_CUBIN_DIR")]


def test_one_artifact_a_version_and_one_for_the_downloads(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.recovery for name, each in found.items()} == {
        "flashinfer:0.6.1": "re-make",
        "flashinfer:0.7.2": "re-make",
        "flashinfer:cubins": "re-get",
    }
