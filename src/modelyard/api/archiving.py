"""Puts a thing on another disk or into an object store: every byte is read back and equal before the original goes.

What is sent is new and lies elsewhere; what is here changes by a plan: the stub is written, then the original goes into
the trash. Stopped anywhere, the original or the stub is there, and the same command goes on with what was proven.
"""

from __future__ import annotations

import base64
import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from urllib.parse import urlsplit
from urllib.request import url2pathname

import msgspec
from msgspec import Struct

from modelyard.api import Survey
from modelyard.api.entries import Refused, entries_below
from modelyard.api.packing import Sent, incoming, outgoing, packing
from modelyard.api.planning import now_text, origin_of, roots_of
from modelyard.apply.disk import Disk
from modelyard.apply.remote import Remote, Shelf
from modelyard.apply.shelf import Folder
from modelyard.formats.stub import CAP, SUFFIX, Entry, Stub, decode, encode
from modelyard.inventory import Artifact
from modelyard.plan import Path, Plan, Step
from modelyard.policies import archiving, removal
from modelyard.problem import Problem
from modelyard.walk.flags import held_within
from modelyard.walk.hash import Seen
from modelyard.walk.read import opened, read_file
from modelyard.walk.text import shown

TITLE = "archive"
MANIFEST, PARTIAL = "manifest.json", "partial.json"
NOTE_EVERY = 2.0
"""Seconds between two notes of what is proven already."""
LONGEST = 200
Told = Callable[[int, str], object]
"""Told bytes that were read of a file, and the file."""


class Proposal(Struct, frozen=True):
    """What would be archived: the names below `base`, the bytes of its files each once, and where to."""

    artifact: Artifact
    number: int
    base: bytes
    tops: tuple[bytes, ...]
    entries: tuple[Entry, ...]
    seen: dict[bytes, Seen]
    """By path the files as they are now, each by its first name."""
    shelf: Shelf
    where: str

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(each.size for each in self.entries if each.kind == "file")

    @property
    def files(self) -> int:
        """How many files it has."""
        return len(self.seen)

    @property
    def stub(self) -> bytes:
        """Where the stub is going to lie."""
        return os.path.join(self.base, self.tops[0][:LONGEST] + SUFFIX)


def shelf_of(address: str, below: str = "") -> tuple[Shelf, str]:
    """A shelf by its path or address, and that with everything below it. OSError where it cannot be had."""
    parts = urlsplit(address)
    if "://" in address and parts.scheme != "file":
        full = f"{address.rstrip('/')}/{below}" if below else address
        remote = Remote(full)
        return remote, remote.where
    path = os.path.abspath(url2pathname(parts.path) if parts.scheme == "file" else address)
    full = os.path.join(path, below) if below else path
    return Folder(Disk(), os.fsencode(full)), full


def propose(survey: Survey, number: int, address: str) -> Proposal:
    """What archiving an artifact would take. Refused with the reason where that is not possible."""
    artifact = survey.artifacts[number]
    if why := archiving.why_not(artifact):
        raise Refused(why)
    if set(survey.claims.removable({number})) != set(survey.claims.rows({number})):
        raise Refused("something else needs a part of it")
    rows = [survey.tree.path(row) for row in survey.claims.removable({number})]
    base = os.path.commonpath([os.path.dirname(path) for path in rows])
    tops = tuple(sorted(path[len(base.rstrip(b"/")) + 1 :] for path in rows))
    entries, seen = _entries(base, tops)
    _check_place(address, base, tops, sum(each.size for each in entries if each.kind == "file"))
    try:
        shelf, where = shelf_of(address, _name(artifact, seen))
    except OSError as error:
        raise Refused(error.strerror or str(error)) from error
    found = Proposal(artifact, number, base, tops, tuple(entries), seen, shelf, where)
    if os.path.lexists(found.stub) and not _left(found):
        raise Refused(f"something else has the place of its stub: {shown(found.stub)}")
    return found


def _entries(base: bytes, tops: Sequence[bytes]) -> tuple[list[Entry], dict[bytes, Seen]]:
    """Every name of it, where all of it can be read and taken away."""
    try:
        entries, seen = entries_below(base, tops)
        stays = next((each for top in tops if (each := held_within(os.path.join(base, top)))), None)
    except OSError as error:
        place = error.filename if isinstance(error.filename, str | bytes) else base
        raise Refused(f"{shown(place)}: {error.strerror}") from error
    if stays:
        raise Refused(f"{shown(stays.path)} is {stays.how}: `{stays.end}` ends that")
    if not seen:
        raise Refused("there is no file in it")
    return entries, seen


def _check_place(address: str, base: bytes, tops: Sequence[bytes], size: int) -> None:
    """A folder of this machine has to be there, outside of what is archived, with room for all of it."""
    if "://" in address and not address.startswith("file:"):
        return
    _, path = shelf_of(address)
    if os.fsencode(path).decode(errors="replace") != path:
        raise Refused(f"{shown(path)} has a name that is no text, and a stub is one")
    if not os.path.isdir(path):
        raise Refused(f"{shown(path)} is no folder: make it first, or mount its disk")
    inside = os.path.realpath(os.fsencode(path)) + b"/"
    if any(inside.startswith(os.path.realpath(os.path.join(base, top)) + b"/") for top in tops):
        raise Refused("the target lies inside of it")
    space = os.statvfs(path)
    if space.f_bavail * space.f_frsize < size // 2:  # packing may halve it, hardly more
        raise Refused(f"there is no room for it in {shown(path)}")


