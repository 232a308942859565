"""Pipenv's cache."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import pipenv


def make(home: Path) -> None:
    """Downloads, a wheel built here, and what the resolver knows."""
    cache = home / ".cache" / "pipenv"
    name = "a" * 56
    makers.write(cache / "http-v2" / Path(*name[:5]) / name, b"meta")
    makers.write(cache / "http-v2" / Path(*name[:5]) / f"{name}.body", b"PK" * 3000)
    makers.write(cache / "wheels/a1/b2/c3" / ("e" * 58) / "slow-1.2-py3-none-any.whl", b"PK" * 700)
    makers.write(cache / "pipenv-manifests" / "x.json", "{}")


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(pipenv, home) == [("~/.cache/pipenv", "default")]
    assert makers.places(pipenv, home, "macos") == [("~/Library/Caches/pipenv", "default")]
    assert makers.places(pipenv, home, "windows", LOCALAPPDATA="/l") == [("/l/pipenv/pipenv/Cache", "default")]
    assert makers.places(pipenv, home, XDG_CACHE_HOME="/x") == [("/x/pipenv", "XDG_CACHE_HOME")]
    assert makers.places(pipenv, home, PIPENV_CACHE_DIR="/p", XDG_CACHE_HOME="/x") == [("/p", "PIPENV_CACHE_DIR")]


def test_it_is_laid_out_as_pip_s_and_named_by_itself(home: Path) -> None:
    make(home)
    assert {name: each.recovery for name, each in makers.artifacts(home).items()} == {
        "pipenv:http": "re-get",
        "pipenv:wheel/slow-1.2-py3-none-any": "re-make",
        "pipenv:pipenv-manifests": "re-get",
    }


def test_a_cache_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / ".cache" / "pipenv").rename(home / "moved")
    assert "pipenv:http" in makers.artifacts(home)
