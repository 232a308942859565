"""The conda packages of a prefix, by what conda-meta says of each; conda itself is not asked."""

from __future__ import annotations

import graphlib
import os
import re
from collections.abc import Sequence

import msgspec

from modelyard.capsules.addresses import clean
from modelyard.capsules.capsule import CondaPackage
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.read import names_in, read_file
from modelyard.walk.text import shown

CAP = 64 << 20
WORD = re.compile(r"[A-Za-z0-9_][\w.+!*=-]*", re.ASCII)
HASHES = {"md5": re.compile(r"[0-9a-f]{32}"), "sha256": re.compile(r"[0-9a-f]{64}")}
HINT = "`conda doctor` says more"


class Meta(msgspec.Struct):
    """What is needed of one file in conda-meta."""

    name: str
    version: str
    build: str = ""
    url: str = ""
    md5: str | None = ""
    sha256: str | None = ""
    subdir: str = ""
    fn: str = ""
    depends: list[str] = []
    files: list[str] = []
    noarch: str | bool | None = ""
    python_site_packages_path: str | None = ""


def conda_packages(prefix: bytes) -> tuple[Sequence[CondaPackage], list[Problem], frozenset[str]]:
    """The packages in the order of installation, problems, and what they brought to site-packages."""
    folder = os.path.join(prefix, b"conda-meta")
    found: dict[str, CondaPackage] = {}
    problems: list[Problem] = []
    owned: set[str] = set()
    for name in names_in(os.fsdecode(folder)):
        if not name.endswith(".json"):
            continue
        path = os.path.join(folder, os.fsencode(name))
        text = read_file(path, CAP)
        meta = text if isinstance(text, Problem) else parsed(text, Meta)
        if isinstance(meta, Meta) and all(
            WORD.fullmatch(each) for each in (meta.name, meta.version, meta.build or "0")
        ):
            address, secret = clean(meta.url)
            found[meta.name] = _package(meta, address)
            owned |= {os.path.dirname(each) for each in meta.files if ".dist-info/" in each or ".egg-info/" in each}
            owned |= {each for each in meta.files if "site-packages/" in each}
            if secret:
                why = f"{meta.name}: a secret was taken out of its address"
                problems.append(Problem(shown(path), "secret", why, "channels that ask for a token need it again"))
        else:
            why = meta.message if isinstance(meta, Problem) else "it has no proper name, version and build"
            problems.append(
                Problem(shown(path), "strange-metadata", f"a conda package that is not understood: {why}", HINT)
            )
    return _ordered(found), problems, frozenset(owned)


def _package(meta: Meta, address: str) -> CondaPackage:
    hashes = {kind: told if told and form.fullmatch(told) else "" for kind, form in HASHES.items()
              for told in [getattr(meta, kind)]}  # fmt: skip
    return CondaPackage(
        meta.name,
        meta.version,
        meta.build,
        address,
        hashes["md5"],
        hashes["sha256"],
        meta.subdir,
        meta.fn,
        meta.depends,
    )


def _ordered(found: dict[str, CondaPackage]) -> list[CondaPackage]:
    """Each behind what it depends on, as installers want explicit lists; by name where they depend on each other."""
    needs = {name: sorted({each.split()[0] for each in package.depends if each.strip()} & set(found))
             for name, package in sorted(found.items())}  # fmt: skip
    try:
        return [found[name] for name in graphlib.TopologicalSorter(needs).static_order()]
    except graphlib.CycleError:
        return [found[name] for name in sorted(found, key=lambda name: (name != "python", name))]


def explicit(packages: Sequence[CondaPackage], platform: str) -> str:
    """The list as `conda list --explicit --md5` prints it."""
    lines = [f"{each.url}#{each.md5}" if each.md5 else each.url for each in packages if each.url]
    missing = [f"# without an address: {each.name} {each.version} {each.build}" for each in packages if not each.url]
    head = ["# conda create --name NAME --file conda-explicit.txt", f"# platform: {platform}", *missing, "@EXPLICIT"]
    return "\n".join([*head, *lines]) + "\n"
