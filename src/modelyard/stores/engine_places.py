"""Where container engines listen: sockets by default, by variables, and by the settings of their commands."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Place, Root
from modelyard.problem import Problem
from modelyard.stores.places import expand
from modelyard.stores.settings import json_settings

WELL_KNOWN = ("desktop-linux", "rootless", "colima", "orbstack", "rancher-desktop")
"""Contexts that common installers make; one that is in use is found by its name, whatever it is."""
QUIET = ("default", "context ")
"""How a place was found that may well be empty: nobody asked for it."""


class CommandSettings(msgspec.Struct, rename="camel"):
    """The part of Docker's `config.json` that says which context is in use."""

    current_context: str = ""


class ContextHost(msgspec.Struct, rename="pascal"):
    """One address of a context."""

    host: str = ""


class ContextSettings(msgspec.Struct, rename="pascal"):
    """A context's `meta.json`."""

    endpoints: dict[str, ContextHost] = {}


def endpoint(address: str, found_by: str, home: Path) -> Root:
    """The root for an address. Only a socket or pipe is surely on this machine: a port may lead anywhere."""
    scheme, separator, rest = address.strip().partition("://")
    if scheme == "unix" and separator:
        return local(rest, found_by, home)
    if scheme == "npipe" and separator:
        return Root(rest, found_by, endpoint=True)
    if not separator and scheme.startswith("/"):
        return local(scheme, found_by, home)
    return Root(address.strip(), found_by, endpoint=True, remote=True)


def local(path: str, found_by: str, home: Path, *, system: bool = False) -> Root:
    """The root for a socket on this machine."""
    return Root(expand(path, {}, home), found_by, system=system, endpoint=True)


def docker_contexts(env: Mapping[str, str], home: Path) -> Iterator[Place]:
    """The address of the context in use, by `DOCKER_CONTEXT` or the settings, then those of well-known ones."""
    folder = Path(expand(env.get("DOCKER_CONFIG") or "~/.docker", env, home))
    name, found_by = env.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    if not name:
        settings = json_settings(str(folder / "config.json"), CommandSettings)
        if isinstance(settings, Problem):
            yield settings
        else:
            name, found_by = settings.current_context, f"{folder / 'config.json'} currentContext"
    if name not in ("", "default"):
        yield _context(folder, name, found_by, home) or _unknown(folder, name, found_by)
    for each in WELL_KNOWN:
        known = _context(folder, each, f"context {each}", home)
        if known and each != name:
            yield known


def _context(folder: Path, name: str, found_by: str, home: Path) -> Place | None:
    """A context's address; its file lies in a folder called by the digest of its name."""
    path = folder / "contexts" / "meta" / hashlib.sha256(os.fsencode(name)).hexdigest() / "meta.json"
    settings = json_settings(str(path), ContextSettings)
    if isinstance(settings, Problem):
        return settings
    address = settings.endpoints.get("docker", ContextHost()).host
    return endpoint(address, found_by, home) if address else None


def _unknown(folder: Path, name: str, found_by: str) -> Problem:
    words = f"{found_by} names the context {name!r}, which is not there"
    return Problem(str(folder / "contexts"), "unknown-context", words, "docker context ls")


def once(places: Iterable[Place]) -> Iterator[Place]:
    """Each socket once, though links and several settings lead to it."""
    seen: set[str] = set()
    for place in places:
        if isinstance(place, Root) and place.endpoint and not place.remote:
            real = os.path.realpath(place.path.replace("\0", ""))
            if real in seen:
                continue
            seen.add(real)
        yield place
