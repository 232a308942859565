"""A small model hub on the loopback interface: repositories with commits, branches and tags, served over HTTP."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self, cast
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin", ".parquet")
"""Files that a hub keeps as LFS objects, named by sha256; all others are git blobs, named by sha1."""
ADDRESS = r"(?:(?P<kind>models|datasets|spaces|kernels)/)?(?P<name>[^/]+/[^/]+)"
RESOLVE = re.compile(rf"/{ADDRESS}/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
INFO = re.compile(rf"/api/{ADDRESS}(?:/revision/(?P<revision>[^/]+))?")
TREE = re.compile(rf"/api/{ADDRESS}/tree/(?P<revision>[^/]+)(?:/.*)?")
TOKEN = re.compile(rf"/api/{ADDRESS}/xet-read-token/(?P<revision>[^/]+)")


def git_id(content: bytes) -> str:
    """The name that git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def etag_of(path: str, content: bytes) -> str:
    """The name of the blob that a client keeps for the file."""
    return hashlib.sha256(content).hexdigest() if path.endswith(LARGE) else git_id(content)


@dataclass
class Repository:
    """Every commit with its files, and what each branch and tag names now."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def find(self, revision: str) -> str | None:
        """The commit of a branch, a tag or a commit."""
        commit = self.refs.get(revision, revision)
        return commit if commit in self.commits else None


class Hub(ThreadingHTTPServer):
    """The server. `with Hub() as hub:` serves until the block ends."""

    daemon_threads = True

    def __init__(self, chunks: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.chunks, self.chunk_store = chunks, f"local://{chunks}"
        self.repositories: dict[str, Repository] = {}
        self.xet: dict[str, str] = {}
        """Xet hashes by sha256, of the files that a client fetches from the chunk store."""
        self.instead: dict[str, tuple[int, dict[str, str], bytes]] = {}
        """Status, headers and body for a method and a path in place of the usual answer, by a pattern."""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and headers of every request."""
        self.page = 0
        """Entries of a listing that are sent at once; 0 for all."""
        self.stalled: set[str] = set()
        """Files of which half is sent, and then nothing more."""
        self.halfway, self.closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def push(self, address: str, files: Mapping[str, bytes], *refs: str) -> str:
        """A further commit of `models/acme/tiny`, which `main` and the other refs name from now on."""
        repository = self.repositories.setdefault(address, Repository())
        told = repr((address, len(repository.commits), sorted(files.items())))
        commit = hashlib.sha1(told.encode()).hexdigest()
        repository.commits[commit] = dict(files)
        repository.refs |= dict.fromkeys(("main", *refs), commit)
        return commit


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> Hub:
        return cast(Hub, self.server)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gave
        """Says nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.hub.asked.append((self.command, self.path, dict(self.headers)))
        for told, (status, headers, body) in self.hub.instead.items():
            if re.fullmatch(told, f"{self.command} {path}"):
                self._head(status, {"Content-Length": str(len(body))} | headers)
                self.wfile.write(body)
                return None
        for pattern, answer in ROUTES:
            if found := pattern.fullmatch(path):
                return self._route(found, answer)
        return self._refuse("EntryNotFound")

    def _route(self, found: re.Match[str], answer: Answer) -> None:
        repository = self.hub.repositories.get(f"{found['kind'] or 'models'}/{found['name']}")
        if repository is None:
            return self._refuse("RepoNotFound")
        commit = repository.find(unquote(found["revision"] or "main"))
        if commit is None:
            return self._refuse("RevisionNotFound")
        return answer(self, found, commit, repository.commits[commit])

    def _refuse(self, code: str, **headers: str) -> None:
        self._send({"error": code}, 404, {"X-Error-Code": code, "X-Error-Message": code} | headers)

    def _send(self, document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        told = {"Content-Type": "application/json", "Content-Length": str(len(body))} | dict(headers or {})
        self._head(status, told)
        if self.command == "GET":
            self.wfile.write(body)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def info(self, found: re.Match[str], commit: str, files: Mapping[str, bytes]) -> None:
        """What a repository is and which files its commit holds."""
        siblings = [{"rfilename": path} for path in files]
        self._send({"id": found["name"], "sha": commit, "private": False, "tags": [], "siblings": siblings})

    def tree(self, found: re.Match[str], commit: str, files: Mapping[str, bytes]) -> None:
        """Every file of a commit with its size and names."""
        start = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
        end = start + (self.hub.page or len(files))
        more = f'<{self.hub.url}{urlsplit(self.path).path}?recursive=true&cursor={end}>; rel="next"'
        listed = [self._listed(path, content) for path, content in list(files.items())[start:end]]
        self._send(listed, headers={"Link": more} if end < len(files) else {})

    def _listed(self, path: str, content: bytes) -> dict[str, object]:
        etag = etag_of(path, content)
        entry: dict[str, object] = {"type": "file", "path": path, "oid": git_id(content), "size": len(content)}
        if path.endswith(LARGE):
            entry["lfs"] = {"oid": etag, "size": len(content), "pointerSize": 130}
        if etag in self.hub.xet:
            entry["xetHash"] = self.hub.xet[etag]
        return entry

    def token(self, found: re.Match[str], commit: str, files: Mapping[str, bytes]) -> None:
        """Leads a client to the chunk store."""
        names = ("X-Xet-Cas-Url", "X-Xet-Access-Token", "X-Xet-Token-Expiration")
        self._send({}, headers=dict(zip(names, (self.hub.chunk_store, "none", "4102444800"), strict=True)))

    def file(self, found: re.Match[str], commit: str, files: Mapping[str, bytes]) -> None:
        """A file, whole or from the byte that the client asks for."""
        path = unquote(found["file"])
        content = files.get(path)
        if content is None:
            return self._refuse("EntryNotFound", **{"X-Repo-Commit": commit})
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(wanted[1]) if wanted else 0
        headers = self._about(path, content, commit, f"{found['kind'] or 'models'}/{found['name']}")
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if wanted else 200, headers | {"Content-Length": str(len(content) - start)})
        return self._deliver(path, content[start:]) if self.command == "GET" else None

    def _about(self, path: str, content: bytes, commit: str, address: str) -> dict[str, str]:
        etag = etag_of(path, content)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if path.endswith(LARGE):
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        if etag in self.hub.xet:
            route = f"{self.hub.url}/api/{address}/xet-read-token/{commit}"
            headers |= {"X-Xet-Hash": self.hub.xet[etag], "Link": f'<{route}>; rel="xet-auth"'}
        return headers

    def _deliver(self, path: str, content: bytes) -> None:
        if path not in self.hub.stalled:
            self.wfile.write(content)
            return
        self.wfile.write(content[: len(content) // 2])
        self.hub.halfway.set()
        self.hub.closing.wait()
        self.close_connection = True


Answer = Callable[[_Request, re.Match[str], str, Mapping[str, bytes]], None]
ROUTES: tuple[tuple[re.Pattern[str], Answer], ...] = (
    (TOKEN, _Request.token),
    (TREE, _Request.tree),
    (INFO, _Request.info),
    (RESOLVE, _Request.file),
)
