"""Poetry's cache and Pythons."""

from __future__ import annotations

from pathlib import Path

import pytest

import makers
import prefixes
from modelyard import api
from modelyard.inventory import Root
from modelyard.problem import Problem
from modelyard.stores import poetry


def make(home: Path) -> None:
    """Downloads, what is known of two repositories, a checkout, and a Python."""
    cache = home / ".cache" / "pypoetry"
    makers.write(cache / "artifacts/2b/10/0c" / ("e" * 58) / "tiny-1.0-py3-none-any.whl", b"PK" * 3000)
    for name in ("PyPI", "_default_cache"):
        makers.write(cache / "cache/repositories" / name / "50/ed/1e/cb/6f" / ("f" * 64), b"{}" * 900)
    makers.write(cache / "src" / "tiny" / ".git" / "HEAD", "ref: refs/heads/main\n")
    makers.write(home / ".local/share/pypoetry/python/cpython@3.12.5/bin/python3", b"\x7fELF" * 900)


@pytest.mark.parametrize(
    ("platform", "cache", "pythons"),
    [
        ("linux", "~/.cache/pypoetry", "~/.local/share/pypoetry/python"),
        ("macos", "~/Library/Caches/pypoetry", "~/Library/Application Support/pypoetry/python"),
        ("windows", "~/AppData/Local/pypoetry/Cache", "~/AppData/Roaming/pypoetry/python"),
    ],
)
def test_where_it_keeps_things(platform: str, cache: str, pythons: str, home: Path) -> None:
    found = makers.places(poetry, home, platform)  # type: ignore[arg-type]
    assert found == [(cache, "default"), (pythons, "default")]


def test_precedence_of_what_moves_it(home: Path) -> None:
    path = makers.write(
        home / ".config/pypoetry/config.toml",
        'cache-dir = "/c"\ndata-dir = "/d"\n[python]\ninstallation-dir = "{data-dir}/snakes"\n',
    )
    assert makers.named(poetry, home) == [Root("/c", str(path)), Root("/d/snakes", str(path))]
    variables = {"POETRY_CACHE_DIR": "/pc", "POETRY_DATA_DIR": "/pd"}
    assert [root.path for root in makers.named(poetry, home, "linux", **variables)] == ["/pc", "/pd/snakes"]
    assert makers.named(poetry, home, POETRY_PYTHON_INSTALLATION_DIR="/p")[1].path == "/p"
    assert makers.named(poetry, home, POETRY_CONFIG_DIR="/nothing", POETRY_HOME="/h")[1].path == "/h/python"


def test_broken_settings_are_one_problem_and_the_defaults_count(home: Path) -> None:
    makers.write(home / ".config/pypoetry/config.toml", "virtualenvs = 7\n")
    problem, cache, _ = poetry.roots({}, home, "linux")
    assert isinstance(problem, Problem)
    assert isinstance(cache, Root)
    assert cache.path == f"{home}/.cache/pypoetry"
    found = api.survey({}, home, "linux", system=False)
    assert [each.code for each in found.problems] == ["unreadable-settings"]


def test_its_parts_are_told_apart(home: Path) -> None:
    make(home)
    found = makers.artifacts(home)
    assert {name: each.recovery for name, each in found.items()} == {
        "poetry:artifacts": "re-get",
        "poetry:repositories/PyPI": "re-get",
        "poetry:repositories/_default_cache": "re-get",
        "poetry:src/tiny": "none",
        "poetry:python/cpython@3.12.5": "re-get",
    }
    assert "`poetry cache clear` leaves these" in found["poetry:artifacts"].detail


def test_environments_in_the_cache_are_not_cache(home: Path) -> None:
    make(home)
    prefixes.environment(home / ".cache/pypoetry/virtualenvs/vision-AAAAAAAA-py3.11")
    found = makers.artifacts(home)
    (alone,) = (each for each in found.values() if each.store == "venv")
    assert alone.sizes.freed == alone.sizes.allocated > 0
    rows = {row for each in found.values() if each.store == "poetry" for row in each.rows}
    assert not rows & set(alone.rows)


def test_a_cache_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / ".cache" / "pypoetry").rename(home / "moved")
    assert "poetry:artifacts" in makers.artifacts(home)
