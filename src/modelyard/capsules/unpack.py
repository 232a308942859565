"""Reads a capsule that somebody gave us: every byte is held against what the capsule says before any is used."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from modelyard.capsules.addresses import fetchable
from modelyard.capsules.capsule import DOCUMENT, Capsule, Member, Package, decode
from modelyard.capsules.distributions import NAME, VERSION
from modelyard.capsules.loose import FOLDER as LOOSE
from modelyard.capsules.loose import PLACE
from modelyard.problem import Problem, from_errno
from modelyard.walk.read import read_span
from modelyard.walk.text import shown

LARGEST_DOCUMENT = 64 << 20
LARGEST = 2 << 30
"""Bytes of everything in a capsule, unpacked."""
MOST = 100_000
PART = 1 << 20
HINT = "take the capsule from where it was made; this file is not to be trusted"
UNUSABLE = (ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What reading a file raises that is no whole zip file of ours; RuntimeError: an encrypted member."""
FRAGMENT = re.compile(r"#(sha256|md5)=[0-9a-f]+$")


class Opened(Struct, frozen=True):
    """A capsule whose members are those that it names. `sha256` is that of the whole file."""

    path: Path
    capsule: Capsule
    sha256: str

    def member(self, name: str) -> bytes:
        """The content of a member. ValueError where it is not what the capsule says."""
        wanted = next(each for each in self.capsule.members if each.name == name)
        with zipfile.ZipFile(self.path) as archive:
            return _content(archive, wanted)

    def below(self, folder: str) -> Iterator[tuple[str, bytes, bool]]:
        """Each file below a folder of the capsule: its path there, its content, and whether it may be run."""
        with zipfile.ZipFile(self.path) as archive:
            for each in self.capsule.members:
                if folder and each.name.startswith(folder):
                    runs = bool(archive.getinfo(each.name).external_attr >> 16 & 0o100)
                    yield each.name[len(folder) :], _content(archive, each), runs


def opened(path: Path) -> Opened | Problem:
    """A capsule that is whole and unchanged, or why it is not to be used. Nothing is written."""
    try:
        seen = os.stat(path)
        if not stat.S_ISREG(seen.st_mode):
            return Problem(shown(str(path)), "not-a-file", "a capsule is a plain file", "give the path of a capsule")
        with zipfile.ZipFile(path) as archive:
            capsule = _checked(archive)
        return Opened(path, capsule, _digest(path))
    except FileNotFoundError:
        return Problem(
            shown(str(path)), "no-capsule", "there is no such file", "`modelyard env freeze` writes capsules"
        )
    except OSError as error:
        return from_errno(shown(str(path)), error.errno or 0)
    except UNUSABLE as error:
        return unusable(path, error)


def unusable(path: Path, error: Exception) -> Problem:
    """The problem of a capsule that is not what it should be."""
    return Problem(shown(str(path)), "strange-capsule", f"this capsule is not to be used: {error}", HINT)


def _checked(archive: zipfile.ZipFile) -> Capsule:
    """What the capsule says, after every member was read once. ValueError where something does not fit."""
    names = [each.filename for each in archive.infolist()]
    if len(names) > MOST or len(set(names)) != len(names):
        raise ValueError("it has too many members, or one of them twice")
    for name in names:
        if not _is_safe(name):
            raise ValueError(f"its member {shown(name)!r} leads outside")
    capsule = decode(read_member(archive, DOCUMENT, LARGEST_DOCUMENT))
    if sum(each.size for each in capsule.members) > LARGEST:
        raise ValueError("it unpacks to more than a capsule holds")
    if {each.name for each in capsule.members} != set(names) - {DOCUMENT}:
        raise ValueError("its members are not those that it names")
    for each in capsule.members:
        _content(archive, each)
    _usable_words(capsule)
    return capsule


def _usable_words(capsule: Capsule) -> None:
    """Whether everything that becomes a word of a command is what it should be. ValueError where it is not."""
    for member in capsule.members:
        if member.name.startswith(LOOSE) and not PLACE.fullmatch(member.name):
            raise ValueError(f"its member {shown(member.name)!r} is not where it belongs")
    for package in capsule.packages:
        _usable(package, capsule)
    for source in capsule.sources:
        if not NAME.fullmatch(source.name) or (source.commit and not re.fullmatch(r"[0-9a-f]{40}", source.commit)):
            raise ValueError("the name or commit of its sources is none")
        if source.patch not in ("", f"sources/{source.name}.patch") or source.tree not in (
            "",
            f"sources/{source.name}/",
        ):
            raise ValueError("its sources are not where they belong")
    for conda in capsule.conda:
        if conda.url and not fetchable(conda.url):
            raise ValueError(f"{conda.name} comes from a strange address")


def _usable(package: Package, capsule: Capsule) -> None:
    """Whether its words can be handed to a program: they are what they should be, and no options."""
    if not NAME.fullmatch(package.name) or not VERSION.fullmatch(package.version):
        raise ValueError("a package has no proper name and version")
    if package.url and not fetchable(FRAGMENT.sub("", package.url)):
        raise ValueError(f"{package.name} comes from a strange address")
    if not re.fullmatch(r"[0-9A-Za-z]*", package.commit) or not re.fullmatch(r"[\w./-]*", package.subdirectory):
        raise ValueError(f"{package.name} comes from a strange commit")
    if not all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in package.hashes):
        raise ValueError(f"{package.name} has a strange hash")
    if not all(re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", each) for each in package.imports):
        raise ValueError(f"{package.name} has a strange module")
    if package.wheel and not any(each.name == package.wheel for each in capsule.members):
        raise ValueError(f"the wheel of {package.name} is not in it")
    if package.wheel and not re.fullmatch(r"wheels/[\w.+!-]+\.whl", package.wheel):
        raise ValueError(f"the wheel of {package.name} has a strange name")


def _is_safe(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name


def _content(archive: zipfile.ZipFile, wanted: Member) -> bytes:
    data = read_member(archive, wanted.name, wanted.size)
    if len(data) != wanted.size or hashlib.sha256(data).hexdigest() != wanted.sha256:
        raise ValueError(f"its member {shown(wanted.name)!r} was changed after the capsule was made")
    return data


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A member up to a limit, part by part: what it claims to be may be far from what it unpacks to."""
    parts, total = [], 0
    with archive.open(name) as member:
        while part := member.read(PART):
            parts.append(part)
            total += len(part)
            if total > limit:
                raise ValueError(f"its member {shown(name)!r} unpacks to more than it may")
    return b"".join(parts)


def _digest(path: Path) -> str:
    """The SHA-256 of a file."""
    found = hashlib.sha256()
    for part in _parts(path):
        found.update(part)
    return found.hexdigest()


def _parts(path: Path) -> Iterator[bytes]:
    at = 0
    while True:
        part = read_span(os.fsencode(path.resolve()), at, PART)
        if isinstance(part, Problem):
            raise ValueError(part.message)
        if not part:
            return
        yield part
        at += len(part)
