"""Keras downloads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clients.archives import tarred
from clients.client import Client, holds, runs
from clients.looking import look
from clients.loopback import Web

pytestmark = runs("with_keras", "keras")


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """Weights, an archive and what is in it, and a download that was killed."""
    web.files["/vgg.h5"] = os.urandom(50_000)
    web.files["/flowers.tgz"] = tarred({"flowers/rose.txt": b"r" * 5000})
    web.files["/cut.h5"] = web.files["/half.h5"] = os.urandom(4_000_000)
    web.broken.add("/cut.h5")
    web.stalled.add("/half.h5")
    client.calls(
        ("configured",), ("file", f"{web.url}/vgg.h5", "models"), ("file", f"{web.url}/flowers.tgz", "datasets", "yes")
    )
    client.kill(holds(client.home / ".keras"), "file", f"{web.url}/half.h5", "models")
    return client


def test_the_archive_comes_again_from_its_server_and_the_folder_from_the_archive(filled: Client) -> None:
    seen = look(filled.home, "keras")
    assert seen.states == {
        "models/vgg.h5": ("model", "complete", "re-get"),
        "models/half.h5": ("model", "complete", "re-get"),  # under its final name: nothing tells that it is half
        "datasets/flowers.tgz_archive": ("dataset", "complete", "re-get"),
        "datasets/flowers.tgz": ("dataset", "complete", "re-make"),
    }
    assert (filled.home / ".keras" / "datasets" / "flowers.tgz" / "flowers" / "rose.txt").is_file()
    assert seen.unclaimed == {"keras.json"}
    assert seen.roots == {str(filled.home / ".keras"): "default"}


def test_after_a_look_the_cache_answers_and_what_was_let_go_is_unpacked_again(filled: Client, web: Web) -> None:
    look(filled.home, "keras")
    before = len(web.asked)
    given = filled.calls(("file", f"{web.url}/vgg.h5", "models"), ("file", f"{web.url}/flowers.tgz", "datasets", "yes"))
    assert [Path(str(path)).name for path in given] == ["vgg.h5", "flowers.tgz"]
    assert len(web.asked) == before


def test_a_download_whose_connection_breaks_leaves_nothing(fresh: Client, web: Web, filled: Client) -> None:
    told = fresh.told(KERAS_HOME=fresh.home / "volume")
    assert "retrieval incomplete" in told.fails("file", f"{web.url}/cut.h5", "models")
    told.call("file", f"{web.url}/vgg.h5", "models")
    seen = look(fresh.home, "keras", KERAS_HOME=fresh.home / "volume")
    assert set(seen.artifacts) == {"models/vgg.h5"}
    assert seen.roots == {str(fresh.home / "volume"): "KERAS_HOME"}