def _left(proposal: Proposal) -> bool:
    """Whether the stub lies there already, of an attempt that was stopped before the original went."""
    text = read_file(proposal.stub, CAP)
    try:
        return not isinstance(text, Problem) and decode(text).where == proposal.where
    except ValueError:
        return False


def _name(artifact: Artifact, seen: dict[bytes, Seen]) -> str:
    """A folder for exactly these files, the same for every attempt."""
    digest = blake2b(digest_size=6)
    for path, each in sorted(seen.items()):
        digest.update(path + b"\0" + repr(tuple(each)).encode())
    title = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in artifact.id)
    return f"{title[-80:].strip('.-') or 'thing'}-{digest.hexdigest()}"


class Proven(msgspec.Struct):
    """A note on the shelf while it is filled: the files that were read back, and what each was a copy of."""

    files: list[tuple[Entry, tuple[int, ...]]] = []


def send(proposal: Proposal, told: Told) -> Stub:
    """Sends every file and reads it back; what an earlier attempt proved is not sent again. Nothing here is changed.

    OSError with the reason where anything fails: what is proven stays there for the next attempt.
    """
    shelf, base = proposal.shelf, proposal.base
    proven = {bytes(entry.path): (entry, seen) for entry, seen in _proven(shelf).files}
    done: dict[bytes, Entry] = {}
    noted = time.monotonic()
    taken: set[str] = set()
    for entry in proposal.entries:
        path = bytes(entry.path)
        if entry.kind != "file":
            continue
        known = proven.get(path)
        if known and known[1] == tuple(proposal.seen[path]):
            done[path] = known[0]
            told(entry.size, shown(path))
        else:
            done[path] = _sent(shelf, os.path.join(base, path), entry, proposal.seen[path], taken, told)
        taken.add(done[path].object)
        if time.monotonic() - noted > NOTE_EVERY:
            _note(shelf, done, proposal.seen)
            noted = time.monotonic()
    entries = [done.get(bytes(entry.path), entry) for entry in proposal.entries]
    tops = [Path.of(top) for top in proposal.tops]
    artifact = proposal.artifact
    stub = Stub(artifact.id, artifact.store, artifact.kind, proposal.where, now_text(), Path.of(base), tops, entries)
    text = encode(stub)
    shelf.put(MANIFEST, [text])
    if b"".join(shelf.get(MANIFEST)) != text:
        raise OSError(errno.EIO, "the archive does not give back what was put there")
    shelf.drop(PARTIAL)
    return stub


def _proven(shelf: Shelf) -> Proven:
    text = b""
    try:
        for piece in shelf.get(PARTIAL):
            text += piece
            if len(text) > CAP:
                return Proven()
        return msgspec.json.decode(text, type=Proven)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Proven()


def _note(shelf: Shelf, done: dict[bytes, Entry], seen: dict[bytes, Seen]) -> None:
    shelf.put(PARTIAL, [msgspec.json.encode(Proven([(entry, tuple(seen[path])) for path, entry in done.items()]))])


def _sent(shelf: Shelf, path: bytes, entry: Entry, seen: Seen, taken: set[str], told: Told) -> Entry:
    with opened(path) as descriptor:
        if Seen.of(os.fstat(descriptor)) != seen:
            raise OSError(errno.ESTALE, "it was written to since it was looked at", os.fsdecode(path))
        packed = packing(descriptor, entry.size)
        name, sent = _object(bytes(entry.path), packed, taken), Sent()
        shelf.put(name, _counted(outgoing(descriptor, packed, sent), sent, shown(path), told))
    for _ in incoming(shelf.get(name), packed, sent.stored_sha256, sent.sha256, entry.size):
        pass
    return msgspec.structs.replace(
        entry, sha256=sent.sha256, object=name, packed=packed, stored=sent.stored, stored_sha256=sent.stored_sha256
    )


def _counted(pieces: Iterator[bytes], sent: Sent, path: str, told: Told) -> Iterator[bytes]:
    before = 0
    for piece in pieces:
        yield piece
        told(sent.read - before, path)
        before = sent.read


def _object(path: bytes, packed: str, taken: set[str]) -> str:
    """A name on the shelf that people recognise, and that no other file has."""
    parts = [shown(part).replace("\\", "_")[: LONGEST // 2] for part in path.split(b"/")]
    end = ".zst" if packed else ""
    name, number = "files/" + "/".join(parts), 1
    while name + end in taken:
        number += 1
        name = "files/" + "/".join(parts) + f"~{number}"
    return name + end


def plan(survey: Survey, proposal: Proposal, stub: Stub) -> Plan:
    """The stub into its place, then the original into the trash."""
    tree, artifact = survey.tree, proposal.artifact
    proof = f"duplicate: read back and equal at {shown(proposal.where)}"
    content = base64.b64encode(encode(stub)).decode()
    steps = [Step("write", Path.of(proposal.stub), None, artifact.id, "none", proof, content=content)]
    if _left(proposal):
        steps.clear()
    for row in sorted(survey.claims.removable({proposal.number}), key=tree.path):
        freed = tree.measure([row]).sizes.freed
        mark = removal.mark(tree, row)
        steps.append(Step("remove", Path.of(tree.path(row)), mark, artifact.id, "duplicate", proof, freed))
    sizes = survey.claims.measure({proposal.number}).sizes
    origin, roots = origin_of(survey), roots_of(survey)
    return Plan(TITLE, now_text(), origin, steps, roots, sizes.freed, sizes.exact, "duplicate", []).sealed()
