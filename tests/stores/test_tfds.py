"""tensorflow_datasets."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import tfds


def make(home: Path) -> None:
    """A prepared data set with and one without configuration, downloads, one by hand, one half prepared."""
    base = home / "tensorflow_datasets"
    for folder in ("mnist/3.0.1", "wiki/20240101.en/1.0.0"):
        makers.write(base / folder / "dataset_info.json", "{}")
        makers.write(base / folder / "features.json", "{}")
        makers.write(base / folder / "data-train.tfrecord-00000-of-00001", b"t" * 4000)
    makers.write(base / "downloads" / "images.zip", b"z" * 3000)
    makers.write(base / "downloads" / "manual" / "mine.csv", b"m" * 3000)
    makers.write(base / "incomplete.AB12CD_mnist" / "part", b"half")


def test_precedence_of_what_moves_it(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(tfds, home, platform) == [("~/tensorflow_datasets", "default")]
    assert makers.places(tfds, home, TFDS_DATA_DIR="/d") == [("/d", "TFDS_DATA_DIR")]


def test_prepared_downloaded_half_and_by_hand(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (each.state, each.recovery) for name, each in found.items()} == {
        "tfds:mnist/3.0.1": ("complete", "re-make"),
        "tfds:wiki/20240101.en/1.0.0": ("complete", "re-make"),
        "tfds:downloads/images.zip": ("complete", "re-get"),
        "tfds:downloads/manual": ("complete", "none"),
        "tfds:#partial": ("partial", "re-get"),
    }


def test_what_was_being_prepared_lies_in_the_folder_of_its_data_set(home: Path) -> None:
    base = home / "tensorflow_datasets"
    makers.write(base / "mnist" / "incomplete.TOXQ6A_3.0.1" / "mnist-train.tfrecord", b"half")
    makers.write(base / "wiki" / "20240101.en" / "incomplete.QWERTY_1.0.0" / "wiki-train.tfrecord", b"half")
    found = makers.artifacts(home)
    assert {name: (each.state, len(each.blobs)) for name, each in found.items()} == {"tfds:#partial": ("partial", 2)}


def test_a_half_download_lies_among_the_whole_ones(home: Path) -> None:
    base = home / "tensorflow_datasets" / "downloads"
    makers.write(base / f"a.zip.tmp.{'0' * 32}" / "a.zip", b"half" * 2000)
    makers.write(base / "mnist" / "b.zip", b"z" * 3000)
    makers.write(base / "mnist" / f"c.zip.tmp.{'1' * 32}" / "c.zip", b"half" * 2000)
    makers.write(base / "manual" / f"mine.tmp.{'2' * 32}", b"m" * 3000)
    found = makers.artifacts(home)
    assert {name: (each.state, each.recovery, len(each.blobs)) for name, each in found.items()} == {
        "tfds:downloads/mnist": ("complete", "re-get", 1),
        "tfds:downloads/manual": ("complete", "none", 1),
        "tfds:#partial": ("partial", "re-get", 2),
    }
    assert found["tfds:#partial"].sizes.freed > 16_000


def test_a_folder_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / "tensorflow_datasets").rename(home / "moved")
    assert makers.artifacts(home)["tfds:mnist/3.0.1"].root == str(home / "moved")
