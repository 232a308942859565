"""A registry on the loopback interface that models can be pulled from: manifests by name and tag, blobs by digest."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self, cast

MANIFEST = re.compile(r"/v2/(?P<name>[^/]+/[^/]+)/manifests/(?P<tag>[^/]+)")
BLOB = re.compile(r"/v2/(?P<name>[^/]+/[^/]+)/blobs/sha256:(?P<digest>[0-9a-f]{64})")
KIND = "application/vnd.docker.distribution.manifest.v2+json"


class Registry(ThreadingHTTPServer):
    """Serves what lies in a folder as an Ollama server keeps it; `with Registry(folder) as registry:`."""

    daemon_threads = True

    def __init__(self, models: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.models = models
        self.host = f"127.0.0.1:{self.server_port}"
        self.instead: dict[str, tuple[int, dict[str, str]]] = {}
        """Status and headers for a method and a path in place of the usual answer, by a pattern."""
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def registry(self) -> Registry:
        return cast(Registry, self.server)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gave
        """Says nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.registry.asked.append(f"{self.command} {self.path}")
        for pattern, (status, headers) in self.registry.instead.items():
            if re.fullmatch(pattern, f"{self.command} {self.path}"):
                return self._send(status, b"", headers)
        if found := MANIFEST.fullmatch(self.path):
            return self._file(self.registry.models / "manifests" / found["name"] / found["tag"], KIND)
        if found := BLOB.fullmatch(self.path):
            return self._file(self.registry.models / "blobs" / f"sha256-{found['digest']}", "application/octet-stream")
        return self._send(404, b'{"errors":[{"code":"NAME_UNKNOWN"}]}', {})

    def _file(self, path: Path, kind: str) -> None:
        if not path.is_file():
            return self._send(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', {})
        return self._send(200, path.read_bytes(), {"Content-Type": kind})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
