"""Assets of libraries beside the hub cache."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import hf_assets


def make(home: Path) -> None:
    """Two subfolders of a library, a file where folders belong, and the secrets of the same place."""
    base = home / ".cache" / "huggingface"
    makers.write(base / "assets" / "datasets" / "SQuAD" / "download" / "raw.bin", b"a" * 5000)
    makers.write(base / "assets" / "datasets" / "SQuAD" / "extracted" / "a.txt", b"a" * 4000)
    makers.write(base / "assets" / "index.json", "{}")
    makers.write(base / "token", "secret")
    makers.write(base / "stored_tokens", "secret")


def test_precedence_of_what_moves_it(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(hf_assets, home, platform) == [("~/.cache/huggingface/assets", "default")]
    assert makers.places(hf_assets, home, XDG_CACHE_HOME="/x") == [("/x/huggingface/assets", "XDG_CACHE_HOME")]
    assert makers.places(hf_assets, home, HF_HOME="/f", XDG_CACHE_HOME="/x") == [("/f/assets", "HF_HOME")]
    both = makers.places(hf_assets, home, HF_ASSETS_CACHE="/a", HUGGINGFACE_ASSETS_CACHE="/b", HF_HOME="/f")
    assert both == [("/a", "HF_ASSETS_CACHE")]
    assert makers.places(hf_assets, home, HUGGINGFACE_ASSETS_CACHE="/b") == [("/b", "HUGGINGFACE_ASSETS_CACHE")]


def test_one_a_subfolder_of_a_library(home: Path) -> None:
    make(home)
    names = {"datasets/SQuAD/download", "datasets/SQuAD/extracted", "index.json"}
    assert set(makers.artifacts(home)) == {f"hf-assets:{name}" for name in names}
