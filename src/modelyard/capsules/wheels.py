"""The wheel of an installed distribution, built again from its files; each is held against its hash in RECORD."""

from __future__ import annotations

import configparser
import csv
import hashlib
import io
import json
import os
import posixpath
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from modelyard.capsules import records
from modelyard.capsules.distributions import Distribution
from modelyard.capsules.records import Entry
from modelyard.capsules.unpack import read_member
from modelyard.problem import Problem
from modelyard.walk.read import read_file
from modelyard.walk.text import shown

SMALL = 64 << 20
"""Bytes of a distribution whose wheel is kept."""
CAP = 1 << 20
SCRIPTS = ("bin/", "Scripts/")
TAG = re.compile(r"[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+")
INTERPRETER = re.compile(rb"#!\S*/python[0-9.]*\s*\n|#!/bin/sh\n'''exec' [^\n]*\n' '''\n")
"""The first lines that pip gives a script: a path, or a shell that starts a path that is too long."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def size_of(known: Distribution) -> int:
    """Bytes that its RECORD promises; what it does not say counts nothing."""
    return sum(each.size or 0 for each in known.entries)


class Wheel(Struct, frozen=True):
    """A wheel with its file's name, and the files that are not what RECORD says: they are in it as they lie there."""

    name: str
    data: bytes
    changed: tuple[str, ...]


def build(prefix: bytes, known: Distribution, limit: int = SMALL) -> Wheel | Problem:
    """The wheel of a distribution. A Problem where it has no RECORD or no tags, is too large, or leads outside."""
    path = os.path.join(prefix, os.fsencode(known.info))
    if not known.entries:
        return Problem(shown(path), "no-record", "without a RECORD its wheel cannot be made again")
    if size_of(known) > limit:
        return Problem(shown(path), "too-large", f"its {size_of(known)} bytes are more than a capsule keeps")
    tags = _tags(path)
    if isinstance(tags, Problem):
        return tags
    stem = posixpath.basename(known.info).removesuffix(".dist-info")
    generated = _generated(path)
    files: dict[str, tuple[bytes, bool]] = {}
    changed = []
    for entry in known.entries:
        if not records.belongs_to_wheel(entry, known.info) or _is_generated(entry, generated):
            continue
        found = records.verified(prefix, entry, limit)
        if isinstance(found, Problem):
            return found
        changed += [] if found.intact else [entry.path]
        if found.data is None:
            continue
        limit -= len(found.data)
        member = _member(entry, known.site, stem)
        script = ".data/scripts/" in member
        data = INTERPRETER.sub(b"#!python\n", found.data, count=1) if script else found.data
        files[member] = (data, script or _runs(prefix, entry))
    return Wheel(f"{stem}-{tags}.whl", pack(files, stem), tuple(changed))


def _tags(info: bytes) -> str | Problem:
    """The tags of the file name: what WHEEL lists one by one."""
    text = read_file(os.path.join(info, b"WHEEL"), CAP, follow=True)
    if isinstance(text, Problem):
        return text
    lines = [
        line.removeprefix(b"Tag:").strip().decode("ascii", "replace") for line in text.splitlines() if b"Tag:" in line
    ]
    found = [line.split("-") for line in lines if TAG.fullmatch(line)]
    if not found:
        return Problem(shown(info), "strange-metadata", "its WHEEL has no tags")
    return "-".join(".".join(dict.fromkeys(tag[at] for tag in found)) for at in range(3))


def _generated(info: bytes) -> set[str]:
    """The scripts that installers write themselves, by entry_points.txt."""
    text = read_file(os.path.join(info, b"entry_points.txt"), CAP, follow=True)
    points = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    points.optionxform = str  # type: ignore[assignment, method-assign]  # names of scripts keep their case
    try:
        points.read_string("" if isinstance(text, Problem) else text.decode("utf-8", "replace"))
    except configparser.Error:
        return set()
    sections = [each for each in ("console_scripts", "gui_scripts") if points.has_section(each)]
    return {name + end for each in sections for name in points.options(each) for end in ("", ".exe", "-script.py")}


