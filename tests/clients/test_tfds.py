"""tensorflow_datasets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clients.client import Client, holds, runs
from clients.looking import look
from clients.loopback import Web

pytestmark = runs("with_tfds", "tensorflow_datasets")
LINES = b"\n".join(b"%d" % number for number in range(100))


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """A prepared data set, one whose preparing was killed, and one whose download was."""
    web.files["/numbers.txt"] = LINES
    web.files["/big.txt"] = os.urandom(40_000_000)
    web.stalled.add("/big.txt")
    data = client.home / "tensorflow_datasets"
    ready = client.home / "ready"
    client.kill(ready.exists, "prepare", f"{web.url}/numbers.txt", ready)
    client.kill(holds(data, 10_000_000), "prepare", f"{web.url}/big.txt")
    assert client.call("prepare", f"{web.url}/numbers.txt") == 100
    return client


def test_prepared_downloaded_and_half(filled: Client) -> None:
    seen = look(filled.home, "tfds", "keras")
    assert seen.states == {
        "numbers/1.0.0": ("dataset", "complete", "re-make"),
        "downloads/extracted": ("dataset", "complete", "re-get"),
        "downloads/numbers": ("dataset", "complete", "re-get"),
        "#partial": ("dataset", "partial", "re-get"),
    }
    assert not seen.unclaimed
    names = sorted(path.relative_to(filled.home / "tensorflow_datasets").parts[0] for path in seen.files("#partial"))
    assert names == ["downloads", "numbers", "numbers"]


def test_after_a_look_the_data_set_is_there_without_a_server(filled: Client, web: Web) -> None:
    look(filled.home, "tfds", "keras")
    before = len(web.asked)
    assert filled.call("prepare", f"{web.url}/numbers.txt") == 100
    assert len(web.asked) == before


def test_the_variable_moves_the_data(fresh: Client, web: Web, filled: Client) -> None:
    place = fresh.home / "volume"
    fresh.told(TFDS_DATA_DIR=place).call("prepare", f"{web.url}/numbers.txt")
    assert look(fresh.home, "tfds", "keras", TFDS_DATA_DIR=place).roots == {str(place): "TFDS_DATA_DIR"}
    found = look(fresh.home, "tfds", "keras")
    assert found.roots == {str(place): "recognised by features.json"}
    assert Path(place, "numbers", "1.0.0") in found.files("numbers/1.0.0")
