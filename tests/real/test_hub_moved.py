"""A hub cache moved to another disk: the real client lists the same as before, and downloads nothing again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from real.hub_client import Client
from real.test_hub import MODEL, OTHER, publish, tiny
from typed import Run
from walk.disks import mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Another file system."""
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=64M") as folder:
        yield folder


def test_the_client_lists_the_same_and_goes_on(client: Client, cached: Path, disk: Path, run: Run) -> None:
    (cached / "token").parent.mkdir(parents=True, exist_ok=True)
    (cached / "token").write_text("secret")
    for address in (MODEL, OTHER):
        publish(client, address, tiny())
        client.download(address)
    before = client.scan()
    assert run("move", "hf", str(disk), "--yes").code == 0
    assert client.cache.is_symlink()
    assert (cached / "token").read_text() == "secret"
    assert not (disk / "token").exists()
    assert client.scan() == before
    direct = replace(client, settings=(*client.settings, ("HF_HUB_CACHE", str(disk / "hub"))))
    assert direct.scan() == before
    publish(client, MODEL, tiny(b'{"new": 1}'))
    client.download(MODEL)
    assert len(client.scan().refs["model/acme/tiny"]) == 2
    undone = run("undo")
    assert undone.code == 3, "what came since must not be left behind"
    assert "was changed since it was moved there" in undone.out
    assert len(client.scan().refs["model/acme/tiny"]) == 2
    again = run("move", str(client.cache), str(cached / "again"), "--yes")
    assert again.code == 0, again.out
    assert len(client.scan().refs["model/acme/tiny"]) == 2
    assert os.readlink(client.cache) == str(cached / "again")


def test_undone_the_client_lists_the_same(client: Client, disk: Path, run: Run) -> None:
    publish(client, MODEL, tiny())
    client.download(MODEL)
    before = client.scan()
    assert run("move", "hf", str(disk), "--yes").code == 0
    assert run("undo").code == 0
    assert not client.cache.is_symlink()
    assert client.scan() == before
    assert not [*disk.iterdir()]
