"""Weights & Biases."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard.stores import wandb


def make(home: Path) -> None:
    """Runs of every sort, cached artifacts, and what waits to be uploaded."""
    runs = home / "project" / "wandb"
    for name in ("run-20260101_000000-aa", "offline-run-20260102_000000-bb", "offline-run-20260103_000000-cc"):
        makers.write(runs / name / f"run-{name[-2:]}.wandb", b"r" * 3000)
    makers.write(runs / "offline-run-20260103_000000-cc" / "run-cc.wandb.synced", b"")
    makers.write(home / ".cache/wandb/artifacts/obj/md5/ab/cdef", b"o" * 3000)
    makers.write(home / ".cache/wandb/artifacts/tmp/half", b"half")
    makers.write(home / ".local/share/wandb/artifacts/staging/up", b"u" * 3000)


def test_precedence_of_what_moves_it(home: Path) -> None:
    assert makers.places(wandb, home) == [("~/.cache/wandb", "default"), ("~/.local/share/wandb", "default")]
    assert makers.places(wandb, home, "macos")[0] == ("~/Library/Caches/wandb", "default")
    moved = makers.places(wandb, home, WANDB_CACHE_DIR="/c", WANDB_DATA_DIR="/d", WANDB_DIR="/r")
    assert moved == [("/c", "WANDB_CACHE_DIR"), ("/d", "WANDB_DATA_DIR"), ("/r/wandb", "WANDB_DIR")]


def test_what_was_never_synced_exists_nowhere_else(home: Path) -> None:
    make(home)
    found = {name.removeprefix("wandb:project/wandb/"): each for name, each in makers.artifacts(home).items()}
    assert {name: each.recovery for name, each in found.items()} == {
        "run-20260101_000000-aa": "re-get",
        "offline-run-20260102_000000-bb": "none",
        "offline-run-20260103_000000-cc": "re-get",
        "wandb:cache": "re-get",
        "wandb:#partial": "none",
        "wandb:staging": "none",
    }


def test_a_folder_called_wandb_without_runs_is_nobodys(home: Path) -> None:
    makers.write(home / "site-packages" / "wandb" / "__init__.py", "")
    assert not makers.artifacts(home)
