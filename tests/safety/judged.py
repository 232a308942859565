"""Scans bytes as a file and tells what came out."""

from __future__ import annotations

import sys
from pathlib import Path

from modelyard.safety.files import scan_file
from modelyard.safety.finding import Scanned


def scanned(folder: Path, data: bytes, called: str = "model.pkl") -> Scanned:
    """What a scan says of a file with these bytes; fails when anything of it ran or was imported."""
    path = folder / called
    path.write_bytes(data)
    before = set(sys.modules)
    told = scan_file(str(path))
    imported = {each for each in set(sys.modules) - before if not each.startswith(("modelyard", "encodings"))}
    assert imported <= {"bz2", "_bz2", "lzma", "_lzma", "_compression"}, imported
    assert not (folder / "marker").exists(), "the payload ran"
    return told


def codes(told: Scanned) -> set[str]:
    """The codes of all findings."""
    return {each.code for each in told.findings}
