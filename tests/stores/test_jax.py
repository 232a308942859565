"""JAX's compilation cache and its own times of use."""

from __future__ import annotations

import os
from pathlib import Path

import makers
from modelyard.stores import jax


def make(home: Path) -> None:
    """Two programs with their times of use, wherever they lie."""
    for name in ("jit_step-1a", "jit_init-2b"):
        makers.write(home / "project" / "jax_cache" / f"{name}-cache", b"p" * 4000)
        makers.write(home / "project" / "jax_cache" / f"{name}-atime", (10**18).to_bytes(8, "little"))


def test_only_a_variable_names_it(home: Path) -> None:
    assert makers.places(jax, home) == []
    assert makers.places(jax, home, JAX_COMPILATION_CACHE_DIR="/j") == [("/j", "JAX_COMPILATION_CACHE_DIR")]
    assert makers.places(jax, home, JAX_COMPILATION_CACHE_DIR="gs://bucket/j") == []


def test_its_own_times_tell_the_last_use(home: Path) -> None:
    make(home)
    for path in (home / "project" / "jax_cache").iterdir():
        os.utime(path, ns=(10**18, 10**18))
    os.utime(home / "project/jax_cache/jit_step-1a-atime", ns=(12 * 10**17, 12 * 10**17))
    found = makers.artifacts(home)["jax:cache"]
    assert found.detail == "2 programs"
    assert found.last_used is not None
    assert (found.last_used.at, found.last_used.confidence) == (12 * 10**17, "high")


def test_a_cache_without_a_limit_keeps_no_times_and_is_recognised_all_the_same(home: Path) -> None:
    makers.write(home / "project" / "programs" / f"jit_step-{'1a' * 32}-cache", b"p" * 4000)
    makers.write(home / "project" / "my-cache", b"p")
    makers.write(home / "other" / f"jit_step-{'1a' * 32}-cache" / "inner", b"p")
    found = makers.artifacts(home)
    assert {name: (each.root, each.detail) for name, each in found.items()} == {
        "jax:cache": (str(home / "project" / "programs"), "1 programs")
    }


def test_a_time_without_its_program_is_no_cache(home: Path) -> None:
    makers.write(home / "notes-atime", b"x")
    assert not makers.artifacts(home)
