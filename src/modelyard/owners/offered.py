"""What a source says that it has, and the words for what it refuses."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from modelyard.owners.https import Reply
from modelyard.problem import Problem

T = TypeVar("T")
NO_TOKEN = "and modelyard sends no token"  # noqa: S105 - words about one


class Offered(Struct, frozen=True):
    """A file at its source: bytes, and the digests in hex under which it may be known here."""

    size: int
    digests: tuple[str, ...]


def refused(reply: Reply, who: str, missing: str) -> Problem | None:
    """Why an answer is none; `missing` says what 404 means there."""
    status = reply.status
    if status == 200:
        return None
    words = {
        401: f"{who} wants to know who asks (401): it is private or gated or was deleted, {NO_TOKEN}",
        403: f"{who} forbids it (403): it is gated or blocked, {NO_TOKEN}",
        404: f"{missing} (404)",
        410: f"{missing} (410)",
        451: f"{who} may not give it out (451)",
    }.get(status)
    if words is None and status >= 500:
        words = f"{who} is in trouble itself ({status}); try again later"
    return Problem(reply.url, "refused", words or f"{who} answered {status}")


def understood(reply: Reply, kind: type[T], who: str) -> T | Problem:
    """The JSON of an answer."""
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Problem(reply.url, "bad-answer", f"{who} answered something that is not its API")
