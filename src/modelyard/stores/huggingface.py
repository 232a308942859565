"""The Hugging Face hub cache: repositories, their revisions, and the blob store that they may share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.inventory import Artifact, Kind, Platform, Reading, Root, State, Store
from modelyard.problem import Problem
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

HUB_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
LEGACY_VARIABLES = (
    "TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE", "PYTORCH_PRETRAINED_BERT_CACHE",
    "SENTENCE_TRANSFORMERS_HOME", "LLAMA_CACHE",
)  # fmt: skip
TYPES = {b"models": "model", b"datasets": "dataset", b"spaces": "space", b"kernels": "kernel"}
STORE = Store(
    "hf",
    "Hugging Face hub",
    (*HUB_VARIABLES, "HF_HOME", "XDG_CACHE_HOME", *LEGACY_VARIABLES),
    tuple(f"{name.decode()}--*" for name in TYPES),
)
SHARED_MARKER = b".huggingface-shared-blobs"
UNFINISHED = re.compile(rb"\.(incomplete|downloadInProgress)$|\.[0-9a-f]{8}\.(shared|tmp)$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The cache the current client uses, then the places older and related clients were told to use."""
    named = from_variables(HUB_VARIABLES, env, home)
    under = from_variables(("HF_HOME",), env, home)
    cache, found_by = xdg_cache(env, home)
    if named:
        yield named
    elif under:
        yield Root(f"{under.path}/hub", "HF_HOME")
    else:
        yield Root(str(cache / "huggingface" / "hub"), found_by)
    for variable in LEGACY_VARIABLES:
        legacy = from_variables((variable,), env, home)
        if legacy:
            yield legacy


