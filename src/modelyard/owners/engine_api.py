"""Which engine answers at an address, and the version of its API that it is spoken to in, which is always sent."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from modelyard.owners import engine_replies as replies

NEWEST = (1, 53)
"""The newest API whose answers are known here; a newer engine is asked in this one."""
NO_VERSION = "no version of an API in its answer"


class Api(Struct, frozen=True):
    """The API that an engine offers. What a question means depends on the version that comes with it."""

    podman: bool
    offered: tuple[int, ...]

    @property
    def spoken(self) -> tuple[int, ...]:
        """The version that is sent."""
        return min(self.offered, NEWEST)

    @property
    def prefix(self) -> str:
        """How every path begins."""
        return f"/v{self.spoken[0]}.{self.spoken[1]}"


def api_told(headers: Mapping[str, str]) -> Api | None:
    """The API by what comes with an answer to `/_ping`, by which clients tell Podman (its ping.go); None without one.

    Podman runs programs to answer `/version`, which takes a third of a second.
    """
    return _api("Libpod-Api-Version" in headers, headers.get("Api-Version", ""))


def api_of(version: replies.Version) -> Api | None:
    """The API by an engine's answer to `/version`; None where it names none."""
    podman = any("podman" in (part.name or "").lower() for part in version.components or ())
    return _api(podman, version.api_version)


def _api(podman: bool, text: str) -> Api | None:
    offered = tuple(int(part) for part in re.findall(r"\d{1,6}", text)[:2])
    return Api(podman, offered) if len(offered) == 2 else None
