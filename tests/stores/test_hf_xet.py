"""The cache of hf_xet."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import hf_xet

CACHE = Path(".cache/huggingface/xet")


def make(home: Path) -> None:
    """An endpoint with all its parts, and logs."""
    for part in ("shard-cache/a.mdb", "chunk-cache/ab/cd", "staging/shard-session/s.mdb"):
        makers.write(home / CACHE / "https___cas-0123456789abcdef" / part, b"x" * 3000)
    makers.write(home / CACHE / "logs" / "xet.log", b"l" * 2000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(hf_xet, home) == [("~/.cache/huggingface/xet", "default")]
    assert makers.places(hf_xet, home, HF_HOME="/h") == [("/h/xet", "HF_HOME")]
    assert makers.places(hf_xet, home, HF_HOME="/h", HF_XET_CACHE="/x") == [("/x", "HF_XET_CACHE")]


def test_uploads_under_way_are_precious_and_the_old_chunk_cache_is_dead(home: Path) -> None:
    make(home)
    found = {name.rpartition("/")[2]: each for name, each in makers.artifacts(home).items()}
    assert {name: each.recovery for name, each in found.items()} == {
        "shard-cache": "re-make",
        "chunk-cache": "re-get",
        "staging": "none",
        "hf-xet:logs": "re-make",
    }
    assert (found["chunk-cache"].state, found["shard-cache"].state) == ("orphan", "complete")
    assert "never reads it" in found["chunk-cache"].detail


def test_a_cache_elsewhere_is_recognised_by_an_endpoint(home: Path) -> None:
    make(home)
    (home / CACHE).rename(home / "moved")
    makers.write(home / "chunk-cache" / "other", b"o" * 3000)
    assert {each.root for each in makers.artifacts(home).values()} == {str(home / "moved")}