def _is_generated(entry: Entry, generated: set[str]) -> bool:
    folder, _, name = entry.path.rpartition("/")
    return f"{folder}/" in SCRIPTS and name in generated


def _member(entry: Entry, site: str, stem: str) -> str:
    """Where a file lies in the wheel (the binary distribution format's `.data` folders)."""
    if entry.path.startswith(site + "/"):
        return entry.path[len(site) + 1 :]
    for folder, kind in (("bin/", "scripts"), ("Scripts/", "scripts"), ("lib64/", "platlib")):
        inside = entry.path[len(folder) :]
        if entry.path.startswith(folder) and kind == "scripts":
            return f"{stem}.data/scripts/{inside}"
        if entry.path.startswith(folder) and "/site-packages/" in inside:
            return f"{stem}.data/{kind}/{inside.partition('/site-packages/')[2]}"
    header = re.match(r"include/site/python[^/]+/[^/]+/(.+)", entry.path)
    return f"{stem}.data/headers/{header[1]}" if header else f"{stem}.data/data/{entry.path}"


def _runs(prefix: bytes, entry: Entry) -> bool:
    return os.access(os.path.join(prefix, os.fsencode(entry.path)), os.X_OK)


def pack(files: dict[str, tuple[bytes, bool]], stem: str) -> bytes:
    """A wheel of these files, content and whether it may be run, with a RECORD of its own; always the same bytes."""
    info = f"{stem}.dist-info"
    everything = {name: each for name, each in files.items() if name != f"{info}/RECORD"}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows(
        (name, f"sha256={records.digest(data)}", len(data)) for name, (data, _) in sorted(everything.items())
    )
    rows.writerow((f"{info}/RECORD", "", ""))
    everything[f"{info}/RECORD"] = (text.getvalue().encode("utf-8", "surrogateescape"), False)
    return _zipped((name, *each) for name, each in sorted(everything.items()))


def _zipped(files: Iterable[tuple[str, bytes, bool]]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, runs in files:
            note = zipfile.ZipInfo(name.encode("utf-8", "replace").decode(), EPOCH)
            note.external_attr = (0o100755 if runs else 0o100644) << 16
            note.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(note, data)
    return whole.getvalue()


def moved(wheel: bytes, old: str, new: str, edited: str) -> bytes:
    """The wheel of an editable distribution whose sources are elsewhere now, with a note (PEP 610) that it is `edited`

    there. ValueError for what is no wheel.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            notes = archive.infolist()
            if sum(each.file_size for each in notes) > 2 * SMALL:
                raise ValueError("it unpacks to more than a wheel of a capsule does")
            files = {
                each.filename: (read_member(archive, each.filename, each.file_size), _may_run(each)) for each in notes
            }
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"this is no wheel: {error}") from error
    info = next((name.partition("/")[0] for name in files if name.endswith(".dist-info/WHEEL")), "")
    if not info:
        raise ValueError("this is no wheel: it has no WHEEL")
    changed = {
        name: (data if name.startswith(info) else _elsewhere(data, old.encode(), new.encode()), runs)
        for name, (data, runs) in files.items()
    }
    note = {"url": Path(edited).as_uri(), "dir_info": {"editable": True}}
    changed[f"{info}/direct_url.json"] = (json.dumps(note).encode(), False)
    return pack(changed, info.removesuffix(".dist-info"))


def _may_run(note: zipfile.ZipInfo) -> bool:
    return bool(note.external_attr >> 16 & 0o100)


def sha256(data: bytes) -> str:
    """The digest of a content in hex."""
    return hashlib.sha256(data).hexdigest()


def _elsewhere(data: bytes, old: bytes, new: bytes) -> bytes:
    """Another folder in a `.pth` or in a finder's table; a longer name that only begins like it stays."""
    return re.sub(re.escape(old) + rb"(?![\w.-])", lambda _: new, data)
