"""One repository folder of a hub cache: its revisions, what they link to, and what is left over."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from modelyard.inventory import Artifact, Kind, Root, State
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

UNFINISHED = re.compile(rb"\.(incomplete|downloadInProgress)$|\.[0-9a-f]{8}\.(shared|tmp)$")
REF_CAP = 4096
LISTING_CAP = 32 << 20
HELPERS = (b".DS_Store",)  # the files that the owner's own listing passes over
EMPTY = "no revision inside; `hf download --local-dir` leaves such refs"
UNMATCHED = "unmatched"
UNSURE = "blobs whose revision may be among the folders that cannot be read"


class Listing(msgspec.Struct):
    """All files of a revision, as huggingface_hub 1.23 and later note them."""

    files: dict[str, msgspec.Raw] = {}


class _Snapshot(Struct):
    """What one revision folder links to, and the names of its files below it."""

    blobs: list[int] = field(default_factory=list)
    chain: list[int] = field(default_factory=list)
    """The repository's blobs that are links themselves, into the shared store."""
    names: set[bytes] = field(default_factory=set)
    files: int = 0
    links: int = 0
    dangling: int = 0
    outside: int = 0
    listed: int = 0
    """Files of the whole revision, by the client's own note of it; 0 where there is none."""

    @property
    def whole(self) -> bool:
        """Whether the client's own note says that nothing is missing."""
        return 0 < self.listed <= self.files and not self.dangling

    def detail(self) -> str:
        """The revision in a few words."""
        words = [f"{self.files} of {self.listed} files" if self.listed > self.files else f"{self.files} files"]
        words += [f"{self.dangling} missing"] if self.dangling else []
        words += [f"{self.outside} linked from outside"] if self.outside else []
        return ", ".join(words)


