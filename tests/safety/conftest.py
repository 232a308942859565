"""In every test of a scan, whatever the short way of plain pickles answers is held against the long way."""

from __future__ import annotations

import pytest

from modelyard.safety import files, folders, pickles, torch_files
from safety.shortcut import agreed, agreed_whole, glanced


@pytest.fixture(autouse=True)
def both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test where the two ways differ."""
    for module in (files, folders):
        monkeypatch.setattr(module, "glance", glanced)
    for module in (files, pickles, torch_files):
        monkeypatch.setattr(module, "followed", agreed)
    monkeypatch.setattr("modelyard.safety.glance.followed_whole", agreed_whole)
