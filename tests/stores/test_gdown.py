"""gdown's cache."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import gdown

NAME = "https-COLON--SLASH--SLASH-drive.google.com-SLASH-uc-QUESTION-id-EQUAL-1abc"


def make(home: Path) -> None:
    """A download, half of one of a new and of an old version, and the cookies."""
    base = home / ".cache" / "gdown"
    makers.write(base / NAME, b"w" * 5000)
    makers.write(base / ".https-COLON-.x1y2.gdown" / "dl", b"half")
    makers.write(base / "tmpab12cd3_" / "dl", b"half")
    makers.write(base / "cookies.txt", "secret")
    makers.write(base / "_dl_lock", "")


def test_nothing_moves_it(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(gdown, home, platform, XDG_CACHE_HOME="/x") == [("~/.cache/gdown", "default")]


def test_a_download_by_the_address_that_its_name_spells(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert found[f"gdown:{NAME}"].title == "https://drive.google.com/uc?id=1abc"
    assert len(found["gdown:#partial"].blobs) == 2
    assert len(found) == 2
