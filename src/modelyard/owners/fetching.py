"""Fetches one file again, of which the digest is known, however often the line breaks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct

from modelyard.owners.https import Web, named, number
from modelyard.problem import Problem

TRIES = 5
Digest = Literal["sha256", "git-sha1"]


class Hash(Protocol):
    """A digest that grows."""

    def update(self, data: bytes, /) -> object: ...

    def hexdigest(self) -> str: ...


class _Taken(Struct):
    """What has come so far."""

    sink: Callable[[bytes], object]
    digest: Hash
    size: int | None
    count: int = 0

    def take(self, piece: bytes) -> None:
        """One piece more; OverflowError when it is more than the file has."""
        self.count += len(piece)
        if self.size is not None and self.count > self.size:
            raise OverflowError
        self.digest.update(piece)
        self.sink(piece)


def fetch(
    web: Web, url: str, method: Digest, digest: str, size: int | None, sink: Callable[[bytes], object]
) -> Problem | None:
    """Gives every byte of a file to the sink; a Problem where it cannot be had or is not the file of that digest.

    git's SHA-1 begins with the length: where nobody knows it the server is asked first. What the sink raises is passed
    on.
    """
    if size is None and method == "git-sha1":
        told = _length(web, url)
        if isinstance(told, Problem):
            return told
        size = told
    start = hashlib.sha256() if method == "sha256" else hashlib.sha1(b"blob %d\0" % (size or 0), usedforsecurity=False)
    taken = _Taken(sink, start, size)
    for _ in range(TRIES):
        before = taken.count
        try:
            reply = web.fetch(url, taken.take, taken.count)
        except OverflowError:
            return Problem(named(url), "changed", f"{named(url)} sends more than the {size:,} bytes of the file")
        if not isinstance(reply, Problem):
            if reply.status not in (200, 206):
                return Problem(named(url), "refused", f"{named(url)} answers {reply.status}")
            if reply.status == (206 if before else 200):
                break
            return Problem(named(url), "broken-off", f"{named(url)} broke off and does not go on where it stopped")
        if reply.code not in ("broken-off", "slow") or taken.count == before:
            return reply
    if taken.digest.hexdigest() != digest:
        return Problem(named(url), "changed", f"what {named(url)} sends is not the file: its digest differs")
    return None


def _length(web: Web, url: str) -> int | Problem:
    """Bytes that the server would send."""
    reply = web.ask(url, "HEAD")
    if isinstance(reply, Problem):
        return reply
    size = number(reply.headers.get("x-linked-size") or reply.headers.get("content-length", ""))
    if reply.status != 200 or size is None:
        return Problem(named(url), "refused", f"{named(url)} answers {reply.status} and does not tell how long it is")
    return size
