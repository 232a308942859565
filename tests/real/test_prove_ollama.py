"""Proofs that a model would come back: asked from a registry, for a folder that a real Ollama server filled."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from real.registry_server import Registry
from typed import Run

RECORDED = Path(__file__).parent.parent / "data" / "ollama-0.32.15.tar.gz"
HALF = "7cf1fd818f106806b1cb4593db16ea7f47839d74b710ff80453277d9b4093672"
MANIFEST = r"GET /v2/library/half/manifests/7b"
BLOBS = r"HEAD /v2/library/half/blobs/.*"


@pytest.fixture
def registry(tmp_path: Path, home: Path) -> Iterator[Registry]:
    """The registry that `half:7b` was pulled from, and the server's folder after the pull in the home."""
    with tarfile.open(RECORDED) as archive:
        archive.extractall(tmp_path / "recorded", filter="data")
    models = tmp_path / "recorded" / "models_after_delete_and_pull"
    (host,) = (models / "manifests").glob("127.0.0.1*")
    shutil.copytree(models / "blobs", tmp_path / "served" / "blobs")
    shutil.copytree(host, tmp_path / "served" / "manifests")
    with Registry(tmp_path / "served") as running:
        host.rename(host.with_name(running.host))
        (home / ".ollama").mkdir()
        models.rename(home / ".ollama" / "models")
        yield running


def planned(run: Run, registry: Registry) -> tuple[list[dict[str, str]], str]:
    """The steps for the model of the registry, and why it was left out."""
    name = f"ollama:{registry.host}/library/half:7b"
    answer = run("clean", name, "--prove", "--dry-run", "--json")
    assert answer.code == 0, answer.err
    plan = json.loads(answer.out)["plan"]
    why = [each["why"] for each in plan["skipped"] if each["artifact"] == name]
    return [step for step in plan["steps"] if step["artifact"] == name], "".join(why)


def test_what_the_registry_still_has_is_proven(run: Run, registry: Registry) -> None:
    steps, _ = planned(run, registry)
    assert len(steps) == 4
    assert f"the registry {registry.host} has 3 files by path, size and SHA-256, asked 20" in steps[0]["proof"]
    assert len([each for each in registry.asked if each.startswith("HEAD")]) == 3
    assert not [each for each in registry.asked if each.startswith("GET") and "blobs" in each]


def test_blobs_elsewhere_are_asked_where_they_are(run: Run, registry: Registry) -> None:
    registry.instead[f"HEAD /v2/library/half/blobs/sha256:{HALF}"] = (307, {"Location": "/elsewhere"})
    registry.instead["HEAD /elsewhere"] = (200, {"Content-Length": "497472"})
    assert planned(run, registry)[0]
    assert "HEAD /elsewhere" in registry.asked


@pytest.mark.parametrize(
    ("told", "status", "headers", "words"),
    [
        (MANIFEST, 401, {}, "modelyard sends no token"),
        (MANIFEST, 403, {}, "it is gated or blocked"),
        (MANIFEST, 404, {}, "the registry has no such model or tag (404)"),
        (MANIFEST, 429, {}, "asks to wait (429"),
        (MANIFEST, 500, {}, "in trouble itself (500)"),
        (MANIFEST, 200, {}, "not its API"),
        (MANIFEST, 302, {"Location": "http://example.invalid/"}, "not https"),
        (MANIFEST, 302, {"Location": "/v2/library/half/manifests/7b"}, "more than 5 times"),
        (BLOBS, 404, {}, "no longer has the layer sha256:"),
        (BLOBS, 503, {}, "in trouble itself (503)"),
        (BLOBS, 200, {"Content-Length": "5"}, "holds another sha256:"),
    ],
)
def test_what_is_refused_is_not_proven(
    told: str, status: int, headers: dict[str, str], words: str, run: Run, registry: Registry
) -> None:
    registry.instead[told] = (status, headers)
    steps, why = planned(run, registry)
    assert steps == []
    assert why.startswith("could not be proven: ")
    assert words in why


def test_a_tag_that_moved_on_is_not_proven(run: Run, registry: Registry) -> None:
    manifest = registry.models / "manifests" / "library" / "half" / "7b"
    manifest.write_text(manifest.read_text().replace(HALF, "e" * 64))
    assert "the tag stands for other layers now: 1 are new" in planned(run, registry)[1]


def test_a_layer_cut_short_on_this_disk_is_not_proven(run: Run, registry: Registry, home: Path) -> None:
    blob = home / ".ollama" / "models" / "blobs" / f"sha256-{HALF}"
    blob.write_bytes(blob.read_bytes()[:1000])
    assert "has 1,000 bytes here and 497,472 at the source" in planned(run, registry)[1]


def test_a_blob_under_another_digest_is_not_proven(run: Run, registry: Registry, home: Path) -> None:
    """The manifest here names a layer that the registry never gave."""
    (manifest,) = (home / ".ollama" / "models" / "manifests").glob("127.0.0.1*/library/half/7b")
    other = "8c2d1897d980f5871a7044069abf76cf550494efb53c6d2b4beb52eaeaeb2f54"
    manifest.write_text(manifest.read_text().replace(HALF, other))
    assert "the tag stands for other layers now" in planned(run, registry)[1]


def test_offline_nothing_is_proven(run: Run, registry: Registry, home: Path) -> None:
    folder = home / ".ollama" / "models" / "manifests"
    (folder / registry.host).rename(folder / "127.0.0.1:9")
    answer = run("clean", "ollama:127.0.0.1:9/library/half:7b", "--prove", "--dry-run")
    assert "cannot be reached: Connection refused" in answer.out


def test_what_was_made_here_is_not_asked_about(run: Run, registry: Registry, home: Path) -> None:
    shutil.rmtree(home / ".ollama" / "models" / "manifests" / "registry.ollama.ai" / "library" / "tiny")
    plan = json.loads(run("clean", "ollama:pirate:v1", "--prove", "--dry-run", "--json").out)["plan"]
    (skipped,) = plan["skipped"]
    assert skipped["why"] == "could not be proven: it was made or changed here"
    assert registry.asked == []