def recognise(tree: Tree, row: int) -> int | None:
    """A hub root holds repository folders with blobs, snapshots or refs."""
    parts = tree.children(row)
    return tree.parent(row) if any(name in parts for name in (b"snapshots", b"blobs", b"refs")) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact for each revision; further ones for what no revision uses and for unfinished downloads."""
    assert root.row is not None
    artifacts: list[Artifact] = []
    problems: list[Problem] = []
    used: set[int] = set()
    for name, row in sorted(tree.children(root.row).items()):
        prefix, _, rest = name.partition(b"--")
        if prefix in TYPES and rest and tree.is_folder(row):
            repo = _Repo(tree, root, row, TYPES[prefix], shown(rest).replace("--", "/"))
            artifacts += repo.artifacts()
            problems += repo.problems
            used |= repo.payloads
    artifacts += _shared_leftovers(tree, root, used)
    return Reading(tuple(artifacts), tuple(problems))


def _shared_leftovers(tree: Tree, root: Root, used: set[int]) -> Iterator[Artifact]:
    """Payloads of the shared blob store that no repository links to any more, with their lock and reference files."""
    store = tree.child(root.row, b"blobs")
    if store is None or tree.child(store, SHARED_MARKER) is None:
        return
    orphans: list[int] = []
    pins: list[int] = []
    for folder in tree.children(store).values():
        names = tree.children(folder)
        for name, row in names.items():
            if len(name) == 64 and row not in used:
                orphans.append(row)
                pins += [names[name + end] for end in (b".refs", b".lock") if name + end in names]
    if orphans:
        yield Artifact(
            "hf:shared#orphan", "model", "hf", "shared blobs no repository uses", root.path, tuple(orphans),
            tuple(pins), state="orphan", recovery="re-get", detail=f"{len(orphans)} blobs",
        )  # fmt: skip


@dataclass(slots=True)
class _Snapshot:
    """What one revision folder links to."""

    blobs: list[int] = field(default_factory=list)
    pins: list[int] = field(default_factory=list)
    dangling: int = 0
    outside: int = 0
    links: int = 0
    copies: int = 0
    files: int = 0


class _Repo:
    """One repository folder of a hub cache."""

    def __init__(self, tree: Tree, root: Root, row: int, kind: str, name: str) -> None:
        self.tree, self.root, self.row, self.name = tree, root, row, name
        self.id = f"hf:{kind}/{name}"
        self.kind: Kind = "dataset" if kind == "dataset" else "model" if kind == "model" else "other"
        self.problems: list[Problem] = []
        self.payloads: set[int] = set()
        self.blobs = tree.children(part) if (part := tree.child(row, b"blobs")) is not None else {}
        self.linked: set[int] = set()

    def artifacts(self) -> list[Artifact]:
        """Every byte of the repository, under the name of what it belongs to."""
        refs = self._refs()
        snapshots = self.tree.child(self.row, b"snapshots")
        found = [
            self._revision(shown(name), row, refs.pop(shown(name), []))
            for name, row in sorted(self.tree.children(snapshots).items() if snapshots is not None else ())
            if self._is_revision(name, row)
        ]
        for commit, names in refs.items():
            self._note("dangling-ref", f"{', '.join(names)} names {commit[:12]}, which is not here", "it was never downloaded whole")
        unfinished = {name for name in self.blobs if UNFINISHED.search(name)}
        found += self._rest("#partial", unfinished, "partial", "unfinished downloads")
        loose = {name for name, row in self.blobs.items() if row not in self.linked} - unfinished
        found += self._rest("#orphan", loose, "orphan", "blobs no revision uses")
        if not found:
            found = [self._artifact("#empty", "no revision inside", (), (self.row,), state="orphan")]
        elif len(found) == 1:
            only = found[0]
            found = [self._artifact(only.id[len(self.id) :], only.detail, only.blobs, (*only.pins, self.row), only)]
        return found

    def _artifact(
        self, suffix: str, detail: str, blobs: tuple[int, ...], pins: tuple[int, ...],
        like: Artifact | None = None, state: State = "complete",
    ) -> Artifact:  # fmt: skip
        if like is not None:
            return Artifact(
                like.id, like.kind, "hf", like.title, like.root, blobs, pins, like.revision, like.tags,
                like.group, like.state, like.recovery, detail=detail,
            )  # fmt: skip
        return Artifact(
            self.id + suffix, self.kind, "hf", self.name, self.root.path, blobs, pins, group=self.id,
            state=state, recovery="re-get", detail=detail,
        )  # fmt: skip

    def _note(self, code: str, message: str, hint: str = "", row: int | None = None) -> None:
        path = shown(self.tree.path(self.row if row is None else row))
        self.problems.append(Problem(path, code, message, hint))

    def _refs(self) -> dict[str, list[str]]:
        """Commits and the branches, tags and pull requests that name them."""
        refs: dict[str, list[str]] = {}
        folder = self.tree.child(self.row, b"refs")
        waiting = [("", folder)] if folder is not None else []
        while waiting:
            prefix, at = waiting.pop()
            for name, row in sorted(self.tree.children(at).items()):
                if self.tree.is_folder(row):
                    waiting.append((f"{prefix}{shown(name)}/", row))
                elif isinstance(text := self.tree.read(row, 4096), Problem):
                    self.problems.append(text)
                else:
                    refs.setdefault(shown(text.strip()), []).append(prefix + shown(name))
        return refs

    def _is_revision(self, name: bytes, row: int) -> bool:
        if self.tree.is_folder(row):
            return True
        self._note("stray-file", "a plain file where only revisions belong", "the owner's own listing skips the whole repository for it", row)
        return False

    def _revision(self, commit: str, row: int, refs: list[str]) -> Artifact:
        seen = _Snapshot(pins=[row])
        self._walk(row, seen)
        for part, name in ((b"trees", f"{commit}.json"), (b".no_exist", commit)):
            extra = self.tree.child(self.row, part, name.encode())
            seen.pins += [] if extra is None else [extra]
        if seen.dangling:
            self._note("dangling-link", f"{seen.dangling} of {seen.links} files of {commit[:12]} point to blobs that are gone", "download the revision again", row)
        detail = f"{seen.files} files" + ("" if refs else ", detached") + (f", {seen.dangling} missing" if seen.dangling else "")
        detail += f", {seen.outside} linked from outside" if seen.outside else ""
        own = bool(seen.links and seen.copies)  # files among links were put there by hand
        return Artifact(
            f"{self.id}@{commit[:12]}", self.kind, "hf", self.name, self.root.path, tuple(dict.fromkeys(seen.blobs)),
            tuple(dict.fromkeys(seen.pins)), commit, tuple(sorted(refs)) or ("detached",), self.id,
            "dangling" if seen.dangling else "complete", "none" if own else "re-get", detail=detail,
        )  # fmt: skip

    def _walk(self, row: int, seen: _Snapshot) -> None:
        waiting = [row]
        while waiting:
            for child in self.tree.children(waiting.pop()).values():
                if self.tree.is_folder(child):
                    waiting.append(child)
                    continue
                seen.files += 1
                if self.tree.is_link(child):
                    seen.links += 1
                    self._resolve(child, seen)
                else:
                    seen.copies += 1
                    seen.blobs.append(child)

    def _resolve(self, link: int, seen: _Snapshot) -> None:
        """One hop to the repository's blob, and where that is a link too, a second one to the shared payload."""
        blob = self.tree.follow(link)
        if blob is None:
            target = self.tree.link_target(link)
            inside = isinstance(target, Problem) or target.startswith(self.tree.path(self.row))
            seen.dangling += inside
            seen.outside += not inside
            return
        self.linked.add(blob)
        if not self.tree.is_link(blob):
            seen.blobs.append(blob)
            return
        seen.pins.append(blob)
        payload = self.tree.follow(blob)
        if payload is None:
            seen.dangling += 1
        else:
            self.payloads.add(payload)
            seen.blobs.append(payload)
            seen.pins += self._companions(payload)

    def _companions(self, payload: int) -> list[int]:
        """The lock and the list of users that lie beside a shared payload."""
        folder, name = self.tree.parent(payload), self.tree.name(payload)
        found = [self.tree.child(folder, name + end) for end in (b".refs", b".lock")]
        return [row for row in found if row is not None]

    def _rest(self, suffix: str, names: set[bytes], state: State, detail: str) -> list[Artifact]:
        """What is left in the blobs folder, as one artifact; links into the shared store take no payload with them."""
        rows = tuple(self.blobs[name] for name in sorted(names))
        return [self._artifact(suffix, f"{len(rows)} {detail}", rows, (), state=state)] if rows else []
