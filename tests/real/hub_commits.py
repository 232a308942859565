"""A hub that takes commits too: repositories are made, files arrive in a commit or as LFS objects, commits get tags."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from real.hub_server import LARGE, Hub, Repository, _Request

API = r"/api/models/(?P<name>[^/]+/[^/]+)"
CREATE = re.compile(r"/api/repos/create")
YAML = re.compile(r"/api/validate-yaml")
PREUPLOAD = re.compile(rf"{API}/preupload/(?P<revision>[^/]+)")
BATCH = re.compile(r"/(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
COMMIT = re.compile(rf"{API}/commit/(?P<revision>[^/]+)")
REFERENCE = re.compile(rf"{API}/(?P<kind>tag|branch)/(?P<revision>[^/]+)")
UPLOAD = re.compile(r"/upload/(?P<digest>[0-9a-f]{64})")


class WritableHub(Hub):
    """The server, with what a client needs that uploads."""

    def __init__(self, chunks: Path) -> None:
        super().__init__(chunks)
        self.RequestHandlerClass = _Writing
        self.uploaded: dict[str, bytes] = {}
        self.fails: list[str] = []
        """Paths of requests that are refused, by a pattern."""
        self.changes: dict[str, bytes] = {}
        """What a commit keeps in place of what was sent, by the path of the file."""


class _Writing(_Request):
    @property
    def writable(self) -> WritableHub:
        assert isinstance(self.hub, WritableHub)
        return self.hub

    def do_POST(self) -> None:  # noqa: N802 - the name that the base class gave
        body = self._body()
        path = urlsplit(self.path).path
        self.hub.asked.append((self.command, self.path, dict(self.headers)))
        if any(re.fullmatch(each, path) for each in self.writable.fails):
            return self._send_all({"error": "no"}, 400)
        for pattern, answer in POSTS:
            if found := pattern.fullmatch(path):
                return answer(self, found, body)
        return self._send_all({"error": "no such route"}, 404)

    def do_PUT(self) -> None:  # noqa: N802
        body = self._body()
        found = UPLOAD.fullmatch(urlsplit(self.path).path)
        refused = found is None or any(re.fullmatch(each, self.path) for each in self.writable.fails)
        if found is not None and not refused:
            self.writable.uploaded[found["digest"]] = body
        self._send_all({}, 400 if refused else 200)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send_all(self, document: object, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _repository(self, found: re.Match[str]) -> Repository:
        return self.hub.repositories.setdefault(f"models/{found['name']}", Repository())

    def create(self, found: re.Match[str], body: bytes) -> None:
        """A new repository with what every one has."""
        told = json.loads(body)
        name = f"{told['organization']}/{told['name']}" if told.get("organization") else told["name"]
        known = f"models/{name}" in self.hub.repositories
        if not known:
            self.hub.push(f"models/{name}", {".gitattributes": b"*.safetensors filter=lfs\n"})
        self._send_all({"url": f"{self.hub.url}/{name}"}, 409 if known else 200)

    def yaml(self, found: re.Match[str], body: bytes) -> None:
        """Whether the front matter of a card is YAML of an object."""
        front = json.loads(body)["content"].split("\n---\n")[0].removeprefix("---\n")
        sound = isinstance(yaml.safe_load(front), dict)
        self._send_all({"warnings": [], "errors": [] if sound else [{"message": "no object"}]}, 200 if sound else 400)

    def preupload(self, found: re.Match[str], body: bytes) -> None:
        """Which files go as LFS objects."""
        files = [
            {"path": path, "uploadMode": "lfs" if path.endswith(LARGE) else "regular", "shouldIgnore": False}
            for path in (each["path"] for each in json.loads(body)["files"])
        ]
        self._send_all({"files": files})

    def batch(self, found: re.Match[str], body: bytes) -> None:
        """Where LFS objects go."""
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.hub.url}/upload/{each['oid']}"}}}
            for each in json.loads(body)["objects"]
        ]
        self._send_all({"transfer": "basic", "objects": objects})

    def commit(self, found: re.Match[str], body: bytes) -> None:
        """A commit on a branch."""
        repository, branch = self._repository(found), unquote(found["revision"])
        files = dict(repository.commits.get(repository.refs.get(branch, ""), {}))
        for line in body.splitlines():
            self._apply(**json.loads(line), files=files)
        told = repr((found["name"], len(repository.commits), sorted(files.items())))
        commit = hashlib.sha1(told.encode()).hexdigest()
        repository.commits[commit], repository.refs[branch] = files, commit
        self._send_all({"commitUrl": f"{self.hub.url}/{found['name']}/commit/{commit}", "commitOid": commit})

    def _apply(self, key: str, value: dict[str, str], files: dict[str, bytes]) -> None:
        if key == "deletedFile":
            del files[value["path"]]
        elif key != "header":
            sent = base64.b64decode(value["content"]) if key == "file" else self.writable.uploaded[value["oid"]]
            files[value["path"]] = self.writable.changes.get(value["path"], sent)

    def reference(self, found: re.Match[str], body: bytes) -> None:
        """A tag on a commit, or a branch from the main one."""
        repository, told = self._repository(found), json.loads(body or b"{}")
        tag = found["kind"] == "tag"
        name = told["tag"] if tag else unquote(found["revision"])
        known = name in repository.refs
        if not known:
            repository.refs[name] = repository.find(unquote(found["revision"]) if tag else "main") or ""
        self._send_all({}, 409 if known else 200)


POSTS: tuple[tuple[re.Pattern[str], Callable[[_Writing, re.Match[str], bytes], None]], ...] = (
    (CREATE, _Writing.create),
    (YAML, _Writing.yaml),
    (PREUPLOAD, _Writing.preupload),
    (BATCH, _Writing.batch),
    (COMMIT, _Writing.commit),
    (REFERENCE, _Writing.reference),
)
