"""Installs conda packages by py-rattler, in a process of its own: `python -m … LIST PREFIX`."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import import_module  # by name: it is there only where somebody installed it

import msgspec

from modelyard.capsules.capsule import CondaPackage
from modelyard.problem import Problem
from modelyard.walk.read import read_file

CAP = 64 << 20


async def install(packages: list[CondaPackage], prefix: str) -> None:
    """Fetches each package, holds it against its hashes, and links it into the prefix."""
    rattler = import_module("rattler")
    build = getattr(getattr(rattler, "BuildString", None), "new_unchecked", str)  # versions before 0.28 take a text
    records = []
    for each in packages:
        record = rattler.PackageRecord(
            name=each.name, version=each.version, build=build(each.build), build_number=_number(each.build),
            subdir=each.subdir or "noarch", noarch=each.noarch or None, depends=each.depends,
            sha256=bytes.fromhex(each.sha256) or None, md5=bytes.fromhex(each.md5) or None,
            python_site_packages_path=each.site_packages or None,
        )  # fmt: skip
        channel = each.url.rsplit("/", 2)[0]
        file = each.file or each.url.rpartition("/")[2]
        records.append(rattler.RepoDataRecord(record, file, each.url, channel))
    await rattler.install(records, target_prefix=prefix, show_progress=False)


def _number(build: str) -> int:
    """The build's number, which its name ends with."""
    tail = build.rpartition("_")[2]
    return int(tail) if tail.isdecimal() and len(tail) < 9 else 0


def main(note: str, prefix: str) -> int:
    """The exit code."""
    text = read_file(os.fsencode(note), CAP)
    if isinstance(text, Problem):
        print(text.message, file=sys.stderr)
        return 1
    asyncio.run(install(msgspec.json.decode(text, type=list[CondaPackage]), prefix))
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2])
    sys.stdout.flush()
    os._exit(code)  # its own threads now and then crash an interpreter that is taken down in order
