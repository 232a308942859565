"""Writes the capsule of an environment: a new file, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct, field

from modelyard.apply.disk import Disk
from modelyard.apply.whole import Draft, draft
from modelyard.capsules import wheels
from modelyard.capsules.capsule import DOCUMENT, Capsule, Member, Package, Sources, encode
from modelyard.capsules.conda import explicit
from modelyard.capsules.cuda import cuda_version
from modelyard.capsules.distributions import Distribution
from modelyard.capsules.environment import Environment, environment
from modelyard.capsules.loose import FOLDER as LOOSE
from modelyard.capsules.requirements import requirements
from modelyard.capsules.unpack import Opened, opened
from modelyard.problem import Problem, from_errno
from modelyard.walk.text import shown

FULL = (errno.ENOSPC, errno.EDQUOT)
EPOCH = (1980, 1, 1, 0, 0, 0)


class Content(Struct):
    """The zip file that is being written, and what is in it already."""

    archive: zipfile.ZipFile
    members: list[Member] = field(default_factory=list)

    def add(self, name: str, data: bytes, *, packed: bool = False, runs: bool = False) -> str:
        """Adds a member; its name. `packed`: it is deflated already."""
        note = zipfile.ZipInfo(name, EPOCH)
        note.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        note.external_attr = (0o100755 if runs else 0o100644) << 16
        self.archive.writestr(note, data)
        self.members.append(Member(name, len(data), hashlib.sha256(data).hexdigest()))
        return name


def write_capsule(prefix: Path, into: Path, disk: Disk | None = None) -> Path | Problem:
    """Writes `<name>-<digest>.zip` into a folder, which is made where it is missing; the path of the new file.

    Only files are read, and no program is run. A Problem where there is no environment, no room or no permission; then
    nothing is left behind.
    """
    found = environment(prefix)
    if isinstance(found, Problem):
        return found
    folder = os.fsencode(into.absolute())
    try:
        with draft(disk or Disk(), folder, b"capsule") as made:
            capsule = _written(found, made)
            name = f"{capsule.name}-{capsule.id}.zip"
            if _is_there(into / name, capsule):
                return into.absolute() / name
            return Path(os.fsdecode(made.keep(name.encode())))
    except OSError as error:
        if error.errno in FULL:
            return Problem(
                shown(folder), "no-space", "there is no room for the capsule", "free some space, or give another folder"
            )
        return from_errno(shown(folder), error.errno or 0)


def _is_there(path: Path, capsule: Capsule) -> bool:
    """Whether the same capsule was written already: twice within a second."""
    seen = opened(path) if os.path.lexists(path) else None
    return isinstance(seen, Opened) and seen.capsule.digest == capsule.digest


def _written(found: Environment, made: Draft) -> Capsule:
    """Everything in its order: wheels, sources, the lists for others' tools, and last what the capsule says itself."""
    said = [*found.said, *(f"{each.path}: {each.message}" for each in found.problems)]
    with zipfile.ZipFile(made, "w") as archive:
        content = Content(archive)
        packages = [
            _kept(found, each, known, content, said) for each, known in zip(found.packages, found.known, strict=True)
        ]
        sources = list(_sources(found, content))
        for path, data in sorted(found.loose.files.items()):
            content.add(LOOSE + path, data)
        platform = sysconfig.get_platform()
        content.add("requirements.txt", requirements(packages, sources).encode())
        if found.kind == "conda":
            content.add("conda-explicit.txt", explicit(found.conda, _subdir(found)).encode())
        capsule = Capsule(
            found.kind, found.name, _now(), found.python, found.implementation,
            shown(found.interpreter), platform, _glibc(), cuda_version(packages, found.conda), packages,
            list(found.conda), sources, content.members, said, found.digest,
        ).sealed()  # fmt: skip
        content.add(DOCUMENT, encode(capsule))
    return capsule


def _kept(found: Environment, each: Package, known: Distribution, content: Content, said: list[str]) -> Package:
    """The package with its wheel in the capsule, where no index surely has it as it lies there and it is small."""
    said += [f"{each.name}: its files were changed after it was installed"] if each.edits else []
    if each.source == "conda":
        said += [f"{each.name}: conda brings it back as it was, without these changes"] if each.edits else []
        return each
    if each.source == "index" and "+" not in each.version and not each.edits:
        return each
    wheel = wheels.build(found.prefix, known)
    if isinstance(wheel, Problem):
        said.append(f"{each.name}: its wheel is not inside, {wheel.message}{_instead(each)}")
        return each
    said += [
        f"{each.name}: {shown(path)} is not what was installed; the wheel has it as it is" for path in wheel.changed
    ]
    member = content.add(f"wheels/{wheel.name}", wheel.data, packed=True)
    source = each.source if each.source == "sources" else "inside"
    hashes = [f"sha256:{content.members[-1].sha256}"]
    return msgspec.structs.replace(each, source=source, wheel=member, hashes=hashes)


def _instead(each: Package) -> str:
    if each.source == "url":
        return f"; it comes from {each.url}"
    return "; an index is asked for it" if each.source == "index" else "; nothing else brings it back"


def _sources(found: Environment, content: Content) -> Iterator[Sources]:
    """The edited code: a patch, or every file below a folder of its name."""
    for name, each in found.sources.items():
        patch = content.add(f"sources/{name}.patch", each.patch) if each.patch else ""
        left = list(each.left_out)
        for path, (data, runs) in _utf8(each.files.items(), left):
            content.add(f"sources/{name}/{path}", data, runs=runs)
        tree = f"sources/{name}/" if each.files else ""
        yield Sources(name, shown(each.folder), each.remote, each.commit, patch, tree, left)


def _utf8(
    files: Iterable[tuple[bytes, tuple[bytes, bool]]], left: list[str]
) -> Iterator[tuple[str, tuple[bytes, bool]]]:
    """The files whose names can stand in a zip file and mean the same everywhere."""
    for path, each in files:
        try:
            name = path.decode()
        except UnicodeDecodeError:
            left.append(f"{shown(path)}: its name is not UTF-8")
            continue
        if "\\" in name:
            left.append(f"{shown(path)}: a backslash in its name")
        else:
            yield name, each


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _subdir(found: Environment) -> str:
    return next((each.subdir for each in found.conda if each.subdir not in ("", "noarch")), "noarch")


def _glibc() -> str:
    """The version of this machine's C library, empty where it is another one than glibc."""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError, AttributeError):
        return ""
    return text.removeprefix("glibc ")
