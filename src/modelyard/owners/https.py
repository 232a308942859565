"""Asks servers on the network, bounded in time and bytes and never with a secret; what went wrong is a Problem."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, urljoin, urlsplit

from msgspec import Struct

from modelyard import __version__
from modelyard.owners.connecting import Way, trusted, way
from modelyard.problem import Problem
from modelyard.walk.text import shown

CAP = 32 << 20
HOPS = 5
A_DAY = 86400.0
REDIRECTS = (301, 302, 303, 307, 308)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
GIVEN_UP = ("offline", "slow", "certificate")
"""After these the same server is not asked again."""
PIECE = 1 << 20
Sink = Callable[[bytes], object]
"""Takes the pieces of a body as they come; what it raises ends the answer."""
HEADERS = {"User-Agent": f"modelyard/{__version__}", "Accept-Encoding": "identity"}


class Reply(Struct, frozen=True):
    """What a server answered; the names of the headers are in lower case, the body is empty for HEAD."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Call:
    """A connection that another thread may end, whatever is waited for on it."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._socket: socket.socket | None = None
        self.ended = False

    def connect(self) -> None:
        """Opens it, and remembers the socket: the connection itself forgets it as soon as an answer begins."""
        self._connection.connect()
        self._socket = self._connection.sock
        if self.ended:  # while it was being opened
            raise ConnectionAbortedError(errno.ECONNABORTED, os.strerror(errno.ECONNABORTED))

    def hang_up(self) -> None:
        """Ends it; past the layer of TLS, which would forget its state while it is used."""
        self.ended = True
        line = self._socket or self._connection.sock
        try:
            if line is not None:
                socket.socket.shutdown(line, socket.SHUT_RDWR)
        except OSError:
            return


class Web:
    """A way to ask, with the proxies and certificates of these variables. Several threads may use it at once.

    `silence` and `whole` are the seconds that a server may say nothing, and that one answer may take in all. A server
    that could not be reached, took too long or asked to wait is not asked again.
    """

    def __init__(self, env: Mapping[str, str], silence: float = 10.0, whole: float = 30.0) -> None:
        self.env = env
        self._silence, self._whole = silence, whole
        self._down: dict[str, Problem] = {}
        self._live: set[_Call] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._context: ssl.SSLContext | Problem | None = None

    def ask(
        self, url: str, method: str = "GET", *, accept: str = "*/*", cap: int = CAP, follow: bool = True
    ) -> Reply | Problem:
        """The answer, of at most `cap` bytes. Redirects are followed to https, and from loopback to loopback."""
        local = _is_local(url)
        for _ in range(HOPS + 1):
            reply = self._guarded(url, method, accept, cap)
            if isinstance(reply, Problem) or reply.status not in REDIRECTS or not follow:
                return reply
            came, url = url, joined(url, reply.headers.get("location", ""))
            if not url.startswith("https://") and not (local and _is_local(url)):
                return Problem(named(came), "unsafe-redirect", f"it leads to {named(url)}, which is not https")
        return Problem(named(url), "redirect-loop", f"it leads from one address to the next more than {HOPS} times")

    def fetch(self, url: str, sink: Sink, start: int = 0) -> Reply | Problem:
        """The answer without its body, which goes into the sink from byte `start` on, however long it takes.

        A status of 200 where `start` is not 0 means that the server sends everything from the beginning: then nothing
        of it is taken. Redirects are followed as `ask` follows them; their bodies are not taken.
        """
        local, came = _is_local(url), url
        for _ in range(HOPS + 1):
            reply = self._guarded(url, "GET", "*/*", CAP, (sink, start))
            if isinstance(reply, Problem) or reply.status not in REDIRECTS:
                return reply
            came, url = url, joined(url, reply.headers.get("location", ""))
            if not url.startswith("https://") and not (local and _is_local(url)):
                return Problem(named(came), "unsafe-redirect", f"it leads to {named(url)}, which is not https")
        return Problem(named(url), "redirect-loop", f"it leads from one address to the next more than {HOPS} times")

    def close(self) -> None:
        """Hangs up on everybody, whatever the other threads wait for."""
        with self._lock:
            self._closed = True
            live = list(self._live)
        for call in live:
            call.hang_up()

    def _guarded(
        self, url: str, method: str, accept: str, cap: int, into: tuple[Sink, int] | None = None
    ) -> Reply | Problem:
        """One request, to a server that is not known to be out of reach."""
        parts = _split(url)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            return Problem(named(url), "bad-address", f"{named(url)} is no address of http or https without a password")
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin in self._down:
            return self._down[origin]
        with self._lock:
            self._context = self._context or trusted(self.env)
            context = self._context
        if isinstance(context, Problem):
            return context
        found = way(parts, self.env, context, self._silence, direct=_is_local(url))
        reply = found if isinstance(found, Problem) else self._once(parts, method, accept, cap, found, into)
        if isinstance(reply, Reply) and reply.status == 429:
            words = f"{shown(parts.hostname)} asks to wait (429 Too Many Requests); try again later"
            reply = self._down[origin] = Problem(named(url), "busy", words)
        elif isinstance(reply, Problem) and reply.code in GIVEN_UP:
            self._down[origin] = reply
        return reply

    def _once(
        self, parts: SplitResult, method: str, accept: str, cap: int, found: Way, into: tuple[Sink, int] | None
    ) -> Reply | Problem:
        url, call = parts.geturl(), _Call(found.connection)
        more = {"Range": f"bytes={into[1]}-"} if into and into[1] else {}
        watch = threading.Timer(self._whole if into is None else A_DAY, call.hang_up)
        watch.daemon = True
        try:
            with self._lock:
                self._live.add(call)
            watch.start()
            if self._closed:
                return Problem(named(url), "interrupted", "interrupted")
            call.connect()
            headers = {**HEADERS, "Accept": accept, **more, **found.headers}
            found.connection.request(method, found.target, headers=headers)
            answer = found.connection.getresponse()
            reply = _read(url, method, answer, cap) if into is None else _poured(url, answer, *into)
            return self._too_slow(url) if call.ended else reply
        except (OSError, http.client.HTTPException, ValueError) as error:
            slow = call.ended or isinstance(error, TimeoutError)
            return self._too_slow(url) if slow else _failed(url, error)
        finally:
            watch.cancel()
            with self._lock:
                self._live.discard(call)
            found.connection.close()

    def _too_slow(self, url: str) -> Problem:
        return Problem(named(url), "slow", f"{_host(url)} gave no whole answer in {self._whole:.0f} seconds")


def _failed(url: str, error: Exception) -> Problem:
    host = _host(url)
    if isinstance(error, ssl.SSLError):
        return Problem(named(url), "certificate", f"{host} cannot be trusted: {shown(error.reason or str(error))}")
    if isinstance(error, socket.gaierror):
        return Problem(named(url), "offline", f"{host} cannot be reached: no such host, or no network")
    if isinstance(error, OSError):
        why = os.strerror(error.errno) if error.errno else shown(str(error)) or type(error).__name__
        return Problem(named(url), "offline", f"{host} cannot be reached: {why}")
    return Problem(named(url), "bad-answer", f"{host} does not speak HTTP as it should: {type(error).__name__}")


def _read(url: str, method: str, answer: http.client.HTTPResponse, cap: int) -> Reply | Problem:
    """The head and the body of an answer, no more than the cap."""
    headers = {name.lower(): value for name, value in answer.getheaders()}
    size = number(headers.get("content-length", ""))
    if method == "HEAD":
        return Reply(url, answer.status, headers, b"")
    body = b"" if size is not None and size > cap else answer.read(cap + 1)
    if max(len(body), size or 0) > cap:
        return Problem(named(url), "too-large", f"{_host(url)} sends more than the {cap >> 20} MiB that are read")
    if size is not None and len(body) < size:
        return Problem(named(url), "bad-answer", f"{_host(url)} broke off in the middle of its answer")
    return Reply(url, answer.status, headers, body)


def _poured(url: str, answer: http.client.HTTPResponse, sink: Sink, start: int) -> Reply | Problem:
    """The head of an answer, after its body went into the sink; a Problem `broken-off` when it ended before."""
    headers = {name.lower(): value for name, value in answer.getheaders()}
    if answer.status != (206 if start else 200):
        return Reply(url, answer.status, headers, b"")
    size, taken = number(headers.get("content-length", "")), 0
    try:
        while piece := answer.read(PIECE):
            sink(piece)
            taken += len(piece)
    except http.client.IncompleteRead as broken:
        sink(broken.partial)
        return Problem(named(url), "broken-off", f"{_host(url)} broke off in the middle of its answer")
    if size is not None and taken < size:
        return Problem(named(url), "broken-off", f"{_host(url)} broke off in the middle of its answer")
    return Reply(url, answer.status, headers, b"")


def number(text: str) -> int | None:
    """A count of bytes as headers write it, None for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def joined(url: str, target: str) -> str:
    """Where a redirect leads, as it stands for what is no address at all."""
    try:
        return urljoin(url, target)
    except ValueError:
        return target


def named(url: str) -> str:
    """An address as it may be shown: without a password or a signature in it."""
    parts = _split(url)
    if parts is None:
        return shown(url[:200])
    return shown(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200])


def _host(url: str) -> str:
    parts = _split(url)
    return shown(parts.netloc.rpartition("@")[2]) if parts else shown(url[:200])


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _is_local(url: str) -> bool:
    parts = _split(url)
    return parts is not None and parts.hostname in LOOPBACK
