"""A server in a thread of the test, and a client for it."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from modelyard.serve.app import application
from modelyard.serve.running import address_of, bound
from modelyard.serve.service import Service

PATIENCE = 20


@dataclass(frozen=True)
class Answered:
    """Status, headers in lower case, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(url: str, body: bytes | object = None, media: str = "application/json", **headers: str) -> Answered:
    """One request; a body that is no bytes goes as JSON. `_` in names of headers stands for `-`."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        sent["Content-Type"] = media
    request = urllib.request.Request(url, data, sent)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return Answered(answer.status, _lower(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answered(error.code, _lower(error.headers), error.read())


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def served(service: Service) -> Iterator[str]:
    """The URL of a running server."""
    listening = bound("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(application(service), log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield address_of(listening)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listening.close()
        assert not thread.is_alive()
