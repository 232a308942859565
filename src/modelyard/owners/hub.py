"""Asks the Hugging Face Hub, or the mirror in HF_ENDPOINT, what a revision holds; public requests without a token.

Routes as huggingface_hub 1.x asks for them: `/api/…/revision/…`, `/api/…/tree/…`, `…/resolve/…`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import msgspec

from modelyard.inventory import Held, Source
from modelyard.owners.https import REDIRECTS, Reply, Web, joined, named, number
from modelyard.owners.offered import NO_TOKEN, Offered, refused, understood
from modelyard.problem import Problem
from modelyard.walk.text import shown

ENDPOINT = "https://huggingface.co"
PAGES = 1000
NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
CODES = {
    "RepoNotFound": f"the Hub shows no such repository: it was deleted or is private, {NO_TOKEN}",
    "RevisionNotFound": "the Hub has the repository, and this revision no longer",
    "GatedRepo": f"it is gated on the Hub, {NO_TOKEN}",
    "EntryNotFound": "the Hub has the revision, and not this file",
    "DisabledRepo": "the Hub has disabled the repository",
}


class Info(msgspec.Struct):
    """A repository at one revision."""

    id: str
    sha: str
    private: bool = False
    gated: bool | str = False
    disabled: bool | None = None


class Large(msgspec.Struct):
    """A file that the Hub keeps outside git, by SHA-256."""

    oid: str
    size: int


class Entry(msgspec.Struct):
    """A file or folder of a revision; `oid` is git's SHA-1 of it."""

    type: str
    path: str
    oid: str
    size: int = 0
    lfs: Large | None = None


def endpoint(env: Mapping[str, str]) -> str:
    """Where the Hub is, as its own client finds it."""
    return (env.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")


def who(web: Web, source: Source) -> str:
    """The source in words, with its address where that is not the usual one."""
    at = endpoint(web.env)
    return "the Hub" if at == ENDPOINT else f"the Hub at {named(at)}"


def offered(web: Web, source: Source) -> dict[str, Offered] | Problem:
    """Every file of the revision by its path. A Problem when it is gated, private, gone, renamed or not to be had."""
    name = source.name.partition("/")[2]
    base = f"{endpoint(web.env)}/api/{quote(source.name)}"
    reply = _asked(web, f"{base}/revision/{quote(source.revision, safe='')}")
    if isinstance(reply, Problem):
        return reply
    info = understood(reply, Info, "the Hub")
    if isinstance(info, Problem):
        return info
    if info.id != name:
        return Problem(reply.url, "renamed", f"it is called {shown(info.id)} on the Hub now")
    if info.sha != source.revision:
        return Problem(reply.url, "changed", f"the Hub gives {shown(info.sha[:12])} for this revision")
    if info.gated or info.private or info.disabled:
        state = "disabled" if info.disabled else "gated" if info.gated else "private"
        return Problem(reply.url, state, f"it is {state} on the Hub, {NO_TOKEN}")
    return _files(web, f"{base}/tree/{quote(source.revision, safe='')}?recursive=true&expand=false")


def _files(web: Web, url: str) -> dict[str, Offered] | Problem:
    """All pages of a listing."""
    found: dict[str, Offered] = {}
    start = urlsplit(url)
    for _ in range(PAGES):
        page = _page(web, url)
        if isinstance(page, Problem):
            return page
        entries, more = page
        for each in entries:
            if each.type == "file":
                names = (each.oid, each.lfs.oid) if each.lfs else (each.oid,)
                found[each.path] = Offered(each.lfs.size if each.lfs else each.size, names)
        if not more:
            return found
        url = joined(url, more)
        if urlsplit(url)[:2] != start[:2]:
            return Problem(named(url), "bad-answer", "the Hub leads to another server for the rest of its list")
    return Problem(named(url), "bad-answer", f"the Hub lists more than {PAGES:,} pages")


def _page(web: Web, url: str) -> tuple[list[Entry], str] | Problem:
    """One page of a listing and the address of the next, empty after the last."""
    reply = _asked(web, url)
    if isinstance(reply, Problem):
        return reply
    entries = understood(reply, list[Entry], "the Hub")
    if isinstance(entries, Problem):
        return entries
    more = NEXT.search(reply.headers.get("link", ""))
    return entries, more[1] if more else ""


def file_address(web: Web, source: Source, path: str) -> str:
    """Where the Hub gives a file of a revision."""
    kind, _, name = source.name.partition("/")
    folder = name if kind == "models" else source.name
    return f"{endpoint(web.env)}/{quote(folder)}/resolve/{quote(source.revision, safe='')}/{quote(path)}"


def withheld(web: Web, source: Source) -> Problem | None:
    """Why the largest file would not be sent, asked as a download begins; its bytes are not fetched."""
    largest = max(source.files, key=lambda each: (each.size, each.path))
    url = file_address(web, source, largest.path)
    start = urlsplit(url)
    for _ in range(5):
        reply = _asked(web, url, "HEAD")
        if isinstance(reply, Problem):
            return reply
        place = joined(url, reply.headers.get("location", ""))
        if reply.status not in REDIRECTS or urlsplit(place)[:2] != start[:2]:
            return _differs(reply, largest)
        url = place
    return Problem(named(url), "redirect-loop", "the Hub leads from one address to the next and never to the file")


def _differs(reply: Reply, wanted: Held) -> Problem | None:
    """Why what would be sent is not the file; a redirect to where the bytes are tells it in headers of its own."""
    told = reply.headers.get("x-linked-etag") or reply.headers.get("etag", "")
    digest = told.removeprefix("W/").strip('"')
    if not digest:
        return Problem(reply.url, "bad-answer", f"the Hub does not say what it would send for {shown(wanted.path)}")
    size = number(reply.headers.get("x-linked-size") or reply.headers.get("content-length", ""))
    linked = "x-linked-size" in reply.headers or reply.status == 200
    if digest not in wanted.digest.split() or (linked and size is not None and size != wanted.size):
        return Problem(reply.url, "changed", f"the Hub would send something else for {shown(wanted.path)}")
    return None


def _asked(web: Web, url: str, method: str = "GET") -> Reply | Problem:
    """An answer that is one; a redirect of an API means that the repository has another name now."""
    reply = web.ask(url, method, accept="application/json" if method == "GET" else "*/*", follow=False)
    if isinstance(reply, Problem):
        return reply
    code = reply.headers.get("x-error-code", "")
    if reply.status >= 400 and code in CODES:
        return Problem(named(url), code, CODES[code])
    if reply.status in REDIRECTS:
        if method == "HEAD":
            return reply
        place = urlsplit(joined(url, reply.headers.get("location", ""))).path
        return Problem(named(url), "renamed", f"it was renamed or moved on the Hub, to {shown(place[:120])}")
    return refused(reply, "the Hub", "the Hub has no such repository or revision") or reply
