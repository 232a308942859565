"""Stands between a client and a real engine: tells what was asked, and misbehaves where a test wants it to."""

from __future__ import annotations

import http.client
import json
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

Passed = Callable[[], tuple[int, bytes]]
Turn = Callable[[Passed], tuple[int, bytes] | None]
"""What is answered instead, None for a connection that breaks off; calling what it gets asks the real engine."""


class Between(socketserver.ThreadingUnixStreamServer):
    """A socket before the engine's own. `turns` are by the beginning of a request: `DELETE /`."""

    daemon_threads = True
    engine: Path
    asked: list[str]
    turns: dict[str, Turn]
    version: str

    @property
    def changes(self) -> list[str]:
        """What was asked that is no question."""
        return [each for each in self.asked if not each.startswith("GET ")]


class _Line(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    _told: Mapping[str, str] = {}

    def handle_any(self) -> None:
        server = self.server
        assert isinstance(server, Between)
        request = f"{self.command} {self.path}"
        server.asked.append(request)
        turn = next((turn for start, turn in server.turns.items() if request.startswith(start)), None)
        answer = turn(self._passed) if turn else self._passed()
        if answer is None:
            self.close_connection = True
            return
        status, body = answer
        with suppress(BrokenPipeError):  # who asked may have been killed
            self._answer(status, body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in self._told.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    do_GET = handle_any  # noqa: N815 - names of the base class
    do_POST = handle_any  # noqa: N815
    do_DELETE = handle_any  # noqa: N815

    def _passed(self) -> tuple[int, bytes]:
        server = self.server
        assert isinstance(server, Between)
        line = _Line(server.engine)
        line.request(self.command, self.path)
        answer = line.getresponse()
        status, body = answer.status, answer.read()
        told = {"Api-Version": server.version} if server.version else {}
        self._told = {name: value for name, value in answer.getheaders() if "api-version" in name.lower()} | told
        line.close()
        if self.path == "/version" and server.version:
            body = json.dumps(json.loads(body) | {"ApiVersion": server.version}).encode()
        return status, body

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Nothing is printed."""


@contextmanager
def between(engine: Path, version: str = "", name: str = "docker.sock") -> Iterator[tuple[Path, Between]]:
    """A socket that leads to the engine's, which says that it offers this version of the API."""
    with tempfile.TemporaryDirectory(prefix="between-", dir="/tmp") as folder:
        path = Path(folder) / name
        with Between(str(path), _Handler) as server:
            server.engine, server.asked, server.turns, server.version = engine, [], {}, version
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            yield path, server
            server.shutdown()
            thread.join()


def dies_before(passed: Passed) -> None:
    """The engine is killed before it did anything."""


def dies_after(passed: Passed) -> None:
    """The engine is killed when it has done it, before its answer."""
    passed()


def says(status: int, words: str = "no") -> Turn:
    """An answer of this status, and nothing done."""
    return lambda passed: (status, json.dumps({"message": words}).encode())
