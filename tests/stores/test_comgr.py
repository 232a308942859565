"""What AMD's code object manager compiled."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import comgr


def make(home: Path) -> None:
    """A cached code object."""
    makers.write(home / ".cache" / "comgr" / "llvmcache-0123", b"k" * 6000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(comgr, home) == [("~/.cache/comgr", "default")]
    assert makers.places(comgr, home, XDG_CACHE_HOME="/x") == [("/x/comgr", "XDG_CACHE_HOME")]
    assert makers.places(comgr, home, AMD_COMGR_CACHE_DIR="/c") == [("/c", "AMD_COMGR_CACHE_DIR")]
    assert makers.places(comgr, home, "windows", LOCALAPPDATA="C:/L") == [("C:/L/comgr", "default")]


def test_what_was_compiled(home: Path) -> None:
    make(home)
    assert set(makers.artifacts(home)) == {"comgr:kernels"}
