"""Caches of old transformers."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import transformers_legacy


def make(home: Path) -> None:
    """A flat download with its note, and one without."""
    cache = home / ".cache" / "huggingface" / "transformers"
    makers.write(cache / f"{'a' * 64}.{'b' * 64}", b"w" * 5000)
    makers.write(cache / f"{'a' * 64}.{'b' * 64}.json", '{"url": "https://hub.example/bert/model.bin", "etag": "x"}')
    makers.write(cache / f"{'a' * 64}.{'b' * 64}.lock", b"")
    makers.write(cache / f"{'c' * 64}.{'d' * 64}.h5", b"w" * 4000)


def test_every_place_of_every_version(home: Path) -> None:
    named = [path for path, _ in makers.places(transformers_legacy, home)]
    assert named == [
        "~/.cache/huggingface/transformers",
        "~/.cache/torch/transformers",
        "~/.cache/torch/pytorch_transformers",
        "~/.pytorch_pretrained_bert",
    ]
    moved = makers.places(transformers_legacy, home, "macos", TRANSFORMERS_CACHE="/t", TORCH_HOME="/h", HF_HOME="/f")
    assert moved[:3] == [
        ("/t", "TRANSFORMERS_CACHE"),
        ("/f/transformers", "HF_HOME"),
        ("/h/transformers", "TORCH_HOME"),
    ]


def test_a_file_by_the_address_it_came_from(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert found[f"transformers-legacy:{'a' * 12}"].title == "https://hub.example/bert/model.bin"
    assert len(found[f"transformers-legacy:{'a' * 12}"].pins) == 2
    assert {each.state for each in found.values()} == {"orphan"}
    assert len(found) == 2
