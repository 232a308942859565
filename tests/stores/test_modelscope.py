"""ModelScope's layouts, old and new."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import modelscope

CACHE = Path(".cache/modelscope")


def make(home: Path) -> None:
    """A revision in the new layout, a model and a data set in the old ones, one half downloaded."""
    base = home / CACHE
    makers.write(base / "models" / "acme--tiny" / "snapshots" / "master" / "model.safetensors", b"w" * 5000)
    makers.write(base / "hub" / "models" / "globex" / "Qwen2___5" / "model.bin", b"v" * 5000)
    makers.write(base / "hub" / "datasets" / "globex" / "crops" / "train.csv", b"c" * 3000)
    makers.write(base / "hub" / "acme" / "older" / "model.bin", b"o" * 3000)
    makers.write(base / "models" / "acme--half" / "snapshots" / "v1" / "model.bin.incomplete", b"half")


def test_precedence_of_what_moves_it(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(modelscope, home, platform) == [("~/.cache/modelscope", "default")]
    named = makers.places(modelscope, home, MODELSCOPE_CACHE="/m", MS_CACHE_HOME="/old")
    assert named == [("/m", "MODELSCOPE_CACHE")]
    assert makers.places(modelscope, home, MS_CACHE_HOME="/old") == [("/old", "MS_CACHE_HOME")]


def test_a_half_file_in_an_inner_folder_is_never_passed_over(home: Path) -> None:
    snapshot = home / CACHE / "models" / "acme--deep" / "snapshots" / "master"
    makers.write(snapshot / "config.json", b"{}")
    makers.write(snapshot / "onnx" / "fp16" / "model.onnx.incomplete", b"half")
    assert makers.artifacts(home)["modelscope:model/acme/deep@master"].state == "partial"


def test_layouts_of_all_ages(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (each.kind, each.state) for name, each in found.items()} == {
        "modelscope:model/acme/tiny@master": ("model", "complete"),
        "modelscope:model/acme/half@v1": ("model", "partial"),
        "modelscope:model/globex/Qwen2.5": ("model", "complete"),
        "modelscope:dataset/globex/crops": ("dataset", "complete"),
        "modelscope:model/acme/older": ("model", "complete"),
    }
