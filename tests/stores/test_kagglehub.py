"""kagglehub's versions and the markers that make them valid."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import kagglehub


def make(home: Path) -> None:
    """A model and a data set with markers, a data set without, a half downloaded model, a competition, a notebook."""
    base = home / ".cache" / "kagglehub"
    model = base / "models" / "acme" / "tiny" / "pyTorch" / "base"
    makers.write(model / "1" / "model.pt", b"w" * 5000)
    makers.write(model / "1.complete", b"")
    makers.write(model / "2.archive", b"half")
    data = base / "datasets" / "globex" / "crops"
    makers.write(data / "versions" / "3" / "crops.csv", b"c" * 3000)
    makers.write(data / "3.complete", b"")
    makers.write(data / "versions" / "4" / "crops.csv", b"c" * 100)
    makers.write(base / "competitions" / "titanic" / "train.csv", b"t" * 2000)
    makers.write(base / "notebooks" / "acme" / "run" / "output" / "versions" / "1" / "out.csv", b"o" * 2000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(kagglehub, home, platform) == [("~/.cache/kagglehub", "default")]
    assert makers.places(kagglehub, home, KAGGLEHUB_CACHE="/k") == [("/k", "KAGGLEHUB_CACHE")]


def test_only_a_marker_makes_a_version_whole(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name.removeprefix("kagglehub:"): each.state for name, each in found.items()} == {
        "models/acme/tiny/pyTorch/base/1": "complete",
        "models/acme/tiny/pyTorch/base/2.archive": "partial",
        "datasets/globex/crops/versions/3": "complete",
        "datasets/globex/crops/versions/4": "partial",
        "competitions/titanic": "complete",
        "notebooks/acme/run/output/versions/1": "complete",
    }
    assert len(found["kagglehub:datasets/globex/crops/versions/3"].pins) == 1
