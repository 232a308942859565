"""NLTK's data."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import nltk


def make(home: Path) -> None:
    """A package packed and unpacked, one only packed, one half downloaded."""
    base = home / "nltk_data"
    makers.write(base / "corpora" / "words.zip", b"z" * 3000)
    makers.write(base / "corpora" / "words" / "en", b"w" * 4000)
    makers.write(base / "tokenizers" / "punkt.zip", b"p" * 3000)
    makers.write(base / "corpora" / "brown.zip.tmp", b"half")


def test_every_folder_that_it_looks_into(home: Path) -> None:
    named = [path for path, found_by in makers.places(nltk, home, NLTK_DATA="/a:~/b") if found_by == "NLTK_DATA"]
    assert named == ["/a", "~/b"]
    assert ("~/nltk_data", "default") in makers.places(nltk, home, "macos")
    assert ("~/AppData/Roaming/nltk_data", "default") in makers.places(nltk, home, "windows")
    assert makers.places(nltk, home, "windows", NLTK_DATA="C:/a;C:/b")[1][1] == "NLTK_DATA"


def test_an_unpacked_package_can_be_made_again_from_its_archive(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (each.state, each.recovery) for name, each in found.items()} == {
        "nltk:corpora/words.zip": ("complete", "re-get"),
        "nltk:corpora/words": ("complete", "re-make"),
        "nltk:tokenizers/punkt.zip": ("complete", "re-get"),
        "nltk:#partial": ("partial", "re-get"),
    }
