"""openai-whisper's weights."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import whisper


def make(home: Path) -> None:
    """Two models."""
    for name in ("base.pt", "large-v3.pt"):
        makers.write(home / ".cache" / "whisper" / name, name.encode() * 500)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(whisper, home) == [("~/.cache/whisper", "default")]
    assert makers.places(whisper, home, "macos") == [("~/.cache/whisper", "default")]
    assert makers.places(whisper, home, XDG_CACHE_HOME="/x") == [("/x/whisper", "XDG_CACHE_HOME")]


def test_each_file_is_a_model(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.kind for name, each in found.items()} == {
        "whisper:base.pt": "model",
        "whisper:large-v3.pt": "model",
    }
    assert all("only its hash tells" in each.detail for each in found.values())
