"""uv's cache."""

from __future__ import annotations

import os
from pathlib import Path

import makers
from modelyard import api
from modelyard.stores import uv


def make(home: Path) -> None:
    """Buckets of a new and an old uv, with an environment that shares a file."""
    cache = home / ".cache" / "uv"
    makers.write(cache / "CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55")
    library = makers.write(cache / "archive-v0" / "abc" / "lib.so", b"l" * 90_000)
    for bucket in ("wheels-v5", "wheels-v6", "sdists-v9", "environments-v1", "environments-v2"):
        makers.write(cache / bucket / "thing", b"t" * 3000)
    (home / "installed").mkdir()
    os.link(library, home / "installed" / "lib.so")


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(uv, home, "macos") == [("~/.cache/uv", "default")]
    assert makers.places(uv, home, "windows", LOCALAPPDATA="/l") == [("/l/uv/cache", "default")]
    assert makers.places(uv, home, UV_CACHE_DIR="/u", XDG_CACHE_HOME="/x") == [("/u", "UV_CACHE_DIR")]
    (home / "Library" / "Caches" / "uv").mkdir(parents=True)
    assert makers.places(uv, home, "macos") == [("~/Library/Caches/uv", "default of old versions")]


def test_old_buckets_are_dead_and_shared_files_stay(home: Path) -> None:
    make(home)
    survey = api.survey({}, home, "linux", system=False)
    found = {each.id: each for each in survey.artifacts}
    assert found["uv:wheels-v5"].state == "orphan"
    assert found["uv:wheels-v6"].state == "complete"
    assert found["uv:environments-v1"].state == "complete"  # an older uv's projects may still live in it
    assert (found["uv:environments-v2"].kind, found["uv:environments-v2"].recovery) == ("environment", "re-solve")
    assert found["uv:archive-v0"].sizes.freed < 90_000 < found["uv:archive-v0"].sizes.allocated


def test_a_cache_elsewhere_is_recognised(home: Path) -> None:
    make(home)
    (home / ".cache" / "uv").rename(home / "moved")
    assert "uv:archive-v0" in makers.artifacts(home)
