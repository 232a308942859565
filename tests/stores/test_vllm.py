"""vLLM's caches."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import vllm


def make(home: Path) -> None:
    """Compiled graphs and downloaded assets."""
    base = home / ".cache" / "vllm"
    makers.write(base / "torch_compile_cache" / "abc" / "graph.py", b"g" * 4000)
    makers.write(base / "assets" / "video.mp4", b"v" * 3000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(vllm, home) == [("~/.cache/vllm", "default")]
    assert makers.places(vllm, home, XDG_CACHE_HOME="/x") == [("/x/vllm", "XDG_CACHE_HOME")]
    assert makers.places(vllm, home, XDG_CACHE_HOME="/x", VLLM_CACHE_ROOT="/v") == [("/v", "VLLM_CACHE_ROOT")]


def test_what_is_computed_and_what_is_downloaded(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (each.kind, each.recovery) for name, each in found.items()} == {
        "vllm:torch_compile_cache": ("compile cache", "re-make"),
        "vllm:assets": ("other", "re-get"),
    }
