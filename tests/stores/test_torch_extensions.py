"""Extensions that torch compiled."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import torch_extensions


def make(home: Path) -> None:
    """Two versions."""
    for version in ("py311_cpu", "py312_cu124"):
        makers.write(home / ".cache" / "torch_extensions" / version / "ops" / "ops.so", b"o" * 4000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(torch_extensions, home) == [("~/.cache/torch_extensions", "default")]
    assert makers.places(torch_extensions, home, "macos") == [("~/Library/Caches/torch_extensions", "default")]
    named = makers.places(torch_extensions, home, TORCH_EXTENSIONS_DIR="/e")
    assert named == [("/e", "TORCH_EXTENSIONS_DIR")]


def test_one_artifact_a_version(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert set(found) == {"torch-extensions:py311_cpu", "torch-extensions:py312_cu124"}
    assert {(each.kind, each.recovery) for each in found.values()} == {("compile cache", "re-make")}
