"""Registries of one's own models: a version each, what aliases mean, and bytes that versions share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import makers
import modelyard as my
from modelyard import api


def make(home: Path) -> None:
    """Two models, one with two versions of the same weights, an alias, and a save that was killed."""
    registry = my.Registry(home / "work" / "models")
    for name, seed in (("net", 0), ("net", 0), ("team/other", 1)):
        registry.save({"w": np.random.default_rng(seed).random(5000)}, name, task="classify")
    registry.alias("net", "production", "1.0.0")
    makers.write(
        home / "work" / "models" / "net" / f".modelyard-version-{'0' * 16}" / "model.safetensors", b"half" * 2000
    )


def test_one_artifact_a_version_with_its_aliases(home: Path) -> None:
    make(home)
    found = {name.removeprefix("registry:"): each for name, each in makers.artifacts(home).items()}
    assert {name: (each.kind, each.recovery, each.state, each.tags) for name, each in found.items()} == {
        "net@1.0.0": ("model", "none", "complete", ("production",)),
        "net@1.1.0": ("model", "none", "complete", ()),
        "team/other@1.0.0": ("model", "none", "complete", ()),
        f"net#.modelyard-version-{'0' * 16}": ("model", "none", "partial", ()),
    }
    assert dict(found["net@1.0.0"].facts)["framework"] == "NumPy"


def test_bytes_that_versions_share_are_counted_once(home: Path) -> None:
    make(home)
    survey = api.survey({}, home, "linux", system=False)
    ids = [f"registry:net@{version}" for version in ("1.0.0", "1.1.0")]
    one, both = survey.freed(ids[:1]).freed, survey.freed(ids).freed
    weights = (home / "work" / "models" / "net" / "v1.0.0" / "model.safetensors").stat().st_blocks * 512
    assert weights >= 40_000
    assert both == 2 * one + weights


def test_metadata_that_cannot_be_read_leave_a_version_corrupt(home: Path) -> None:
    make(home)
    folder = home / "work" / "models" / "net"
    (folder / "v1.0.0" / "metadata.json").unlink()
    makers.write(folder / "v1.0.0" / "metadata.json", b"{")
    makers.write(folder / "aliases.json", json.dumps(["production"]))
    found = makers.artifacts(home)
    assert (found["registry:net@1.0.0"].state, found["registry:net@1.1.0"].state) == ("corrupt", "complete")
    assert found["registry:net@1.0.0"].tags == ()


def test_folders_that_look_like_versions_are_none_without_the_marker(home: Path) -> None:
    makers.write(home / "code" / "net" / "v1.0.0" / "metadata.json", b"{}")
    assert not makers.artifacts(home)
