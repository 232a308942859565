"""Models that a running Ollama server has loaded."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from modelyard.inventory import Artifact, Use
from modelyard.stores.json import parsed

PORT, SECONDS, CAP = 11434, 1.0, 1 << 20
LOCAL = {"", "0.0.0.0", "::", "localhost", "127.0.0.1", "::1"}  # noqa: S104 - compared with, never bound to


class Loaded(msgspec.Struct):
    """One entry of `/api/ps`."""

    name: str = ""
    model: str = ""
    expires_at: str = ""


class Running(msgspec.Struct):
    """The answer of `GET /api/ps`."""

    models: list[Loaded] = []


def loaded(env: Mapping[str, str]) -> list[Loaded] | None:
    """What the Ollama server of this machine has in memory; None where none answers. Another machine is not asked."""
    address = env.get("OLLAMA_HOST", "").strip().strip("\"'")
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        if (parts.hostname or "") not in LOCAL:
            return None
        connection = http.client.HTTPConnection("127.0.0.1", parts.port or PORT, timeout=SECONDS)
        connection.request("GET", "/api/ps")
        answer = parsed(connection.getresponse().read(CAP), Running)
        connection.close()
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return None if isinstance(answer, ValueError) else answer.models


def users(artifact: Artifact, models: list[Loaded]) -> Iterator[Use]:
    """The server, where it has this model loaded."""
    name = artifact.id.removeprefix("ollama:")
    for each in models:
        if artifact.store == "ollama" and name in (each.name, each.model):
            until = f" until {each.expires_at}" if each.expires_at else ""
            yield Use("server", "the Ollama server", f"has it loaded{until} (/api/ps)", "high")
