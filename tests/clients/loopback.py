"""A web server on the loopback interface: files by path, some of which arrive only half."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self, cast
from urllib.parse import urlsplit


class Web(ThreadingHTTPServer):
    """The server. `with Web() as web:` serves until the block ends; `asked` holds the paths of all requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        """By path, or by path and query."""
        self.headers: dict[str, Mapping[str, str]] = {}
        """Further headers of a file."""
        self.calls: dict[str, Callable[[bytes], bytes | str]] = {}
        """What answers a POST: with a document, or with the address where it is."""
        self.stalled: set[str] = set()
        """Files of which half is sent, and then nothing more."""
        self.broken: set[str] = set()
        """Files of which half is sent before the connection is closed."""
        self.asked: list[str] = []
        self.halfway, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops serving; whoever comes later finds no server."""
        if not self._closing.is_set():
            self._closing.set()
            self.shutdown()
            self._thread.join()
            self.server_close()

    def wait(self) -> None:
        """Until the server is closed."""
        self._closing.wait()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def web(self) -> Web:
        return cast(Web, self.server)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gave
        """Says nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path if self.path in self.web.files else urlsplit(self.path).path
        self.web.asked.append(self.path)
        content = self.web.files.get(path)
        if content is None:
            return self._send(404, b"", {})
        return self._send(200, content, self.web.headers.get(path, {}), path)

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        self.web.asked.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.web.calls[path](body) if path in self.web.calls else None
        if isinstance(answer, str):
            return self._send(302, b"", {"Location": answer})
        return self._send(404 if answer is None else 200, answer or b"{}", {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: Mapping[str, str], path: str = "") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with suppress(ConnectionError):  # the client may have been killed
            self._deliver(content, path)

    def _deliver(self, content: bytes, path: str) -> None:
        if path not in self.web.stalled | self.web.broken:
            self.wfile.write(content)
            return
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.web.halfway.set()
        if path in self.web.stalled:
            self.web.wait()
        self.close_connection = True
