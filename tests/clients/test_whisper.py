"""openai-whisper's weights."""

from __future__ import annotations

import hashlib
import os

import pytest

from clients.client import Client, holds, runs
from clients.looking import look
from clients.loopback import Web

pytestmark = runs("with_whisper", "openai-whisper")
WEIGHTS = os.urandom(60_000)
ADDRESS = f"/{hashlib.sha256(WEIGHTS).hexdigest()}/tiny.pt"
READ = "UnpicklingError"  # whisper found the file, its hash was right, and then torch looked at random bytes


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """Weights, and a download that was killed."""
    web.files[ADDRESS] = WEIGHTS
    web.files["/0/base.pt"] = os.urandom(4_000_000)
    web.stalled.add("/0/base.pt")
    assert client.call("download", web.url + ADDRESS) == READ
    client.kill(holds(client.home / ".cache" / "whisper"), "download", f"{web.url}/0/base.pt")
    return client


def test_weights_of_which_only_whisper_knows_whether_they_are_whole(filled: Client) -> None:
    seen = look(filled.home, "whisper")
    assert seen.states == dict.fromkeys(("tiny.pt", "base.pt"), ("model", "complete", "re-get"))
    assert "only its hash tells" in seen.artifacts["base.pt"].detail
    assert not seen.unclaimed


def test_after_a_look_the_weights_are_loaded_without_a_server(filled: Client, web: Web) -> None:
    look(filled.home, "whisper")
    before = len(web.asked)
    assert filled.call("download", web.url + ADDRESS) == READ
    assert len(web.asked) == before


def test_the_variable_moves_the_weights(fresh: Client, web: Web, filled: Client) -> None:
    place = fresh.home / "volume"
    fresh.told(XDG_CACHE_HOME=place).call("download", web.url + ADDRESS)
    seen = look(fresh.home, "whisper", XDG_CACHE_HOME=place)
    assert seen.roots == {str(place / "whisper"): "XDG_CACHE_HOME"}
    assert set(seen.artifacts) == {"tiny.pt"}
