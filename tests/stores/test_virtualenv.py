"""virtualenv's own folder."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import virtualenv


def make(home: Path) -> None:
    """Wheels that it seeds environments with, and what it knows of Pythons."""
    cache = home / ".cache" / "virtualenv"
    makers.write(cache / "wheel/house/pip-26.3-py3-none-any.whl", b"PK" * 3000)
    makers.write(cache / "wheel/3.11/image/1/CopyPipInstall/pip-26.3-py3-none-any/pip/__init__.py")
    makers.write(cache / "py_info/5" / f"{'a' * 64}.json", "{}")


def test_precedence_of_what_moves_it(home: Path) -> None:
    old = "default of old versions"
    assert makers.places(virtualenv, home) == [("~/.cache/virtualenv", "default"), ("~/.local/share/virtualenv", old)]
    assert makers.places(virtualenv, home, "macos") == [
        ("~/Library/Caches/virtualenv", "default"),
        ("~/Library/Application Support/virtualenv", old),
    ]
    assert makers.places(virtualenv, home, "windows", LOCALAPPDATA="/l") == [
        ("/l/pypa/virtualenv/Cache", "default"),
        ("/l/pypa/virtualenv", old),
    ]
    named = {"VIRTUALENV_OVERRIDE_APP_DATA": "/v", "XDG_CACHE_HOME": "/x"}
    assert makers.places(virtualenv, home, "linux", **named) == [("/v", "VIRTUALENV_OVERRIDE_APP_DATA")]


def test_its_parts_come_back_from_the_index(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.recovery for name, each in found.items()} == {
        "virtualenv:wheel": "re-get",
        "virtualenv:py_info": "re-get",
    }


def test_a_folder_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / ".cache" / "virtualenv").rename(home / "moved")
    assert "virtualenv:wheel" in makers.artifacts(home)
