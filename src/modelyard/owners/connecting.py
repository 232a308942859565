"""Connections that are not open yet: straight or through the proxy, and whose certificates they trust."""

from __future__ import annotations

import http.client
import os
import ssl
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from modelyard.problem import Problem
from modelyard.walk.text import shown

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Way(Struct, frozen=True):
    """A connection, what to ask it for, and what the proxy on the way wants to be told."""

    connection: http.client.HTTPConnection
    target: str
    headers: Mapping[str, str]


def trusted(env: Mapping[str, str]) -> ssl.SSLContext | Problem:
    """The system's authorities, and those of the bundle that other tools are told of."""
    context = ssl.create_default_context()
    bundle = next((env[name] for name in BUNDLES if env.get(name)), "")
    try:
        if bundle:
            folder = os.path.isdir(bundle)
            context.load_verify_locations(None if folder else bundle, bundle if folder else None)
    except (OSError, ValueError) as error:
        return Problem(shown(bundle), "certificate", f"{shown(bundle)} holds no certificates: {shown(str(error))}")
    return context


def way(
    parts: SplitResult, env: Mapping[str, str], context: ssl.SSLContext, seconds: float, *, direct: bool
) -> Way | Problem:
    """How to reach an address of http or https; `direct` leaves the proxy of the variables out."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    proxy = None if direct else _proxy(env, parts)
    if isinstance(proxy, Problem):
        return proxy
    host, port = (proxy.hostname, proxy.port or 80) if proxy else (parts.hostname, parts.port)
    told = _introduction(proxy) if proxy else {}
    assert host is not None
    if parts.scheme == "http":
        plain = http.client.HTTPConnection(host, port, timeout=seconds)
        return Way(plain, f"http://{parts.netloc}{target}" if proxy else target, told)
    secure = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    if proxy:
        secure.set_tunnel(parts.hostname or "", parts.port or 443, headers=told)
    return Way(secure, target, {})


def _proxy(env: Mapping[str, str], parts: SplitResult) -> SplitResult | Problem | None:
    """The proxy for an address, by the variables that curl and Python know."""
    names = [name for each in (f"{parts.scheme}_proxy", "all_proxy") for name in (each, each.upper())]
    told = next((env[name] for name in names if env.get(name)), "")
    if not told or _is_spared(parts, env.get("no_proxy") or env.get("NO_PROXY") or ""):
        return None
    try:
        proxy = urlsplit(told if "//" in told else f"http://{told}")
        known = proxy.scheme == "http" and bool(proxy.hostname) and (proxy.port is None or proxy.port > 0)
    except ValueError:
        return Problem("proxy", "bad-proxy", "the proxy that a variable names is no address")
    if not known:
        return Problem("proxy", "bad-proxy", f"a proxy of {shown(proxy.scheme)} is not spoken here, only one of http")
    return proxy


def _is_spared(parts: SplitResult, told: str) -> bool:
    """Whether `no_proxy` names the host or a domain that it is in, with or without the port."""
    names = [each.strip().lstrip(".").lower() for each in told.split(",") if each.strip()]
    hosts = ((parts.hostname or "").lower(), parts.netloc.lower())
    return "*" in names or any(host == name or host.endswith(f".{name}") for name in names for host in hosts)


def _introduction(proxy: SplitResult) -> dict[str, str]:
    """What a proxy wants to know of whoever uses it, where its address says so."""
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return {"Proxy-Authorization": "Basic " + b64encode(pair).decode()}
