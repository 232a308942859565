"""Keras downloads."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import keras


def make(home: Path) -> None:
    """Weights, a data set packed and unpacked, and the settings."""
    base = home / ".keras"
    makers.write(base / "keras.json", "{}")
    makers.write(base / "models" / "vgg16_weights.h5", b"w" * 5000)
    makers.write(base / "datasets" / "flowers.tgz", b"z" * 4000)
    makers.write(base / "datasets" / "flowers_extracted" / "rose.jpg", b"r" * 4000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(keras, home, "windows") == [("~/.keras", "default")]
    for platform in ("linux", "macos"):
        assert makers.places(keras, home, platform)[0] == ("~/.keras", "default")
        assert makers.places(keras, home, platform)[1][0] == "/tmp/.keras"
    assert makers.places(keras, home, KERAS_HOME="/k")[0] == ("/k", "KERAS_HOME")


def test_weights_data_sets_and_what_was_unpacked(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (each.kind, each.recovery) for name, each in found.items()} == {
        "keras:models/vgg16_weights.h5": ("model", "re-get"),
        "keras:datasets/flowers.tgz": ("dataset", "re-get"),
        "keras:datasets/flowers_extracted": ("dataset", "re-make"),
    }


def test_an_archive_is_never_called_what_was_unpacked_from_it(home: Path) -> None:
    """`get_file(extract=True)` keeps the archive as NAME_archive beside the folder NAME."""
    base = home / ".keras" / "datasets"
    makers.write(base / "flower_photos.tgz_archive", b"z" * 4000)
    makers.write(base / "flower_photos.tgz" / "rose.jpg", b"r" * 4000)
    makers.write(base / "mine_extracted" / "a.jpg", b"r" * 4000)
    assert {name: each.recovery for name, each in makers.artifacts(home).items()} == {
        "keras:datasets/flower_photos.tgz_archive": "re-get",
        "keras:datasets/flower_photos.tgz": "re-make",
        "keras:datasets/mine_extracted": "re-get",
    }


def test_a_folder_elsewhere_is_recognised_by_the_settings(home: Path) -> None:
    make(home)
    (home / ".keras").rename(home / "moved")
    assert "keras:models/vgg16_weights.h5" in makers.artifacts(home)


def test_a_lone_settings_file_is_no_store(home: Path) -> None:
    makers.write(home / "project" / "keras.json", "{}")
    assert not makers.artifacts(home)
