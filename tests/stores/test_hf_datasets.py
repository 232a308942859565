"""The Arrow cache of datasets."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard import api
from modelyard.stores import hf_datasets

CACHE = Path(".cache/huggingface/datasets")


def make(home: Path) -> None:
    """A prepared data set with results of map, one half prepared, downloads of every sort, and what a person saved."""
    whole = home / CACHE / "globex___crops" / "default" / "0.0.0" / ("a" * 40)
    makers.write(whole / "dataset_info.json", "{}")
    makers.write(whole / "crops-train.arrow", b"a" * 5000)
    makers.write(whole / "cache-0123456789abcdef.arrow", b"m" * 4000)
    makers.write(home / CACHE / "csv" / "default-1" / "0.0.0" / f"{'b' * 40}.incomplete" / "csv-train.arrow", b"half")
    makers.write(whole.with_name(whole.name + "_builder.lock"), "")
    makers.write(whole.with_name(whole.name + ".incomplete_info.lock"), "")
    makers.write(home / CACHE / (str(whole).replace("/", "_") + ".lock"), "")
    makers.write(home / CACHE / "downloads" / ("c" * 64), b"d" * 3000)
    makers.write(home / CACHE / "downloads" / f"{'d' * 64}.incomplete", b"half")
    makers.write(home / CACHE / "downloads" / "extracted" / ("e" * 64) / "a.txt", b"a" * 3000)
    save(home / "work" / "mine")


def save(folder: Path) -> None:
    """What `save_to_disk` writes for one split."""
    for name in ("dataset_info.json", "state.json", "data-00000-of-00001.arrow"):
        makers.write(folder / name, b"d" * 3000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(hf_datasets, home) == [("~/.cache/huggingface/datasets", "default")]
    assert makers.places(hf_datasets, home, "macos", HF_HOME="/h") == [("/h/datasets", "HF_HOME")]
    moved = makers.places(hf_datasets, home, HF_HOME="/h", HF_DATASETS_CACHE="/d")
    assert moved == [("/d", "HF_DATASETS_CACHE")]
    apart = makers.places(hf_datasets, home, HF_DATASETS_DOWNLOADED_DATASETS_PATH="/raw")
    assert apart[1] == ("/raw", "HF_DATASETS_DOWNLOADED_DATASETS_PATH")
    apart = makers.places(hf_datasets, home, HF_DATASETS_EXTRACTED_DATASETS_PATH="/out")
    assert apart[1] == ("/out", "HF_DATASETS_EXTRACTED_DATASETS_PATH")


def test_prepared_half_prepared_and_raw(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (each.state, each.recovery) for name, each in found.items()} == {
        f"hf-datasets:globex/crops/default/0.0.0/{'a' * 12}": ("complete", "re-make"),
        f"hf-datasets:csv/default-1/0.0.0/{'b' * 12}": ("partial", "re-make"),
        "hf-datasets:downloads": ("complete", "re-get"),
        "hf-datasets:downloads/extracted": ("complete", "re-make"),
        "hf-datasets:#partial": ("partial", "re-get"),
        "hf-datasets:work/mine": ("complete", "none"),
    }
    assert len(found[f"hf-datasets:globex/crops/default/0.0.0/{'a' * 12}"].pins) == 3
    assert "1 results of map" in found[f"hf-datasets:globex/crops/default/0.0.0/{'a' * 12}"].detail


def test_what_a_generator_made_has_no_fingerprint_and_is_found_all_the_same(home: Path) -> None:
    made = home / CACHE / "generator"
    for name in ("dataset_info.json", "generator-train.arrow", "cache-0123456789abcdef.arrow"):
        makers.write(made / "default-1" / "0.0.0" / name, b"{}")
    makers.write(made / "default-2" / "0.0.0.incomplete" / "generator-train-00000-00000-of-NNNNN.arrow", b"half")
    expected = {
        "hf-datasets:generator/default-1/0.0.0": ("complete", "1 results of map and filter"),
        "hf-datasets:generator/default-2/0.0.0.incomplete": ("partial", ""),
    }
    assert {name: (each.state, each.detail) for name, each in makers.artifacts(home).items()} == expected
    (home / CACHE).rename(home / "moved")
    found = makers.artifacts(home)
    assert set(found) == set(expected)
    assert {each.root for each in found.values()} == {str(home / "moved")}


def test_a_cache_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / CACHE).rename(home / "moved")
    found = makers.artifacts(home)
    assert {each.root for each in found.values()} == {str(home / "moved"), str(home / "work" / "mine")}


def test_what_a_person_saved_is_never_taken_for_a_cache(home: Path) -> None:
    """It has the same files as a cache, and nothing makes it again."""
    save(home / "a" / "b" / "c" / "d" / "one")
    makers.write(home / "splits" / "dataset_dict.json", '{"splits": ["train", "test"]}')
    save(home / "splits" / "train")
    save(home / "splits" / "test")
    found = makers.artifacts(home)
    assert {name: each.recovery for name, each in found.items()} == {
        "hf-datasets:a/b/c/d/one": "none",
        "hf-datasets:splits": "none",
    }


def test_what_processes_left_among_temporary_files(home: Path) -> None:
    makers.write(home / "tmp" / "hf_datasets-ab12cd" / "cache-0123.arrow", b"a" * 3000)
    makers.write(home / "tmp" / "other" / "file", b"a" * 3000)
    found = makers.artifacts(home, TMPDIR=str(home / "tmp"))
    assert {name: each.recovery for name, each in found.items()} == {"hf-datasets:tmp/hf_datasets-ab12cd": "re-make"}


def test_downloads_where_variables_say(home: Path) -> None:
    makers.write(home / "raw" / ("c" * 64), b"d" * 3000)
    makers.write(home / "out" / ("e" * 64) / "a.txt", b"a" * 3000)
    moved = {
        "HF_DATASETS_DOWNLOADED_DATASETS_PATH": str(home / "raw"),
        "HF_DATASETS_EXTRACTED_DATASETS_PATH": str(home / "out"),
    }
    found = api.survey(moved, home, "linux", system=False).artifacts
    assert {each.id for each in found} == {"hf-datasets:downloads", "hf-datasets:downloads/extracted"}
