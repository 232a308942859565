"""Brings an archived thing back to its place: built beside it, proven by its digests, then renamed by a plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b

from msgspec import Struct

from modelyard.api import Survey
from modelyard.api.archiving import shelf_of
from modelyard.api.entries import Refused
from modelyard.api.packing import incoming
from modelyard.api.planning import now_text, origin_of, roots_of
from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.remote import Shelf
from modelyard.apply.restoring import restored
from modelyard.apply.trash import remove_tree
from modelyard.formats.stub import CAP, SUFFIX, Entry, Stub, decode
from modelyard.plan import Path, Plan, Step
from modelyard.problem import Problem
from modelyard.walk.read import read_file
from modelyard.walk.text import shown

TITLE = "recall"
BUILDING = b".modelyard-recalled-%s"
Told = Callable[[int, str], object]


class Wanted(Struct, frozen=True):
    """A stub, where it lies, and the shelf that keeps what it stands for."""

    stub: Stub
    path: bytes
    shelf: Shelf

    @property
    def base(self) -> bytes:
        """The folder that everything goes back to: where the stub lies, which may have been moved with its folder."""
        found = os.path.dirname(self.path)
        for _ in range(bytes(self.stub.tops[0]).count(b"/")):
            found = os.path.dirname(found)
        return found

    @property
    def building(self) -> bytes:
        """Where it is built."""
        word = blake2b(self.path, digest_size=6).hexdigest().encode()
        return os.path.join(self.base, BUILDING % word)


def find(survey: Survey, name: str) -> Wanted:
    """What a stub's id, the id of what it stands for, or its path names. Refused where there is no such stub."""
    if os.path.lexists(name):
        return _wanted(os.path.abspath(os.fsencode(name)))
    stubs = [each for each in survey.artifacts if each.store == "archived" and each.state == "archived"]
    fitting = [each for each in stubs if name in (each.id, each.title)]
    fitting = fitting or [each for each in stubs if name.lower() in (each.id + each.title).lower()]
    if len(fitting) != 1:
        names = ", ".join(each.id for each in fitting[:5])
        raise Refused(
            f"{len(fitting)} archived things fit {name!r}: {names}"
            if fitting
            else f"nothing archived is called {name!r}"
        )
    return _wanted(survey.tree.path(fitting[0].pins[0]))


def _wanted(path: bytes) -> Wanted:
    if not path.endswith(SUFFIX):
        raise Refused(f"{shown(path)} is no stub of an archive")
    text = read_file(path, CAP)
    if isinstance(text, Problem):
        raise Refused(f"{text.path}: {text.message}")
    try:
        stub = decode(text)
        shelf, _ = shelf_of(stub.where)
    except (ValueError, OSError) as error:
        raise Refused(str(error)) from error
    return Wanted(stub, path, shelf)


def why_not(wanted: Wanted) -> str:
    """Why it cannot come back now; empty when it can."""
    for top in wanted.stub.tops:
        if os.path.lexists(os.path.join(wanted.base, bytes(top))):
            return f"something else has its place: {shown(os.path.join(wanted.base, bytes(top)))}"
    if any(len(bytes(top).split(b"/")) > 1 for top in wanted.stub.tops):
        folders = {os.path.dirname(bytes(top)) for top in wanted.stub.tops}
        gone = [folder for folder in folders if not os.path.isdir(os.path.join(wanted.base, folder))]
        if gone:
            return f"the folder {shown(gone[0])} that it lay in is not there"
    space = os.statvfs(wanted.base)
    if not os.path.lexists(wanted.building) and space.f_bavail * space.f_frsize < wanted.stub.size:
        return "there is no room for it"
    return ""


def build(wanted: Wanted, told: Told) -> list[str]:
    """Builds it beside its place; what could not be kept, such as an attribute. OSError where anything fails."""

    def source(entry: Entry) -> Iterator[bytes]:
        kept = wanted.shelf.get(entry.object)
        for piece in incoming(kept, entry.packed, entry.stored_sha256, entry.sha256, entry.size):
            told(len(piece), entry.path.text)
            yield piece

    return restored(Disk(), wanted.building, wanted.stub.entries, source)


def plan(survey: Survey, wanted: Wanted) -> Plan:
    """Everything to its place, then the stub into the trash. The archive keeps its copy."""
    stub, steps = wanted.stub, []
    proof = f"re-get: equal to what is kept at {shown(stub.where)}"
    for top in stub.tops:
        built = os.path.join(wanted.building, bytes(top))
        place = Path.of(os.path.join(wanted.base, bytes(top)))
        steps.append(Step("move", Path.of(built), marks.take(built), stub.artifact, "re-get", proof, other=place))
    steps.append(Step("remove", Path.of(wanted.path), marks.take(wanted.path), stub.artifact, "re-get", proof))
    origin = origin_of(survey, [os.fsdecode(os.path.realpath(wanted.base))])
    return Plan(TITLE, now_text(), origin, steps, roots_of(survey), 0, True, "re-get", []).sealed()


def finished(wanted: Wanted) -> None:
    """Takes the folder away in which it was built, when nothing of it is left there."""
    with suppress(OSError):
        if not any(files for _, _, files in os.walk(wanted.building)):
            remove_tree(Disk(), wanted.building)
