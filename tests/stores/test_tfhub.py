"""TF Hub modules."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import tfhub

NAME = "0" * 39 + "a"


def make(home: Path) -> None:
    """One module with its descriptor and lock, and one half downloaded."""
    base = home / "hub-modules"
    makers.write(base / NAME / "saved_model.pb", b"p" * 5000)
    makers.write(base / f"{NAME}.descriptor.txt", "Module: https://hub.example/acme/encoder/1\nDownload Time: now\n")
    makers.write(base / f"{NAME}.lock", b"")
    makers.write(base / f"{'1' * 40}.{'2' * 32}.tmp" / "saved_model.pb", b"half")


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(tfhub, home) == [("/tmp/tfhub_modules", "default")]
    assert makers.places(tfhub, home, "macos", TMPDIR="/var/t") == [("/var/t/tfhub_modules", "default")]
    assert makers.places(tfhub, home, "windows", TEMP="C:/T") == [("C:/T/tfhub_modules", "default")]
    assert makers.places(tfhub, home, TFHUB_CACHE_DIR="/h") == [("/h", "TFHUB_CACHE_DIR")]


def test_a_module_carries_the_address_it_came_from(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert found[f"tfhub:{NAME[:12]}"].title == "https://hub.example/acme/encoder/1"
    assert len(found[f"tfhub:{NAME[:12]}"].pins) == 2
    assert found["tfhub:#partial"].state == "partial"


def test_the_lock_of_a_half_module_goes_with_it(home: Path) -> None:
    base = home / "hub-modules"
    make(home)
    makers.write(base / f"{'1' * 40}.lock", b"")
    found = makers.artifacts(home)
    assert len(found["tfhub:#partial"].blobs) == 2
    assert len(found[f"tfhub:{NAME[:12]}"].pins) == 2
