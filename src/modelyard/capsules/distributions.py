"""Installed Python distributions, from the files that installers leave; nothing is imported or run."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from modelyard.capsules import records
from modelyard.capsules.addresses import local_folder
from modelyard.capsules.records import Entry
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.read import names_in, read_file
from modelyard.walk.text import shown

CAP = 1 << 20
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
HINT = "install the package again, or remove what is left of it"


class Archive(msgspec.Struct):
    """The archive that a distribution was installed from (PEP 610)."""

    hash: str = ""
    hashes: dict[str, str] = {}


class Checkout(msgspec.Struct):
    """The checkout that a distribution was installed from."""

    vcs: str = ""
    commit_id: str = ""


class Folder(msgspec.Struct):
    """The folder that a distribution was installed from."""

    editable: bool = False


class Direct(msgspec.Struct):
    """`direct_url.json`: where a distribution came from when that was no index."""

    url: str
    archive_info: Archive | None = None
    vcs_info: Checkout | None = None
    dir_info: Folder | None = None
    subdirectory: str = ""


class Distribution(Struct, frozen=True):
    """One installed distribution. Paths are below the environment; `problem` is why its files are not known."""

    name: str
    version: str
    site: str
    info: str
    entries: tuple[Entry, ...]
    direct: Direct | None
    editable: str
    """The folder that it is edited in, empty where it is installed as usual."""
    problem: Problem | None = None


def canonical(name: str) -> str:
    """The name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def sites(prefix: bytes) -> list[str]:
    """The site-packages of an environment, as paths below it; links to one of them are not counted twice."""
    found: list[str] = []
    for library in ("lib", "lib64"):
        holder = os.path.join(prefix, library.encode())
        if library == "lib64" and os.path.islink(holder):
            continue
        names = [name for name in names_in(os.fsdecode(holder)) if name.startswith(("python", "pypy"))]
        found += [f"{library}/{name}/site-packages" for name in names]
    found.append("Lib/site-packages")
    return [each for each in found if os.path.isdir(os.path.join(prefix, os.fsencode(each)))]


def installed(prefix: bytes) -> tuple[list[Distribution], list[Problem]]:
    """Every distribution of an environment by name, and what could not be read."""
    found: dict[str, Distribution] = {}
    problems: list[Problem] = []
    for site in sites(prefix):
        folder = os.path.join(prefix, os.fsencode(site))
        for name in names_in(os.fsdecode(folder)):
            if not name.endswith((".dist-info", ".egg-info", ".egg-link")) or name.startswith("~"):
                continue
            each = _read(prefix, site, name)
            if isinstance(each, Problem):
                problems.append(each)
            elif canonical(each.name) not in found or not name.endswith(".egg-link"):
                found[canonical(each.name)] = each
                problems += [each.problem] if each.problem else []
    return sorted(found.values(), key=lambda each: canonical(each.name)), problems


def _read(prefix: bytes, site: str, name: str) -> Distribution | Problem:
    path = os.path.join(prefix, os.fsencode(site), os.fsencode(name))
    if name.endswith(".egg-link"):
        return _egg_link(path, site)
    metadata = _metadata(path, name)
    if isinstance(metadata, Problem):
        return metadata
    info = f"{site}/{name}"
    direct = _direct(path)
    entries = _entries(path, site, name)
    problem = next((each for each in (direct, entries) if isinstance(each, Problem)), None)
    known = direct if isinstance(direct, Direct) else None
    edited = local_folder(known.url) if known and known.dir_info and known.dir_info.editable else ""
    return Distribution(*metadata, site, info, () if isinstance(entries, Problem) else entries, known, edited, problem)


def _metadata(path: bytes, name: str) -> tuple[str, str] | Problem:
    """Name and version. They become words of a command, so nothing else than a name and a version will do."""
    files = (b"METADATA",) if name.endswith(".dist-info") else (b"PKG-INFO", b"")
    text: bytes | Problem = b""
    for file in files:
        text = read_file(os.path.join(path, file) if file else path, CAP, follow=True, head=True)
        if not isinstance(text, Problem):
            break
    if isinstance(text, Problem):
        return Problem(shown(path), "no-metadata", f"a package without readable metadata: {text.message}", HINT)
    head = re.split(rb"\r?\n\r?\n", text, maxsplit=1)[0].decode("utf-8", "replace")
    fields = dict(re.findall(r"(?m)^(Name|Version):[ \t]*(.*?)[ \t\r]*$", head))
    found = fields.get("Name", ""), fields.get("Version", "")
    if not NAME.fullmatch(found[0]) or not VERSION.fullmatch(found[1]):
        return Problem(shown(path), "strange-metadata", "a package whose metadata has no proper name and version", HINT)
    return found


def _direct(path: bytes) -> Direct | Problem | None:
    place = os.path.join(path, b"direct_url.json")
    if not os.path.lexists(place):
        return None
    text = read_file(place, CAP, follow=True)
    if isinstance(text, Problem):
        return text
    found = parsed(text, Direct)
    if isinstance(found, ValueError):
        return Problem(shown(place), "strange-metadata", f"where it came from is not understood: {found}", HINT)
    return found


def _entries(path: bytes, site: str, name: str) -> tuple[Entry, ...] | Problem:
    if not name.endswith(".dist-info"):
        return ()
    text = read_file(os.path.join(path, b"RECORD"), records.CAP, follow=True)
    if isinstance(text, Problem):
        return Problem(shown(path), "no-record", f"a package without a readable RECORD: {text.message}", HINT)
    try:
        return tuple(records.parse(text, site))
    except ValueError as error:
        return Problem(shown(path), "broken-record", str(error), HINT)


def _egg_link(path: bytes, site: str) -> Distribution | Problem:
    """What `setup.py develop` leaves: the folder of the code, whose egg-info has name and version."""
    text = read_file(path, CAP, follow=True)
    if isinstance(text, Problem):
        return text
    folder = text.split(b"\n")[0].strip()
    for each in _egg_infos(folder):
        metadata = _metadata(os.path.join(folder, each), ".egg-info")
        if not isinstance(metadata, Problem):
            return Distribution(*metadata, site, "", (), None, os.fsdecode(folder))
    return Problem(shown(path), "no-metadata", f"its code is not in {shown(folder)}", HINT)


def _egg_infos(folder: bytes) -> Iterator[bytes]:
    if os.path.isabs(folder) and b"\0" not in folder:
        for name in names_in(os.fsdecode(folder)):
            if name.endswith(".egg-info") and stat.S_ISDIR(os.lstat(os.path.join(folder, os.fsencode(name))).st_mode):
                yield os.fsencode(name)
