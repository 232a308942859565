"""Numba's compiled functions beside their sources and in folders of their own."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import numba


def compiled(folder: Path, module: str) -> None:
    """An index and the code of one function."""
    makers.write(folder / f"{module}.fast-12.py311.nbi", b"i" * 1000)
    makers.write(folder / f"{module}.fast-12.py311.1.nbc", b"c" * 5000)


def make(home: Path) -> None:
    """Beside a source, left of one that is gone, and in the user's cache."""
    makers.write(home / "work" / "sim.py", "")
    makers.write(home / "work" / "__pycache__" / "sim.cpython-311.pyc", b"p" * 500)
    compiled(home / "work" / "__pycache__", "sim")
    compiled(home / "work" / "__pycache__", "gone")
    compiled(home / ".cache" / "numba" / "sim_0123abcd", "sim")


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(numba, home) == [
        ("~/.cache/numba", "default"),
        ("~/.cache/ipython/numba_cache", "default of IPython"),
    ]
    assert makers.places(numba, home, "macos") == [
        ("~/Library/Caches/numba", "default"),
        ("~/.ipython/numba_cache", "default of IPython"),
    ]
    windows = makers.places(numba, home, "windows", LOCALAPPDATA="C:/L")[0]
    assert windows == ("C:/L/numba/Cache", "default")
    assert makers.places(numba, home, NUMBA_CACHE_DIR="/n")[0] == ("/n", "NUMBA_CACHE_DIR")


def test_only_what_numba_wrote_and_apart_where_its_source_is_gone(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: (each.state, len(each.rows)) for name, each in found.items()} == {
        "numba:work": ("complete", 2),
        "numba:work#orphan": ("orphan", 2),
        "numba:.cache/numba": ("complete", 1),
    }


def test_in_an_environment_it_goes_with_the_environment(home: Path) -> None:
    makers.write(home / "env" / "pyvenv.cfg", "home = /usr/bin\n")
    makers.write(home / "env" / "lib" / "umap.py", "")
    compiled(home / "env" / "lib" / "__pycache__", "umap")
    assert set(makers.artifacts(home)) == {"venv:env"}
