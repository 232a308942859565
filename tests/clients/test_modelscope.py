"""ModelScope downloads."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from clients.client import Client, holds, runs
from clients.looking import look
from clients.loopback import Web

pytestmark = runs("with_modelscope", "modelscope")
CACHE = Path(".cache/modelscope")


def offer(web: Web, address: str, files: Mapping[str, bytes], revision: str = "master") -> dict[str, str]:
    """Puts `models/acme/tiny` on the server; gives where each of its files is."""
    base = f"/api/v1/{address}/repo"
    listed = [
        {"Path": name, "Type": "blob", "Size": len(content), "Sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]
    document = json.dumps({"Code": 200, "Success": True, "Data": {"Files": listed}}).encode()
    web.files[f"{base}/files"] = web.files[f"{base}/tree"] = document
    paths = {name: f"{base}?Revision={revision}&FilePath={quote_plus(name)}" for name in files}
    web.files |= {path: files[name] for name, path in paths.items()}
    return paths


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """A model, a data set, and a model of which the file in an inner folder came half."""
    told = client.told(MODELSCOPE_ENDPOINT=web.url)
    offer(web, "models/acme/tiny", {"config.json": b"{}", "weights/model.bin": b"w" * 50_000})
    offer(web, "datasets/acme/rows", {"rows.csv": b"a,b\n" * 900})
    huge = offer(web, "models/acme/huge", {"config.json": b"{}", "weights/model.bin": os.urandom(40_000_000)})
    web.stalled.add(huge["weights/model.bin"])
    told.calls(("model", "acme/tiny"), ("data", "acme/rows"))
    told.kill(holds(client.home / CACHE / "models" / "acme--huge"), "model", "acme/huge")
    return told


def test_whole_and_half_revisions_are_told_apart(filled: Client) -> None:
    seen = look(filled.home, "modelscope")
    assert seen.states == {
        "model/acme/tiny@master": ("model", "complete", "re-get"),
        "model/acme/huge@master": ("model", "partial", "re-get"),
        "dataset/acme/rows@master": ("dataset", "complete", "re-get"),
    }
    assert {Path(name).parts[0] for name in seen.unclaimed} == {".lock"}
    assert seen.roots == {str(filled.home / CACHE): "default"}


def test_credentials_are_not_in_it(filled: Client) -> None:
    assert (filled.home / ".modelscope" / "credentials").is_dir()
    seen = look(filled.home, "modelscope")
    assert not any(".modelscope" in path.parts for name in seen.artifacts for path in seen.files(name))


def test_after_a_look_the_model_is_there_without_its_files_being_asked_for(filled: Client, web: Web) -> None:
    look(filled.home, "modelscope")
    before = len(web.asked)
    assert str(filled.call("model", "acme/tiny")).startswith(str(filled.home / CACHE))
    assert not [path for path in web.asked[before:] if "FilePath" in path]


def test_the_variable_moves_the_cache(fresh: Client, web: Web, filled: Client) -> None:
    place = fresh.home / "volume"
    fresh.told(MODELSCOPE_ENDPOINT=web.url, MODELSCOPE_CACHE=place).call("model", "acme/tiny")
    seen = look(fresh.home, "modelscope", MODELSCOPE_CACHE=place)
    assert seen.roots == {str(place): "MODELSCOPE_CACHE"}
    assert set(seen.artifacts) == {"model/acme/tiny@master"}
