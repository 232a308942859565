"""Docker Model Runner's store."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import makers
from modelyard.stores import docker_models


def blob(store: Path, content: bytes) -> str:
    """A blob and its digest."""
    digest = hashlib.sha256(content).hexdigest()
    makers.write(store / "blobs" / "sha256" / digest, content)
    return f"sha256:{digest}"


def model(store: Path, name: str, *layers: str) -> dict[str, object]:
    """A model of these layers with its manifest, and its entry in the index."""
    files = [*layers, blob(store, f"config of {name}".encode())]
    digest = hashlib.sha256(name.encode()).hexdigest()
    makers.write(store / "manifests" / "sha256" / digest, json.dumps({"layers": layers}))
    return {"id": f"sha256:{digest}", "tags": [f"docker.io/{name}:latest"], "files": files}


def lay_out(store: Path) -> None:
    """Two models with a layer in common, a bundle of hard links, a half pull and a blob of no model."""
    weights, other = blob(store, b"w" * 9000), blob(store, b"o" * 5000)
    entries = [model(store, "ai/tiny", weights, other), model(store, "ai/tuned", weights)]
    bundle = store / "bundles" / "sha256" / str(entries[0]["id"]).partition(":")[2] / "model"
    bundle.mkdir(parents=True)
    os.link(store / "blobs" / weights.replace(":", "/"), bundle / "model.gguf")
    makers.write(store / "blobs" / "sha256" / f"{'c' * 64}.incomplete", b"half")
    blob(store, b"left over" * 500)
    makers.write(store / "models.json", json.dumps({"models": entries}))
    makers.write(store / "layout.json", '{"version": "1.0.0"}')


def make(home: Path) -> None:
    """The default place."""
    lay_out(home / ".docker" / "models")


def test_what_moves_it(home: Path) -> None:
    for platform in ("linux", "macos", "windows"):
        assert makers.places(docker_models, home, platform) == [("~/.docker/models", "default")]
    assert makers.places(docker_models, home, MODELS_PATH="/m") == [("/m", "MODELS_PATH")]


def test_models_half_pulls_and_blobs_of_no_model(home: Path) -> None:
    make(home)
    found = {name.partition(":")[2]: each for name, each in makers.artifacts(home).items()}
    assert {name: each.state for name, each in found.items()} == {
        "docker.io/ai/tiny:latest": "complete",
        "docker.io/ai/tuned:latest": "complete",
        "#partial": "partial",
        "#orphan": "orphan",
    }
    assert found["docker.io/ai/tuned:latest"].sizes.freed < 9000 < found["docker.io/ai/tuned:latest"].sizes.apparent


def test_a_layer_that_is_gone(home: Path) -> None:
    make(home)
    store = home / ".docker" / "models"
    next(each for each in (store / "blobs" / "sha256").iterdir() if each.read_bytes()[:1] == b"o").unlink()
    found = makers.artifacts(home)["docker-models:docker.io/ai/tiny:latest"]
    assert (found.state, found.detail) == ("dangling", "1 of its blobs are gone")


def test_a_damaged_index_keeps_every_blob_in_use(home: Path) -> None:
    make(home)
    makers.write(home / ".docker" / "models" / "models.json", "{")
    found = makers.artifacts(home)
    assert {name: each.state for name, each in found.items()} == {
        "docker-models:unlisted": "complete",
        "docker-models:#partial": "partial",
    }


def test_a_model_that_the_index_forgot_keeps_its_blobs(home: Path) -> None:
    make(home)
    makers.write(home / ".docker" / "models" / "models.json", '{"models": []}')
    assert {each.state for each in makers.artifacts(home).values()} == {"complete", "partial"}


def test_the_volume_of_an_engine_is_recognised(home: Path) -> None:
    lay_out(home / "volumes" / "docker-model-runner-models" / "_data")
    assert "docker-models:docker.io/ai/tiny:latest" in makers.artifacts(home)


def test_another_programs_models_path_is_left_alone(home: Path) -> None:
    makers.write(home / "localai" / "models" / "tiny.gguf", b"w" * 5000)
    assert not makers.artifacts(home, MODELS_PATH=str(home / "localai" / "models"))
