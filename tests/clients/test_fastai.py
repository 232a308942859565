"""fastai, and the downloader beneath it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clients.archives import tarred
from clients.client import Client, holds, runs
from clients.looking import look
from clients.loopback import Web

pytestmark = runs("with_fastai", "fastai")


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """An archive and what is in it, for fastai and for fastdownload, and a download that was killed."""
    web.files["/pets.tgz"] = tarred({"pets/cat.txt": b"c" * 5000})
    web.files["/big.tgz"] = os.urandom(4_000_000)
    web.stalled.add("/big.tgz")
    client.calls(("data", f"{web.url}/pets.tgz"), ("plain", f"{web.url}/pets.tgz"))
    client.kill(holds(client.home / ".fastai"), "data", f"{web.url}/big.tgz")
    return client


def test_archives_what_was_unpacked_and_a_half_one(filled: Client) -> None:
    seen = look(filled.home, "fastai")
    assert seen.states == {
        "archive/pets.tgz": ("dataset", "complete", "re-get"),
        "archive/pets.tgz+2": ("dataset", "complete", "re-get"),
        "data/pets": ("dataset", "complete", "re-make"),
        "data/pets+2": ("dataset", "complete", "re-make"),
        "#partial": ("dataset", "partial", "re-get"),
    }
    assert {path.name for path in seen.files("#partial")} == {"big.tgz.part"}
    assert seen.unclaimed == {"pets.tgz.lock", "big.tgz.lock"}
    assert seen.files("data/pets+2") == {filled.home / ".fastdownload" / "data" / "pets"}


def test_after_a_look_the_data_is_there_without_a_server(filled: Client, web: Web) -> None:
    look(filled.home, "fastai")
    before = len(web.asked)
    assert filled.call("data", f"{web.url}/pets.tgz") == str(filled.home / ".fastai" / "data" / "pets")
    assert len(web.asked) == before


def test_the_variable_and_the_settings_move_the_folders(fresh: Client, web: Web, filled: Client) -> None:
    place, big = fresh.home / "volume", fresh.home / "big"
    place.mkdir()
    (place / "config.ini").write_text(f"[DEFAULT]\ndata = {big}\narchive = archive\nstorage = tmp\nmodel = models\n")
    given = fresh.told(FASTAI_HOME=place).call("data", f"{web.url}/pets.tgz")
    assert Path(str(given)) == big / "pets"
    seen = look(fresh.home, "fastai", FASTAI_HOME=place)
    assert seen.roots == {str(place / "archive"): "FASTAI_HOME", str(big): "config.ini data"}
    assert {name: each.kind for name, each in seen.artifacts.items()} == {
        "archive/pets.tgz": "dataset",
        "data/pets": "dataset",
    }
