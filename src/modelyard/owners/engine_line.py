"""One conversation with a container engine over its socket, with limits on time and size, errors as values.

A question is a GET. Only `docker_removal` sends anything else.

The transport is that of the `docker` package. Its client is left out: that one reads settings and secrets of the user
when it is made, and follows what the engine answers without limits.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec
from msgspec import Struct, field

from modelyard.problem import Problem
from modelyard.walk.text import shown

if TYPE_CHECKING:
    from requests import Response, Session

T = TypeVar("T")
MOST = 1 << 26
CHUNK = 1 << 16
WAIT = 4.0
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED})
INSTALL = 'pip install "modelyard[docker]"'
FORBIDDEN = "add yourself to the group that owns the socket (for Docker: docker) and log in again, or run as its owner"
SLOW = "see whether `docker system df` comes back, or that of podman, and run again"
STRANGE = "is it the socket of a container engine? what moves it is in `modelyard where`"


def reach(address: str) -> Problem | None:
    """Why nothing can be asked at this address, None when something listens there. Pipes of Windows are not tried."""
    if address.startswith("npipe:"):
        return None
    path = address.removeprefix("unix://")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(WAIT)
        try:
            line.connect(os.fsencode(path))
        except OSError as error:
            return _refused(path, error)
    return None


def _refused(path: str, error: OSError) -> Problem:
    words = error.strerror or str(error) or type(error).__name__
    if error.errno in ABSENT:
        return Problem(
            shown(path), "unreachable", f"no engine listens here: {words}", "start it, or unset what names it"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Problem(shown(path), "forbidden", f"the engine's socket may not be used: {words}", FORBIDDEN)
    return Problem(shown(path), "unreachable-engine", f"the socket cannot be used: {words}", STRANGE)


def within(seconds: float, work: Callable[[], T], late: Problem) -> T | Problem:
    """What the work gives, or `late` when it takes longer: whatever a socket does, a survey goes on."""
    done: list[T] = []
    worker = threading.Thread(target=lambda: done.append(work()), daemon=True)
    worker.start()
    worker.join(seconds)
    return done[0] if done else late


class Reply(Struct, frozen=True):
    """What an engine answered, whatever it was."""

    status: int
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """In any spelling."""


class Line:
    """A session with the engine at an address, `unix:///path` or `npipe:////./pipe/name`."""

    def __init__(self, address: str, session: Session) -> None:
        self.address, self._session = address, session

    def ask(self, path: str, kind: type[T], seconds: float, **query: str) -> T | Problem:
        """The answer as this type; at most `seconds` for all of it."""
        reply = self.send("GET", path, seconds, **query)
        if isinstance(reply, Problem):
            return reply
        if reply.status != 200:
            return self.problem(
                "engine-error", f"{path}: the engine answered {reply.status}: {brief(reply.data[:300])}"
            )
        return self.typed(path, reply.data, kind)

    def send(
        self, method: Literal["GET", "DELETE", "POST"], path: str, seconds: float, **query: str
    ) -> Reply | Problem:
        """The whole answer. With a Problem nobody knows what the engine did."""
        import requests  # late, with the package

        until = time.monotonic() + seconds
        try:
            with self._session.request(
                method, f"http+docker://engine{path}", params=query, timeout=seconds, stream=True, allow_redirects=False
            ) as answer:
                data = _drain(answer, until)
                status, headers = answer.status_code, answer.headers
        except requests.Timeout:
            return self._late(path, seconds)
        except (requests.RequestException, OSError, ValueError) as error:
            return self.problem("broken-engine", f"{path}: the engine broke off: {brief(error)}", STRANGE)
        if data is None:
            return self._late(path, seconds)
        if len(data) > MOST:
            return self.problem("too-large", f"{path}: the engine's answer is longer than {MOST} bytes")
        return Reply(status, data, headers)

    def typed(self, path: str, data: bytes, kind: type[T]) -> T | Problem:
        """The JSON of an answer as this type."""
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self.problem("strange-engine", f"{path}: an answer that is not understood: {brief(error)}", STRANGE)

    def _late(self, path: str, seconds: float) -> Problem:
        words = f"{path}: no whole answer within {seconds:.0f} seconds"
        return self.problem("slow-engine", words, SLOW)

    def problem(self, code: str, message: str, hint: str = "") -> Problem:
        """A Problem with this engine."""
        return Problem(shown(self.address), code, message, hint)


def _drain(answer: Response, until: float) -> bytes | None:
    """The whole answer, a little more than the most that is read, or None when time is up."""
    parts, size = [], 0
    for part in answer.iter_content(CHUNK):
        parts.append(part)
        size += len(part)
        if size > MOST:
            break
        if time.monotonic() > until:
            return None
    return b"".join(parts)


def brief(what: object) -> str:
    """Words of an engine or an error, short and harmless to show."""
    text = what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)
    return shown(" ".join(text.split())[:200]) or type(what).__name__


def connect(address: str) -> Line | Problem:
    """A line to the engine at this address; nothing is asked yet. A Problem without the `docker` package."""
    try:
        import requests
        from docker import transport
    except ImportError:
        words = "a container engine is here, and what it holds cannot be asked without the docker package"
        return Problem(shown(address), "missing-package", words, INSTALL)
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc of the user
    session.adapters.clear()
    if address.startswith("npipe:"):
        if sys.platform != "win32":
            return Problem(shown(address), "unreachable-engine", "pipes of this kind exist on Windows only")
        session.mount("http+docker://", transport.NpipeHTTPAdapter(address))
    else:
        session.mount("http+docker://", transport.UnixHTTPAdapter(address.replace("unix:", "http+unix:", 1)))
    return Line(address, session)
