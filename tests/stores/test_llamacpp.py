"""llama.cpp's flat cache."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import llamacpp


def make(home: Path) -> None:
    """A model, a split one, and a download under way."""
    cache = home / ".cache" / "llama.cpp"
    makers.write(cache / "acme_tiny_tiny-Q4_K_M.gguf", b"GGUF" * 1000)
    makers.write(cache / "acme_tiny_tiny-Q4_K_M.gguf.etag", "abc")
    for part in (1, 2):
        makers.write(cache / f"acme_big_big-0000{part}-of-00002.gguf", b"GGUF" * 1000)
    makers.write(cache / "acme_half_half.gguf.downloadInProgress", b"half")
    makers.write(cache / "manifest=acme=tiny=latest.json", "{}")


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(llamacpp, home) == [("~/.cache/llama.cpp", "default")]
    assert makers.places(llamacpp, home, "macos") == [("~/Library/Caches/llama.cpp", "default")]
    assert makers.places(llamacpp, home, "windows", LOCALAPPDATA="/l") == [("/l/llama.cpp", "default")]
    assert makers.places(llamacpp, home, LLAMA_CACHE="/c") == [("/c", "LLAMA_CACHE")]


def test_models_split_models_and_halves(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (len(each.blobs), len(each.pins), each.state) for name, each in found.items()} == {
        "llamacpp:acme_tiny_tiny-Q4_K_M": (1, 1, "complete"),
        "llamacpp:acme_big_big": (2, 0, "complete"),
        "llamacpp:#partial": (1, 0, "partial"),
    }


def test_a_cache_elsewhere_is_recognised_by_its_manifests(home: Path) -> None:
    make(home)
    (home / ".cache" / "llama.cpp").rename(home / "moved")
    assert "llamacpp:acme_big_big" in makers.artifacts(home)
