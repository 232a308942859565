"""NLTK's data packages."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from clients.archives import zipped
from clients.client import Client, holds, runs
from clients.looking import look
from clients.loopback import Web

pytestmark = runs("with_nltk", "nltk")


def offer(web: Web, name: str, category: str, files: dict[str, bytes]) -> str:
    """Puts a package on the server; gives its line of the index."""
    content = zipped(files)
    web.files[f"/{name}.zip"] = content
    size = sum(each.file_size for each in zipfile.ZipFile(io.BytesIO(content)).infolist())
    return (
        f'<package id="{name}" name="{name}" subdir="{category}" url="{web.url}/{name}.zip" unzip="1"'
        f' size="{len(content)}" unzipped_size="{size}" checksum="{hashlib.md5(content).hexdigest()}"'
        f' sha256_checksum="{hashlib.sha256(content).hexdigest()}"/>'
    )


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """A package, and a download that was killed."""
    lines = (
        offer(web, "tinywords", "corpora", {"tinywords/words": b"one\ntwo\n"}),
        offer(web, "huge", "corpora", {"huge/words": os.urandom(4_000_000)}),
    )
    packages = f"<packages>{''.join(lines)}</packages><collections></collections>"
    web.files["/index.xml"] = f'<?xml version="1.0"?><nltk_data>{packages}</nltk_data>'.encode()
    web.stalled.add("/huge.zip")
    index = f"{web.url}/index.xml"
    folder = client.home / "nltk_data"
    folder.mkdir()  # else NLTK takes the first folder it may write to, which is its own environment's
    assert client.call("download", "tinywords", index) is True
    client.kill(holds(folder), "download", "huge", index)
    return client


def test_packages_packed_and_unpacked_and_a_half_one(filled: Client) -> None:
    seen = look(filled.home, "nltk")
    assert seen.states == {
        "corpora/tinywords": ("dataset", "complete", "re-make"),
        "corpora/tinywords.zip": ("dataset", "complete", "re-get"),
        "#partial": ("dataset", "partial", "re-get"),
    }
    assert {path.name for path in seen.files("#partial")} == {"huge.zip.tmp", "huge.zip.lock"}
    assert not seen.unclaimed


def test_after_a_look_the_words_can_be_read(filled: Client) -> None:
    look(filled.home, "nltk")
    assert filled.call("words", "tinywords") == ["one", "two"]


def test_the_variable_names_a_further_folder(fresh: Client, web: Web, filled: Client) -> None:
    place = fresh.home / "volume"
    told = fresh.told(NLTK_DATA=place)
    told.calls(("download", "tinywords", f"{web.url}/index.xml", place), ("words", "tinywords"))
    seen = look(fresh.home, "nltk", NLTK_DATA=place)
    assert seen.roots == {str(place): "NLTK_DATA"}
    assert set(seen.artifacts) == {"corpora/tinywords", "corpora/tinywords.zip"}
    assert Path(place, "corpora", "tinywords", "words").is_file()
