"""Before and after every request: who may ask, by what name, and how long it took."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from modelyard.serve.service import Service

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
OPEN = frozenset({"/health", "/v2/health/live", "/v2/health/ready", "/docs"})
"""Whether it lives may be asked by anybody; the page tells nothing of the model by itself."""


class BodyError(Exception):
    """A body that is not taken: the status, and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Door:
    """Refuses strangers, and measures everybody else."""

    def __init__(self, app: Asgi, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with self._service.measures.open.track_inprogress():
                await (self._refusal(scope) or self._app)(scope, receive, noted)
        finally:
            route = scope.get("route")
            self._service.measures.request(getattr(route, "path", "other"), status, time.perf_counter() - begun)

    def _refusal(self, scope: Scope) -> Asgi | None:
        """The answer to somebody who may not ask."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        access = self._service.access
        if access.hosts and _host(headers.get(b"host", "")) not in access.hosts:
            return error(400, "this server answers to its own address alone; a proxy needs --host and a token")
        if not access.token or scope["path"] in OPEN:
            return None
        sent = headers.get(b"authorization", "")
        if hmac.compare_digest(sent.encode(), f"Bearer {access.token}".encode()):
            return None
        return error(401, "the header `Authorization: Bearer TOKEN` is missing or wrong", challenge=True)


def _host(header: str) -> str:
    """The name in a Host header without its port."""
    return header[: header.index("]") + 1] if header.startswith("[") and "]" in header else header.partition(":")[0]


def error(status: int, message: str, field: str = "", *, challenge: bool = False) -> JSONResponse:
    """An answer that says what was wrong, and in which field of the request."""
    headers = {"WWW-Authenticate": "Bearer"} if challenge else {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"error": message, "field": field or None}, status, headers)


async def body_of(request: Request, service: Service) -> bytes:
    """The whole body. BodyError when it is larger than the limit or comes too slowly."""
    most = service.limits.body
    too_large = BodyError(413, f"a body may have {most:,} bytes; --max-body says otherwise")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > most:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(service.limits.bounds.patience):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
    except TimeoutError as slow:
        raise BodyError(408, "the body did not arrive in time") from slow
    return b"".join(parts)


def media_of(request: Request) -> str:
    """The content type without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
