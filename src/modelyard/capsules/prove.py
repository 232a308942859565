"""Builds an environment from its capsule in a folder of its own, compares it, imports what it has, and removes it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from modelyard.apply.disk import Disk
from modelyard.apply.whole import draft, scratch
from modelyard.capsules.capsule import Capsule, CondaPackage, Package
from modelyard.capsules.distributions import canonical
from modelyard.capsules.environment import Environment, environment
from modelyard.capsules.loose import FOLDER as LOOSE
from modelyard.capsules.programs import Failed, run
from modelyard.capsules.proof import Proof, side_file
from modelyard.capsules.restore import restore
from modelyard.capsules.unpack import Opened
from modelyard.problem import Problem, from_errno
from modelyard.walk.text import shown

PATIENCE = 180.0
"""Seconds for the modules of one distribution; torch alone takes ten on a cold disk."""
PROGRAM = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"


class Compared(Struct, frozen=True):
    """What differs between a capsule and an environment, and what is only worth knowing."""

    differences: list[str]
    notes: list[str]


def prove(opened: Opened, env: Mapping[str, str], home: Path, disk: Disk | None = None) -> Proof | Problem:
    """Tries a capsule and keeps what came of it beside it. A Problem where the result could not be kept.

    The environment lies beside the capsule while it is looked at, and is gone afterwards.
    """
    disk = disk or Disk()
    folder = os.fsencode(opened.path.absolute().parent)
    started = time.monotonic()
    try:
        with scratch(disk, folder) as place:
            found = _tried(opened, Path(os.fsdecode(place)), env, home, disk)
        proof = Proof(
            datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), opened.sha256, opened.capsule.environment,
            found.differences, found.notes, round(time.monotonic() - started, 1),
        )  # fmt: skip
        with draft(disk, folder, b"proof") as made:
            made.write(msgspec.json.format(msgspec.json.encode(proof), indent=1))
            made.keep(os.fsencode(side_file(opened.path).name), over=True)
    except OSError as error:
        return from_errno(shown(error.filename or folder), error.errno or 0)
    return proof


def _tried(opened: Opened, place: Path, env: Mapping[str, str], home: Path, disk: Disk) -> Compared:
    prefix = place / "environment"
    made = restore(opened, prefix, env, home, with_sources=True, disk=disk)
    if isinstance(made, Problem):
        return Compared([f"it could not be built: {made.message}"], [])
    seen = environment(prefix, with_sources=False)
    if isinstance(seen, Problem):
        return Compared([f"what was built is no environment: {seen.message}"], [])
    found = compare(opened.capsule, seen)
    disk.make_folder(os.fsencode(place / "home"))
    broken = list(_imports(opened.capsule, prefix, place / "home"))
    return Compared([*found.differences, *broken], [*made.notes, *found.notes])


def compare(capsule: Capsule, seen: Environment) -> Compared:
    """Names and versions must be the same; other files under the same version are worth knowing."""
    differences = list(_differing(_versions(capsule.packages), _versions(seen.packages)))
    differences += _differing(_builds(capsule.conda), _builds(seen.conda))
    contents = {canonical(each.name): each.content for each in seen.packages}
    notes = [
        f"{each.pinned}: the same version with other files"
        for each in capsule.packages
        if each.source != "sources"
        and each.content
        and contents.get(canonical(each.name), each.content) != each.content
    ]
    there = [f"{LOOSE}{path}" for path in seen.loose.files]
    differences += [f"{each.name} is missing" for each in capsule.members
                    if each.name.startswith(LOOSE) and each.name not in there]  # fmt: skip
    if capsule.python.split(".")[:2] != seen.python.split(".")[:2]:
        differences.append(f"Python {seen.python} instead of {capsule.python}")
    return Compared(differences, notes)


def _versions(packages: list[Package] | tuple[Package, ...]) -> dict[str, str]:
    return {canonical(each.name): each.version for each in packages}


def _builds(packages: list[CondaPackage] | tuple[CondaPackage, ...]) -> dict[str, str]:
    return {each.name: f"{each.version} {each.build}" for each in packages}


def _differing(wanted: Mapping[str, str], there: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*wanted, *there}):
        if name not in there:
            yield f"{name} {wanted[name]} is missing"
        elif name not in wanted:
            yield f"{name} {there[name]} is there and was not"
        elif wanted[name] != there[name]:
            yield f"{name} {there[name]} instead of {wanted[name]}"


def _imports(capsule: Capsule, prefix: Path, home: Path) -> Iterator[str]:
    """What cannot be imported in the new environment, each distribution in a process and a home of its own."""
    python = str(prefix / "bin" / "python")
    env = {"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}
    for each in capsule.packages:
        if not each.imports or each.source == "nowhere":
            continue
        try:
            run([python, "-I", "-B", "-c", PROGRAM, *each.imports], env, str(home), PATIENCE)
        except Failed as failed:
            last = failed.problem.message.splitlines()[-1]
            yield f"{each.name}: {' or '.join(each.imports)} cannot be imported: {last}"
