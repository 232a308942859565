"""In every test of a scan, whatever the short way of plain pickles answers is held against the long way."""

from __future__ import annotations

import pytest

from modelyard.safety import files, pickles, torch_files
from safety.shortcut import agreed, nothing_found


@pytest.fixture(autouse=True)
def both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test where the two ways differ."""
    monkeypatch.setattr(files, "_is_nothing", nothing_found)
    for module in (files, pickles, torch_files):
        monkeypatch.setattr(module, "followed", agreed)
