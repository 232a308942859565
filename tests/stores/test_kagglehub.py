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
    makers.write(base / "competitions" / "titanic.complete", b"")
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


def test_archives_that_were_never_unpacked_lie_a_folder_higher(home: Path) -> None:
    base = home / ".cache" / "kagglehub"
    archives = (
        "datasets/globex/crops/3.archive",
        "competitions/titanic.archive",
        "notebooks/acme/run/output-{handle.version!s}.archive",
    )
    for name in archives:
        makers.write(base / name, b"z" * 3000)
    found = makers.artifacts(home)
    assert {name: each.state for name, each in found.items()} == {f"kagglehub:{name}": "partial" for name in archives}


def test_files_that_were_fetched_one_by_one_are_no_half_download(home: Path) -> None:
    data = home / ".cache/kagglehub/datasets/globex/crops"
    makers.write(data / "versions" / "5" / "one.csv", b"c" * 3000)
    makers.write(data / ".complete" / "5" / "one.csv.complete", b"")
    found = makers.artifacts(home)
    assert set(found) == {"kagglehub:datasets/globex/crops/versions/5"}
    assert {(each.state, each.detail, len(each.pins)) for each in found.values()} == {
        ("complete", "single files of it", 1)
    }


def test_a_notebooks_marker_is_of_all_its_versions_and_proves_nothing(home: Path) -> None:
    base = home / ".cache/kagglehub/notebooks/acme/run"
    makers.write(base / "output-{handle.version!s}.complete", b"")
    for number in ("1", "2"):
        makers.write(base / "output" / "versions" / number / "out.csv", b"o" * 2000)
    assert [(each.state, each.pins) for each in makers.artifacts(home).values()] == [("complete", ())] * 2
