"""A repository of Hugging Face as a place for one model: a version is a commit of all of its files, with a tag."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from modelyard.apply.folder import Folder
from modelyard.problem import Problem
from modelyard.registry.card import card
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.held import Held
from modelyard.registry.layout import CARD, METADATA, SUMS
from modelyard.registry.metadata import Metadata
from modelyard.registry.references import Reference
from modelyard.registry.remotes.remote import CAP, Pushed, Source, failed, taken, too_large
from modelyard.registry.sums import parsed

ADDRESS = re.compile(r"hf:(?://)?(?P<name>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^@\s]+))?/?")
OWN = (".gitattributes", CARD)
"""What every repository has, and may have whoever made it."""
HOW = "LFS files by the hub's own SHA-256, the others read back"


def _errors() -> tuple[type[Exception], ...]:
    """What the client raises: its own, and those of the library that it speaks HTTP with, httpx before 2.0."""
    loaded = (sys.modules[each] for each in ("httpx2", "httpx") if each in sys.modules)
    return (OSError, ValueError, RuntimeError, *(each.HTTPError for each in loaded))


@contextmanager
def _asking(address: str) -> Iterator[None]:
    """What the client complains of becomes an error of ours."""
    try:
        yield
    except _errors() as error:
        raise failed(address, error, "check its name, your token (`hf auth login`) and the connection") from error


class HubSource:
    """A commit of a repository."""

    def __init__(self, api: Any, name: str, commit: str) -> None:
        self.api, self.name, self.commit = api, name, commit
        self.address = f"hf://{name}@{commit[:12]}"

    def read(self, name: str) -> bytes | None:
        """A small file of it, past the client's cache."""
        import huggingface_hub as hub

        url = hub.hf_hub_url(self.name, name, revision=self.commit, endpoint=self.api.endpoint)
        headers = hub.utils.build_hf_headers(token=self.api.token)  # type: ignore[attr-defined]
        data = bytearray()
        with _asking(f"{self.address}/{name}"), hub.get_session().stream("GET", url, headers=headers) as answer:
            if answer.status_code == 404:
                return None
            hub.utils.hf_raise_for_status(answer)  # type: ignore[attr-defined]
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > CAP:
                    raise too_large(f"{self.address}/{name}", len(data))
        return bytes(data)

    def fetch(self, name: str, size: int, made: Folder) -> None:
        """The file as the client downloads it, straight into the draft."""
        import huggingface_hub as hub

        there = self.listed().get(name)
        if there is None:
            raise RegistryError(f"{self.address}/{name} is not there", "missing-file", "push the version again")
        if there.size != size:
            raise too_large(f"{self.address}/{name}", there.size)
        with _asking(f"{self.address}/{name}"):
            hub.hf_hub_download(
                self.name, name, revision=self.commit, local_dir=os.fsdecode(made.path),
                endpoint=self.api.endpoint, token=self.api.token,
            )  # fmt: skip
        made.take(name)
        made.discard(".cache")

    def listed(self) -> dict[str, Any]:
        """Its files with their sizes and digests, by path."""
        with _asking(self.address):
            found = self.api.list_repo_tree(self.name, recursive=True, revision=self.commit)
            return {each.path: each for each in found if hasattr(each, "blob_id")}

    def verify(self, name: str, sha256: str, there: Mapping[str, Any]) -> None:
        """RegistryError unless a file is the one that was sent."""
        entry = there.get(name)
        lfs = getattr(entry, "lfs", None)
        digest = lfs.sha256 if lfs else hashlib.sha256(self.read(name) or b"").hexdigest()
        if entry is None or digest != sha256:
            hint = "the hub keeps something else than was sent; run it again"
            raise RegistryError(f"{self.address}/{name} is not the file that was sent", "wrong-digest", hint)


