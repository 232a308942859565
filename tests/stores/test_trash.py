"""What waits to be purged is nothing else any more."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import trash


def make(home: Path) -> None:
    """A plan's folder in the trash, with a hub repository and a checkpoint in it."""
    base = home / ".local" / "share" / "modelyard" / ".modelyard-trash-1000" / "abc123"
    makers.hub_repo(base / "0000-hub", "models--acme--tiny", {"config.json": b"{}"})
    makers.trainer_checkpoint(base, 500)


def test_it_has_no_place_of_its_own(home: Path) -> None:
    assert makers.places(trash, home) == []


def test_what_lies_in_it_belongs_to_no_other_store(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert list(found) == ["trash:.local/share/modelyard/.modelyard-trash-1000/abc123"]
    (artifact,) = found.values()
    assert "modelyard purge" in artifact.detail
    assert artifact.recovery == "none"


def test_things_put_away_on_a_full_disk_lie_beside(home: Path) -> None:
    makers.write(home / ".modelyard-trash-0-abc123-0000-weights", b"w" * 5000)
    makers.write(home / "own", b"w")
    makers.write(home / ".modelyard-trash-0-def-0001-run" / "weights", b"w")
    assert list(makers.artifacts(home)) == [
        "trash:.modelyard-trash-0-abc123-0000-weights",
        "trash:.modelyard-trash-0-def-0001-run/weights",
    ]
