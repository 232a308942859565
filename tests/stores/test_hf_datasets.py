"""The Arrow cache of datasets."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import hf_datasets

CACHE = Path(".cache/huggingface/datasets")


def make(home: Path) -> None:
    """A prepared data set with results of map, one half prepared, raw downloads."""
    whole = home / CACHE / "globex___crops" / "default" / "0.0.0" / ("a" * 40)
    makers.write(whole / "dataset_info.json", "{}")
    makers.write(whole / "crops-train.arrow", b"a" * 5000)
    makers.write(whole / "cache-0123456789abcdef.arrow", b"m" * 4000)
    makers.write(home / CACHE / "csv" / "default-1" / "0.0.0" / f"{'b' * 40}.incomplete" / "csv-train.arrow", b"half")
    makers.write(home / CACHE / "downloads" / ("c" * 64), b"d" * 3000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(hf_datasets, home) == [("~/.cache/huggingface/datasets", "default")]
    assert makers.places(hf_datasets, home, "macos", HF_HOME="/h") == [("/h/datasets", "HF_HOME")]
    moved = makers.places(hf_datasets, home, HF_HOME="/h", HF_DATASETS_CACHE="/d")
    assert moved == [("/d", "HF_DATASETS_CACHE")]
    apart = makers.places(hf_datasets, home, HF_DATASETS_DOWNLOADED_DATASETS_PATH="/raw")
    assert apart[1] == ("/raw", "HF_DATASETS_DOWNLOADED_DATASETS_PATH")


def test_prepared_half_prepared_and_raw(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (each.state, each.recovery) for name, each in found.items()} == {
        f"hf-datasets:globex/crops/default/0.0.0/{'a' * 12}": ("complete", "re-make"),
        f"hf-datasets:csv/default-1/0.0.0/{'b' * 12}": ("partial", "re-make"),
        "hf-datasets:downloads": ("complete", "re-get"),
    }
    assert "1 results of map" in found[f"hf-datasets:globex/crops/default/0.0.0/{'a' * 12}"].detail


def test_a_cache_elsewhere_is_recognised_and_what_a_person_saved_is_not(home: Path) -> None:
    make(home)
    (home / CACHE).rename(home / "moved")
    saved = home / "a" / "b" / "c" / "d" / "mine"
    for name in ("dataset_info.json", "state.json", "data-00000-of-00001.arrow"):
        makers.write(saved / name)
    found = makers.artifacts(home)
    assert {each.root for each in found.values()} == {str(home / "moved")}
