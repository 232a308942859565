"""Asks the registry that an Ollama model was pulled from: its manifest, and whether each layer is there.

The registry protocol as the Ollama server speaks it when it pulls: `/v2/…/manifests/TAG`, HEAD of `/v2/…/blobs/DIGEST`.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from modelyard.inventory import Source
from modelyard.owners.https import LOOPBACK, Web, number
from modelyard.owners.offered import Offered, refused, understood
from modelyard.problem import Problem

ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"
USUAL = "registry.ollama.ai"
GONE = "the registry has no such model or tag"


class Layer(msgspec.Struct):
    """One blob of a model."""

    digest: str
    size: int


class Manifest(msgspec.Struct):
    """What a tag stands for."""

    layers: list[Layer]
    config: Layer


def who(web: Web, source: Source) -> str:
    """The source in words."""
    host = source.name.partition("/")[0]
    return "the Ollama registry" if host == USUAL else f"the registry {host}"


def _base(source: Source) -> str:
    host, _, name = source.name.partition("/")
    plain = host.rpartition(":")[0] or host
    return f"{'http' if plain in LOOPBACK else 'https'}://{host}/v2/{quote(name)}"


def offered(web: Web, source: Source) -> dict[str, Offered] | Problem:
    """Every layer of the tag, and its settings, by digest. A Problem when it is private, gone or not to be had."""
    reply = web.ask(f"{_base(source)}/manifests/{quote(source.revision, safe='')}", accept=ACCEPT)
    if isinstance(reply, Problem):
        return reply
    if problem := refused(reply, "the registry", GONE):
        return problem
    manifest = understood(reply, Manifest, "the registry")
    if isinstance(manifest, Problem):
        return manifest
    parts = {each.digest: each for each in (*manifest.layers, manifest.config)}
    here = {each.path for each in source.files}
    if set(parts) != here:
        return Problem(reply.url, "changed", f"the tag stands for other layers now: {len(set(parts) - here)} are new")
    return {name: Offered(each.size, (name.partition(":")[2],)) for name, each in parts.items()}


def withheld(web: Web, source: Source) -> Problem | None:
    """Why some layer would not be sent; each is asked for, and none is fetched."""
    for each in source.files:
        reply = web.ask(f"{_base(source)}/blobs/{quote(each.path, safe=':')}", "HEAD")
        if isinstance(reply, Problem):
            return reply
        if problem := refused(reply, "the registry", f"the registry no longer has the layer {each.path[:19]}"):
            return problem
        size = number(reply.headers.get("content-length", ""))
        if size is not None and size != each.size:
            return Problem(reply.url, "changed", f"the registry holds another {each.path[:19]}: {size} bytes")
    return None
