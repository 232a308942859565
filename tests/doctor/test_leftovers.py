"""Locks that nobody holds, and downloads that nobody finishes."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

import makers
from doctor.patients import age, only, run, told

TORCH = ".cache/torch_extensions"
HUB = ".cache/huggingface/hub"
MODULE = "0" * 40


def test_a_lock_of_torch_extensions_hangs_every_program_and_its_command_frees_them(home: Path) -> None:
    lock = age(makers.write(home / TORCH / "py311_cu124/my 'op'/lock", b""), 2)
    found = only(told("stale-lock", home))
    assert (found.severity, found.place) == ("fault", f"~/{TORCH}/py311_cu124/my 'op'/lock")
    assert "without end" in found.consequence
    run(found.command, home)
    assert not lock.exists()
    assert lock.parent.is_dir()
    assert not told("stale-lock", home)


def test_a_lock_in_the_old_layout_is_found_too(home: Path) -> None:
    age(makers.write(home / TORCH / "fused_adam/lock", b""), 2)
    assert only(told("stale-lock", home)).place.endswith("fused_adam/lock")


def test_a_young_lock_may_be_held(home: Path) -> None:
    makers.write(home / TORCH / "py311_cu124/op/lock", b"")
    assert not told("stale-lock", home)


def test_a_lock_of_tf_hub_counts_only_without_its_module(home: Path) -> None:
    env = {"TFHUB_CACHE_DIR": f"{home}/tfhub"}
    age(makers.write(home / "tfhub" / f"{MODULE}.lock", "other.4242.beef"), 2)
    assert "ten minutes" in only(told("stale-lock", home, env)).consequence
    makers.write(home / "tfhub" / MODULE / "saved_model.pb")
    assert not told("stale-lock", home, env)


@pytest.mark.parametrize("name", ["abc.lock.soft", "abc.lock"])
def test_a_soft_lock_of_the_hub_names_a_holder_that_is_gone(name: str, home: Path) -> None:
    age(makers.write(home / HUB / ".locks/models--acme--tiny" / name, "4194304\nelsewhere\n"), 2)
    assert only(told("stale-lock", home)).place.endswith(name)


def test_a_soft_lock_of_a_living_process_is_no_fault(home: Path) -> None:
    holder = f"{os.getpid()}\n{socket.gethostname()}\n"
    age(makers.write(home / HUB / ".locks/models--acme--tiny/abc.lock", holder), 2)
    assert not told("stale-lock", home)


@pytest.mark.parametrize(
    "path",
    [
        f"{HUB}/.locks/models--acme--tiny/abc.lock",
        ".cache/huggingface/datasets/_home_x.lock",
        ".triton/cache/lock",
        ".cache/uv/.lock",
        f"{HUB}/models--acme--tiny/lock",
    ],
)
def test_locks_of_the_systems_own_kind_say_nothing(path: str, home: Path) -> None:
    age(makers.write(home / path, b""), 400)
    assert not told("stale-lock", home)


def test_old_halves_of_downloads_are_a_note(home: Path) -> None:
    makers.hub_repo(home / HUB, "models--acme--tiny", {"w": b"w"})
    half = makers.write(home / HUB / "models--acme--tiny/blobs" / f"{'a' * 64}.12345678.incomplete", b"h" * 50_000)
    age(half, 6)
    assert not told("old-partials", home)
    age(half, 8)
    found = only(told("old-partials", home))
    assert (found.severity, found.command) == (
        "note",
        f"modelyard ls --store hf --state partial --older 7d --home {home}",
    )


def test_thousands_of_locks_are_each_told_with_their_own_command(home: Path) -> None:
    for number in range(1500):
        age(makers.write(home / TORCH / f"py311_cu124/op {number}/lock", b""), 2)
    found = told("stale-lock", home)
    assert len({each.command for each in found}) == 1500