class HubRemote:
    """A repository and a revision of it: `hf://org/name`, `hf:org/name@v1.2.0`."""

    def __init__(self, address: str, options: Mapping[str, Any]) -> None:
        match = ADDRESS.fullmatch(address)
        if match is None:
            hint = "hf://ORGANISATION/NAME, or hf://ORGANISATION/NAME@REVISION"
            raise RegistryError(f"{address[:200]!r} names no repository", "bad-address", hint)
        try:
            from huggingface_hub import HfApi
        except ImportError as error:
            hint = "pip install 'modelyard[hub]'"
            raise RegistryError(f"{address} needs huggingface_hub", "not-installed", hint) from error
        self.api = HfApi(**options)
        self.name, self.revision = match["name"], match["revision"]

    def _commit(self, revision: str) -> str | None:
        """The commit of a branch or tag, None where the repository or the revision is not there."""
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        with _asking(f"hf://{self.name}@{revision}"):
            try:
                return str(self.api.model_info(self.name, revision=revision).sha)
            except (RepositoryNotFoundError, RevisionNotFoundError):
                return None

    def find(self, name: str | None) -> Source:
        """What the revision is now; else the tag of the version that the name asks for, else the main branch."""
        version = (name or "").partition("@")[2]
        revision = self.revision or (f"v{version.removeprefix('v')}" if version else "main")
        commit = self._commit(revision)
        if commit is None:
            hint = "private ones need a token: `hf auth login`"
            raise RegistryError(f"hf://{self.name} or its revision {revision!r} is not there", "no-version", hint)
        return HubSource(self.api, self.name, commit)

    def send(self, files: Held, metadata: Metadata, which: Reference) -> Pushed:
        """One commit with every file, and the tag of its number when all of them were verified."""
        for name in files.entries:
            files.check(name)
        tag, branch = f"v{which.version}", self.revision or "main"
        tagged = self._commit(tag)
        with _asking(f"hf://{self.name}"):
            self.api.create_repo(self.name, exist_ok=True)
            if self.revision:
                self.api.create_branch(self.name, branch=branch, exist_ok=True)
        if tagged and HubSource(self.api, self.name, tagged).read(SUMS) != files.own[SUMS]:
            raise taken(f"hf://{self.name}@{tag}", which)
        commit = tagged or self._send(files, metadata, which, branch)
        there = HubSource(self.api, self.name, commit)
        listed = there.listed()
        for name, digest in _digests(files).items():
            there.verify(name, digest, listed)
        if not tagged:
            with _asking(there.address):
                self.api.create_tag(self.name, tag=tag, revision=commit)
        return Pushed(f"hf://{self.name}@{tag}", tuple(sorted(_digests(files))), HOW)

    def _send(self, files: Held, metadata: Metadata, which: Reference, branch: str) -> str:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        text = {} if files.has(CARD) else {CARD: card(metadata).encode()}
        names = {*files.entries, *files.own, *text}
        stale = self._stale(names, which, branch)
        with ExitStack() as stack:
            adds = [CommitOperationAdd(name, data) for name, data in {**files.own, **text}.items()]
            for name in files.entries:
                file = stack.enter_context(os.fdopen(os.dup(files.descriptor(name)), "rb"))
                adds.append(CommitOperationAdd(name, file))
            with _asking(f"hf://{self.name}"):
                operations: list[Any] = [*adds, *(CommitOperationDelete(each) for each in stale)]
                told = self.api.create_commit(
                    self.name, operations, commit_message=f"{which}", revision=branch, num_threads=1
                )
                return str(told.oid)

    def _stale(self, names: set[str], which: Reference, branch: str) -> list[str]:
        """Files of the version before that this one has not. RegistryError where the repository holds other things."""
        commit = self._commit(branch)
        before = HubSource(self.api, self.name, commit) if commit else None
        listed = set(before.listed()) if before else set()
        text = before.read(SUMS) if before and SUMS in listed else None
        sums = parsed(text, f"hf://{self.name}/{SUMS}") if text is not None else {}
        if isinstance(sums, Problem):
            raise raised(sums)
        foreign = (listed & names) - {*sums, SUMS, *OWN}
        if foreign:
            hint = "push to a repository of its own, or to another branch: hf://ORGANISATION/NAME@BRANCH"
            message = f"hf://{self.name} holds a {min(foreign)} that no registry put there"
            raise RegistryError(message, "exists", hint)
        return sorted((set(sums) & listed) - names - {METADATA})


def _digests(files: Held) -> dict[str, str]:
    """SHA-256 of every file of a version, its metadata and sums among them."""
    own = {name: hashlib.sha256(text).hexdigest() for name, text in files.own.items()}
    return {**{name: each.sha256 for name, each in files.entries.items()}, **own}
