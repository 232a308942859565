"""Owners that give things back: an Ollama server that pulls, and lines that break while a file comes."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import makers
from modelyard.owners.fetching import fetch
from modelyard.owners.https import Web
from modelyard.problem import Problem
from typed import Run
from verify.looking import flip, told

BYTES = os.urandom(3_000_000)
SHA256 = hashlib.sha256(BYTES).hexdigest()


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler, bytes], None]) -> Iterator[str]:
    """A server on the loopback interface that answers like this; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        do_POST = do_GET  # noqa: N815 - names of the base class

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def model(home: Path) -> Path:
    """The largest layer of a model."""
    models = home / ".ollama/models"
    makers.ollama_model(models, "registry.ollama.ai/library/llama3/8b", [makers.ollama_blob(models, BYTES)])
    return models / "blobs" / f"sha256-{SHA256}"


def test_a_running_server_pulls_what_was_put_away(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    blob, asked = model(home), []

    def server(line: BaseHTTPRequestHandler, body: bytes) -> None:
        asked.append((line.path, json.loads(body)["model"] if body else ""))
        if line.path == "/api/pull" and not blob.exists():  # a real one takes what is there for good
            blob.write_bytes(BYTES)
        line.send_response(200)
        line.end_headers()
        line.wfile.write(b'{"models": []}' if line.path == "/api/ps" else b'{"status": "success"}')

    flip(blob)
    with serving(server) as address:
        monkeypatch.setenv("OLLAMA_HOST", address)
        assert told(run, "ollama", code=5) == {blob.name: "corrupt"}
        answer = run("verify", "ollama", "--repair", "--yes", "--json")
    assert answer.code == 0, answer.out
    assert ("/api/pull", "llama3:8b") in asked
    assert blob.read_bytes() == BYTES
    assert told(run, "ollama", code=0) == {}


def test_without_a_server_the_bad_blob_is_put_away_and_the_command_is_named(
    home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    blob = model(home)
    flip(blob)
    answer = run("verify", "--repair", "--yes")
    assert answer.code == 5, "it is not mended yet"
    assert "ollama pull llama3:8b" in answer.out
    assert not blob.exists()
    assert run("undo").code == 0
    assert blob.exists()


def test_where_no_owner_can_help_it_is_said_and_nothing_changes(home: Path, run: Run) -> None:
    path = makers.write(home / "outputs/run/checkpoint-5/model.safetensors", b"x" * 100)
    makers.write(path.parent / "trainer_state.json", "{}")
    answer = run("verify", "--repair", "--yes")
    assert answer.code == 5
    assert "no owner" in answer.out
    assert path.exists()
    assert run("journal").out.count("\n") <= 1


def test_a_line_that_breaks_goes_on_where_it_stopped() -> None:
    asked = []

    def breaking(line: BaseHTTPRequestHandler, body: bytes) -> None:
        start = int((line.headers.get("Range") or "bytes=0-")[6:-1])
        asked.append(start)
        line.send_response(206 if start else 200)
        line.send_header("Content-Length", str(len(BYTES) - start))
        line.end_headers()
        line.wfile.write(BYTES[start : start + 1_000_000])

    taken = bytearray()
    with serving(breaking) as address:
        assert fetch(Web({}), f"{address}/f", "sha256", SHA256, len(BYTES), taken.extend) is None
    assert bytes(taken) == BYTES
    assert asked == [0, 1_000_000, 2_000_000]


@pytest.mark.parametrize("danger", ["begins anew", "sends without end", "sends nothing", "says no"])
def test_a_server_that_does_not_play_by_the_rules_gives_nothing(danger: str) -> None:
    def odd(line: BaseHTTPRequestHandler, body: bytes) -> None:
        line.send_response(500 if danger == "says no" else 200)
        if danger != "sends without end":
            line.send_header("Content-Length", str(len(BYTES)))
        line.end_headers()
        if danger == "begins anew":
            line.wfile.write(BYTES[:1_000_000])
        elif danger == "sends without end":
            for _ in range(50):
                line.wfile.write(BYTES)

    taken = bytearray()
    with serving(odd) as address:
        found = fetch(Web({}, silence=2.0), f"{address}/f", "sha256", SHA256, len(BYTES), taken.extend)
    assert isinstance(found, Problem)
    assert len(taken) <= len(BYTES)