class Repo:
    """A repository: `artifacts()` names every byte of it, `payloads` are the shared blobs it uses."""

    def __init__(self, tree: Tree, root: Root, row: int, kind: str, name: str) -> None:
        self.tree, self.root, self.row, self.name = tree, root, row, name
        self.id = f"hf:{kind}/{name}"
        self.kind: Kind = "dataset" if kind == "dataset" else "model" if kind == "model" else "other"
        self.problems: list[Problem] = []
        self.payloads: set[int] = set()
        self.blobs = tree.children(part) if (part := tree.child(row, b"blobs")) is not None else {}
        self.linked: set[int] = set()
        self.seen: dict[str, _Snapshot] = {}
        self.sure = tree.is_whole(row)
        """Whether every link that may lead to a blob was understood; if not, no blob is nobody's."""

    def artifacts(self) -> list[Artifact]:
        """The revisions, then unfinished downloads and blobs of no revision. A lone one takes the whole folder."""
        refs = self._refs()
        snapshots = self.tree.child(self.row, b"snapshots")
        self.sure = self.sure and not (snapshots is not None and self.tree.is_link(snapshots))
        found = [
            self._revision(shown(name), row, refs.pop(shown(name), {}))
            for name, row in sorted(self.tree.children(snapshots).items() if snapshots is not None else ())
            if name not in HELPERS and self._is_revision(row)
        ]
        found = [self._unmatched(each, found) for each in found]
        if snapshots is None and not self.blobs:
            refs = {}  # `hf download --local-dir` leaves nothing but these
        for commit, names in refs.items():
            message = f"{', '.join(names)} names {commit[:12]}, which is not here"
            self._note("dangling-ref", message, "a download was cut short; download it again")
        unfinished = {name for name in self.blobs if UNFINISHED.search(name)}
        loose = {name for name, row in self.blobs.items() if row not in self.linked} - unfinished
        lost = [row for names in refs.values() for row in names.values()]  # the client writes the ref first
        found += self._rest("partial", unfinished, "unfinished downloads", lost)
        if self.sure:
            found += self._rest("orphan", loose, "blobs no revision uses")
        else:
            found += [replace(each, state="complete", recovery="none") for each in self._rest("orphan", loose, UNSURE)]
        if not found:
            return [self._artifact("#empty", (), (self.row,), state="orphan", detail=EMPTY)]
        return [replace(found[0], pins=(*found[0].pins, self.row))] if len(found) == 1 else found

    def _artifact(
        self, suffix: str, blobs: Iterable[int], pins: Iterable[int] = (), *, state: State, detail: str
    ) -> Artifact:
        return Artifact(
            self.id + suffix,
            self.kind,
            "hf",
            self.name,
            self.root.path,
            tuple(dict.fromkeys(blobs)),
            tuple(dict.fromkeys(pins)),
            group=self.id,
            state=state,
            recovery="re-get",
            detail=detail,
            holder=self.row,
        )

    def _rest(self, state: State, names: set[bytes], words: str, pins: Iterable[int] = ()) -> list[Artifact]:
        """What is left in the blobs folder; links into the shared store take no payload with them."""
        rows = [self.blobs[name] for name in sorted(names)]
        return [self._artifact(f"#{state}", rows, pins, state=state, detail=f"{len(rows)} {words}")] if rows else []

    def _note(self, code: str, message: str, hint: str, row: int | None = None) -> None:
        path = shown(self.tree.path(self.row if row is None else row))
        self.problems.append(Problem(path, code, message, hint))

    def _refs(self) -> dict[str, dict[str, int]]:
        """Commits, and the branches, tags and pull requests that name them, each with its row."""
        refs: dict[str, dict[str, int]] = {}
        folder = self.tree.child(self.row, b"refs")
        waiting = [("", folder)] if folder is not None else []
        while waiting:
            prefix, at = waiting.pop()
            for name, row in sorted(self.tree.children(at).items()):
                if self.tree.is_folder(row):
                    waiting.append((f"{prefix}{shown(name)}/", row))
                elif isinstance(text := self.tree.read(row, REF_CAP), Problem):
                    self.problems.append(text)
                elif name not in HELPERS:
                    refs.setdefault(shown(text.strip()), {})[prefix + shown(name)] = row
        return refs

    def _is_revision(self, row: int) -> bool:
        if self.tree.is_folder(row):
            return True
        if self.tree.is_link(row):
            self.sure = False
            self._note(
                "linked-revision",
                "a link in place of a revision",
                "its blobs are kept: what it names is not known",
                row,
            )
            return False
        hint = "the owner's own listing leaves the whole repository out because of it"
        self._note("stray-file", "a plain file where only revisions belong", hint, row)
        return False

    def _revision(self, commit: str, row: int, refs: dict[str, int]) -> Artifact:
        seen = self.seen[commit] = self._snapshot(row)
        pins = [*refs.values(), row]  # a stop between them leaves no ref to nothing, and no link to a missing blob
        for part, name in ((b"trees", f"{commit}.json"), (b".no_exist", commit)):
            extra = self.tree.child(self.row, part, name.encode())
            pins += [] if extra is None else [extra]
            seen.listed += self._listed(extra) if extra is not None and part == b"trees" else 0
        if seen.dangling:
            message = f"{seen.dangling} of {seen.links} files of {commit[:12]} point to blobs that are gone"
            self._note("dangling-link", message, "download the revision again", row)
        state: State = "dangling" if seen.dangling else "complete" if seen.files else "partial"
        draft = self._artifact(f"@{commit[:12]}", seen.blobs, [*pins, *seen.chain], state=state, detail=seen.detail())
        by_hand = 0 < seen.links < seen.files  # plain files among links were put there by somebody
        return replace(
            draft,
            revision=commit,
            tags=tuple(sorted(refs)) or ("detached",),
            recovery="none" if by_hand else "re-get",
        )

    def _unmatched(self, each: Artifact, found: list[Artifact]) -> Artifact:
        """A detached revision with files that no named one has: its successor may have come only in part."""
        if "detached" not in each.tags:
            return each
        own = self.seen[each.revision].names
        heirs = [self.seen[other.revision] for other in found if "detached" not in other.tags]
        matched = any(heir.whole or own <= heir.names for heir in heirs)
        return each if matched or not heirs else replace(each, tags=("detached", UNMATCHED))

    def _listed(self, row: int) -> int:
        text = self.tree.read(row, LISTING_CAP)
        listing = Listing() if isinstance(text, Problem) else parsed(text, Listing)
        return 0 if isinstance(listing, ValueError) else len(listing.files)

    def _snapshot(self, row: int) -> _Snapshot:
        seen, start = _Snapshot(), len(self.tree.path(row))
        waiting = [row]
        while waiting:
            for child in self.tree.children(waiting.pop()).values():
                if self.tree.is_folder(child):
                    waiting.append(child)
                    continue
                seen.files += 1
                seen.names.add(self.tree.path(child)[start:])
                if self.tree.is_link(child):
                    seen.links += 1
                    self._resolve(child, seen)
                else:
                    seen.blobs.append(child)
        return seen

    def _resolve(self, link: int, seen: _Snapshot) -> None:
        """One hop to the repository's blob, and where that is a link too, a second one to the shared payload."""
        blob = self._hop(link, self.row, seen)
        if blob is None:
            return
        self.linked.add(blob)
        self.sure = self.sure and self.tree.parent(blob) == self.tree.child(self.row, b"blobs")
        if not self.tree.is_link(blob):
            seen.blobs.append(blob)
            return
        seen.chain.append(blob)
        payload = self._hop(blob, self.root.row, seen)
        if payload is not None:
            self.payloads.add(payload)
            seen.blobs += [payload, *companions(self.tree, payload)]

    def _hop(self, link: int, within: int | None, seen: _Snapshot) -> int | None:
        """Where a link leads inside a folder. What lies elsewhere is somebody's own and only counted."""
        assert within is not None
        target = self.tree.link_target(link)
        inside = isinstance(target, Problem) or target.startswith(self.tree.path(within) + b"/")
        found = self.tree.follow(link) if inside else None
        if found is None:
            seen.dangling += inside
            seen.outside += not inside
            self.sure = self.sure and inside
        return found


def companions(tree: Tree, payload: int) -> list[int]:
    """The list of users and the lock that lie beside a shared payload, which the client needs as long as it is there.

    Without the list it would believe that only the users who come later exist.
    """
    folder, name = tree.parent(payload), tree.name(payload)
    found = [tree.child(folder, name + end) for end in (b".refs", b".lock")]
    return [row for row in found if row is not None]
