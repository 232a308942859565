"""TF Hub's modules."""

from __future__ import annotations

import os
from hashlib import sha1

import pytest

from clients.archives import tarred
from clients.client import Client, runs
from clients.looking import look, look_outside
from clients.loopback import Web

pytestmark = runs("with_tfhub", "tensorflow-hub")
FILES = {"saved_model.pb": b"p" * 5000, "variables/variables.index": b"v" * 900}


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """A module, and one whose download was killed."""
    web.files["/encoder/1.tar.gz"] = tarred(FILES)
    web.files["/big/1.tar.gz"] = tarred({"weights": os.urandom(4_000_000)})
    web.stalled.add("/big/1.tar.gz")
    assert client.call("module", f"{web.url}/encoder/1.tar.gz") == ["saved_model.pb", "variables"]
    modules = client.temporary / "tfhub_modules"
    client.kill(lambda: web.halfway.is_set() and any(modules.glob("*.tmp")), "module", f"{web.url}/big/1.tar.gz")
    return client


def test_modules_lie_among_temporary_files_and_half_ones_are_told_apart(filled: Client, web: Web) -> None:
    seen = look_outside(filled.home, "tfhub", TMPDIR=filled.temporary)
    name = sha1(f"{web.url}/encoder/1.tar.gz".encode()).hexdigest()
    assert seen.states == {name[:12]: ("model", "complete", "re-get"), "#partial": ("model", "partial", "re-get")}
    assert seen.artifacts[name[:12]].title == f"{web.url}/encoder/1.tar.gz"
    assert {path.suffix for path in seen.files("#partial")} == {".tmp", ".lock"}
    assert seen.roots == {str(filled.temporary / "tfhub_modules"): "default"}
    assert not seen.unclaimed


def test_the_variable_moves_the_modules_and_after_a_look_they_are_found(
    fresh: Client, web: Web, filled: Client
) -> None:
    told = fresh.told(TFHUB_CACHE_DIR=fresh.home / "modules")
    told.call("module", f"{web.url}/encoder/1.tar.gz")
    seen = look(fresh.home, "tfhub", "keras", TFHUB_CACHE_DIR=fresh.home / "modules")
    assert seen.roots == {str(fresh.home / "modules"): "TFHUB_CACHE_DIR"}
    assert len(seen.artifacts) == 1
    before = len(web.asked)
    assert told.call("module", f"{web.url}/encoder/1.tar.gz") == ["saved_model.pb", "variables"]
    assert len(web.asked) == before


def test_a_folder_that_nothing_names_is_recognised(filled: Client) -> None:
    seen = look(filled.home.parent, "tfhub", "keras")
    assert seen.roots == {str(filled.temporary / "tfhub_modules"): "recognised by *.descriptor.txt"}
