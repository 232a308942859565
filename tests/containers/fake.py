"""Engines that are none: they answer what was recorded from real ones, or misbehave, on a socket of their own."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

Json = Any
Answer = Callable[[BaseHTTPRequestHandler], None] | Json
RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> dict[str, Json]:
    """The answers of a real engine by path, trimmed to what its artifacts are made of."""
    found: dict[str, Json] = json.loads((RECORDED / f"{name}.json").read_text())
    return found


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    answers: dict[str, Answer]
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.asked.append(self.path)
        answer = server.answers.get(self.path, server.answers.get("*"))
        if callable(answer):
            self.close_connection = True
            answer(self)
            return
        body = json.dumps({"message": "page not found"} if answer is None else answer).encode()
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Nothing is printed."""


@contextmanager
def engine(answers: dict[str, Answer], name: str = "docker.sock") -> Iterator[tuple[Path, list[str]]]:
    """A socket that answers so, and the list of what was asked; `*` is for any other path."""
    with tempfile.TemporaryDirectory(prefix="fake-", dir="/tmp") as folder:
        path = Path(folder) / name
        with _Server(str(path), _Handler) as server:
            server.answers, server.asked = answers, []
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            yield path, server.asked
            server.shutdown()
            thread.join()


def broken_off(handler: BaseHTTPRequestHandler) -> None:
    """The engine is killed in the middle of an answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n[{")


def garbage(handler: BaseHTTPRequestHandler) -> None:
    """No HTTP at all."""
    handler.wfile.write(b"\x00\xff\x16\x03garbage\r\n\r\n" * 50)


def no_json(handler: BaseHTTPRequestHandler) -> None:
    """HTTP, and nothing that can be understood in it."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n<html>\xff\xfe{}")


def nested(handler: BaseHTTPRequestHandler) -> None:
    """JSON nested beyond reason."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000)


def elsewhere(handler: BaseHTTPRequestHandler) -> None:
    """A redirection to another machine."""
    handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/version\r\nContent-Length: 0\r\n\r\n")


def endless(handler: BaseHTTPRequestHandler) -> None:
    """An answer without an end, as fast as it can be read."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    try:
        while True:
            handler.wfile.write(chunk)
    except OSError:
        pass


class Slow:
    """Answers that never come to an end until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def silent(self, handler: BaseHTTPRequestHandler) -> None:
        """Nothing at all."""
        self.released.wait(30)

    def dripping(self, handler: BaseHTTPRequestHandler) -> None:
        """A byte now and then, so that no single wait is long."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        self._drip(handler)

    def dripping_headers(self, handler: BaseHTTPRequestHandler) -> None:
        """The same before the answer has begun."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self._drip(handler)

    def _drip(self, handler: BaseHTTPRequestHandler) -> None:
        try:
            while not self.released.wait(0.05):
                handler.wfile.write(b" ")
        except OSError:
            pass
