"""Binds an address, runs the server until it is told to stop, and lets nobody ask from outside without a token."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from modelyard.serve.app import application
from modelyard.serve.service import Access, Service

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
GRACE = 30
"""Seconds that requests have to end in after a signal."""


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def access_for(host: str, token: str) -> Access:
    """Who may ask at this address: on loopback anybody who asks for this machine by its own names, elsewhere whoever

    has the token; one is made where none is given.
    """
    if is_loopback(host):
        return Access(token, LOCAL_NAMES | {host if ":" not in host else f"[{host.strip('[]')}]"})
    return Access(token or secrets.token_urlsafe(24))


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any that is free. OSError as the system raises it.

    Its protocol is named: asyncio sends small answers at once only over sockets that say they are TCP.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    return listening


def address_of(listening: socket.socket) -> str:
    """The URL of a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(service: Service, listening: socket.socket, begun: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM; requests that are under way are answered first. Calls `begun` once it answers."""
    config = uvicorn.Config(
        application(service),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    waits = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await waits(sockets)
        begun()

    server.startup = startup  # type: ignore[method-assign]
    with suppress(KeyboardInterrupt):  # raised again once everything was answered
        server.run(sockets=[listening])
