"""PaddleHub."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import paddlehub


def make(home: Path) -> None:
    """A module, a data set, a cached file, and the settings."""
    base = home / ".paddlehub"
    makers.write(base / "modules" / "lac" / "model.pdparams", b"w" * 4000)
    makers.write(base / "dataset" / "chnsenticorp" / "train.tsv", b"t" * 3000)
    makers.write(base / "cache" / "lac.tar.gz", b"z" * 2000)
    makers.write(base / "conf" / "config.yaml", "token: secret")


def test_precedence_of_what_moves_it(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(paddlehub, home, platform) == [("~/.paddlehub", "default")]
    assert makers.places(paddlehub, home, HUB_HOME="/h") == [("/h", "HUB_HOME")]


def test_modules_data_sets_and_no_settings(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.kind for name, each in found.items()} == {
        "paddlehub:modules/lac": "model",
        "paddlehub:dataset/chnsenticorp": "dataset",
        "paddlehub:cache/lac.tar.gz": "other",
    }
