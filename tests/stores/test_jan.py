"""Jan's models and engines."""

from __future__ import annotations

import json
from pathlib import Path

import makers
from modelyard.stores import jan


def make(home: Path) -> None:
    """A model with a slash in its id, an engine, and a thread."""
    data = home / ".local/share/Jan/data"
    makers.write(data / "llamacpp/models/acme/tiny/model.yml", "name: tiny")
    makers.write(data / "llamacpp/models/acme/tiny/model.gguf", b"GGUF" * 1000)
    makers.write(data / "llamacpp/backends/b6000/linux-cpu/llama-server", b"e" * 3000)
    makers.write(data / "threads/1/thread.json", "{}")


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(jan, home) == [("~/.local/share/Jan/data", "default")]
    assert makers.places(jan, home, "macos") == [("~/Library/Application Support/Jan/data", "default")]
    assert makers.places(jan, home, "windows", APPDATA="/r") == [("/r/Jan/data", "default")]
    makers.write(home / ".local/share/Jan/settings.json", json.dumps({"data_folder": "/mnt/jan"}))
    assert [path for path, _ in makers.places(jan, home, JAN_DATA_FOLDER="/j")] == [
        "/j",
        "/mnt/jan",
        "~/.local/share/Jan/data",
    ]


def test_models_and_engines_and_no_threads(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.kind for name, each in found.items()} == {"jan:acme/tiny": "model", "jan:engine/b6000": "other"}


def test_a_folder_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / ".local/share/Jan/data").rename(home / "moved")
    assert "jan:acme/tiny" in makers.artifacts(home)
