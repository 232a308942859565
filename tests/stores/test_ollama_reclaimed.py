"""Ollama's folder after a clean, as a server that starts on it sees it: the models were made by a real one."""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard import api
from reclaiming import age, clean, everything, undo
from stores.test_ollama import MODELS, RECORDED
from typed import Run

GRACE = 3600  # seconds; server/images.go, layerPruneGracePeriod

NAMES = ("tiny:latest", "acme/tiny:backup", "pirate:v1", "gone:latest")


@pytest.fixture
def models(home: Path, tmp_path: Path) -> Path:
    """A base, its copy, one made from it, and one that was deleted later; an upload that was never named."""
    with tarfile.open(RECORDED) as archive:
        archive.extractall(tmp_path / "recorded", filter="data")
    (home / ".ollama").mkdir()
    (tmp_path / "recorded" / "models_before_delete").rename(home / MODELS)
    age(home)
    return home / MODELS


def layers(manifest: Path) -> set[str]:
    """The blobs that a name stands for."""
    told = json.loads(manifest.read_text())
    return {each["digest"].replace(":", "-") for each in (told["config"], *told["layers"])}


def names(models: Path) -> Iterator[Path]:
    """Every manifest."""
    return (path for path in (models / "manifests").rglob("*") if path.is_file())


def pruned(models: Path) -> set[str]:
    """The blobs that a server that starts now would delete (`PruneLayers`); folders without names it removes too."""
    used = {digest for manifest in names(models) for digest in layers(manifest)}
    old = [path for path in (models / "blobs").iterdir() if time.time() - path.stat().st_mtime > GRACE]
    return {path.name for path in old if path.name not in used}


def whole(models: Path) -> bool:
    """Whether every model has all its layers."""
    return all((models / "blobs" / digest).is_file() for manifest in names(models) for digest in layers(manifest))


@pytest.mark.parametrize("name", NAMES)
def test_a_starting_server_finds_nothing_to_prune_and_every_model_whole(
    name: str, models: Path, run: Run, home: Path
) -> None:
    before, orphan = everything(home), pruned(models)
    assert len(orphan) == 1
    clean(run, "ollama", include=(f"ollama:{name}",))
    assert pruned(models) == orphan
    assert whole(models)
    left = {each.id: each.state for each in api.survey({}, home, "linux", system=False).artifacts}
    assert {each for each, state in left.items() if each.startswith("ollama:") and state == "complete"} == {
        f"ollama:{other}" for other in NAMES if other != name
    }
    undo(run)
    assert everything(home) == before


def test_all_models_go_with_their_layers(models: Path, run: Run, home: Path) -> None:
    before = everything(home)
    found = api.survey({}, home, "linux", system=False).artifacts
    clean(run, "ollama", include=tuple(each.id for each in found if each.store == "ollama"))
    assert not list((models / "blobs").iterdir())
    assert not list(names(models))
    undo(run)
    assert everything(home) == before
    assert whole(models)


def test_wherever_one_stops_no_name_stands_for_layers_that_are_gone(models: Path, run: Run, home: Path) -> None:
    words = [word for name in ("tiny:latest", "gone:latest") for word in ("--include", f"ollama:{name}")]
    plan = json.loads(run("clean", "ollama", *words, "--dry-run", "--json").out)["plan"]
    for step in plan["steps"]:
        place = home.parent / "away" / Path(step["path"]).name
        place.parent.mkdir(exist_ok=True)
        Path(step["path"]).rename(place)
        assert whole(models)
