"""An environment as its own files tell it: Python, packages, where each came from. Its interpreter is never started."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from modelyard.capsules import records
from modelyard.capsules.addresses import clean, local_folder
from modelyard.capsules.capsule import CondaPackage, Kind, Package, Source, environment_digest
from modelyard.capsules.conda import conda_packages
from modelyard.capsules.distributions import Direct, Distribution, canonical, installed, sites
from modelyard.capsules.loose import Loose, loose
from modelyard.capsules.sources import Collected, collect
from modelyard.problem import Problem
from modelyard.walk.read import read_file
from modelyard.walk.text import shown

CAP = 1 << 20
UNTOLD = (".venv", "venv", "env", ".env", "default")
"""Names of folders that tell nothing without that of the folder above."""


class Environment(Struct, frozen=True):
    """What is installed in a prefix. `known` are the distributions of `packages`, `sources` by name."""

    prefix: bytes
    kind: Kind
    name: str
    python: str
    implementation: str
    interpreter: str
    packages: tuple[Package, ...]
    known: tuple[Distribution, ...]
    conda: tuple[CondaPackage, ...]
    sources: Mapping[str, Collected]
    loose: Loose
    said: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def digest(self) -> str:
        """One digest of what is installed, sources included."""
        told = [(name, digest_of(each)) for name, each in self.sources.items()]
        told += [("loose", self.loose.digest)] if self.loose.files else []
        return environment_digest(self.python, self.packages, self.conda, told)


def digest_of(sources: Collected) -> str:
    """The digest of collected sources."""
    found = hashlib.sha256(f"{sources.commit}\n".encode() + sources.patch)
    for path, (data, runs) in sorted(sources.files.items()):
        found.update(b"\0%s\0%d\0%s" % (path, runs, hashlib.sha256(data).digest()))
    return found.hexdigest()


def environment(prefix: Path, *, with_sources: bool = True) -> Environment | Problem:
    """Everything about one environment. A Problem where there is none, or nothing of it can be understood."""
    place = os.fsencode(prefix.absolute())
    kind: Kind | None = _kind(place)
    if kind is None:
        why = "there is neither pyvenv.cfg nor conda-meta in it, so it is no environment"
        return Problem(shown(place), "no-environment", why, "give the folder of an environment")
    known, problems = installed(place)
    conda, more, owned = conda_packages(place) if kind == "conda" else ((), [], frozenset())
    settings = _settings(place)
    version, implementation = _python(place, settings, conda)
    sources, names = _sources(known) if with_sources else ({}, {})
    said: list[str] = [
        f"{name}: a secret was taken out of its address" for name, each in sources.items() if each.secret
    ]
    if settings.get("include-system-site-packages", "").lower() == "true":
        said.append("it also sees the packages of the Python that it was made from; they are not in the capsule")
    packages = []
    for each in known:
        package, secret = _package(place, each, owned, names)
        packages.append(package)
        said += [f"{each.name}: a secret was taken out of its address"] if secret else []
    brought = {entry.path for each in known for entry in each.entries} | owned
    found = loose(place, sites(place), brought)
    said += found.left_out
    return Environment(
        place, kind, _name(place), version, implementation, settings.get("home", ""), tuple(packages), tuple(known),
        tuple(conda), sources, found, tuple(said), (*problems, *more),
    )  # fmt: skip


def _kind(prefix: bytes) -> Kind | None:
    if os.path.isdir(os.path.join(prefix, b"conda-meta")):
        return "conda"
    return "venv" if os.path.isfile(os.path.join(prefix, b"pyvenv.cfg")) else None


def _name(prefix: bytes) -> str:
    """The name of the folder, with that above it where it tells nothing; fit to be a file's name."""
    parts = [os.fsdecode(each) for each in prefix.rstrip(b"/").split(b"/") if each]
    while len(parts) > 1 and parts[-1] == "default" and parts[-2] in ("envs", ".pixi"):
        del parts[-2]
    words = parts[-2:] if parts and parts[-1] in UNTOLD else parts[-1:]
    return (
        re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(each.strip(".") for each in words)).strip("._-")[:60] or "environment"
    )


def _settings(prefix: bytes) -> dict[str, str]:
    """What `pyvenv.cfg` says; nothing where there is none."""
    text = read_file(os.path.join(prefix, b"pyvenv.cfg"), CAP)
    lines = [] if isinstance(text, Problem) else text.decode("utf-8", "replace").splitlines()
    return {
        key.strip().lower(): value.strip() for key, found, value in (line.partition("=") for line in lines) if found
    }


def _python(prefix: bytes, settings: Mapping[str, str], conda: Iterable[CondaPackage]) -> tuple[str, str]:
    """Version and implementation of its Python; the version is empty where it has none."""
    for each in conda:
        if each.name in ("python", "pypy"):
            return each.version, "PyPy" if each.name == "pypy" or "pypy" in each.build else "CPython"
    folder = next((site.split("/")[1] for site in sites(prefix) if site.startswith("lib")), "")
    implementation = settings.get("implementation", "PyPy" if folder.startswith("pypy") else "CPython")
    found = re.match(r"\d+\.\d+(\.\d+)?", settings.get("version") or settings.get("version_info") or "")
    return (found[0] if found else re.sub(r"^[a-z]+", "", folder)), implementation


def _sources(known: Iterable[Distribution]) -> tuple[dict[str, Collected], dict[str, str]]:
    """The folders that distributions are edited in, each once by a name, and the name by distribution."""
    found: dict[str, Collected] = {}
    names: dict[str, str] = {}
    for each in known:
        if not each.editable:
            continue
        made = next((name for name, other in found.items() if _inside(os.fsencode(each.editable), other.folder)), "")
        if not made:
            collected = collect(each.editable)
            made = canonical(each.name)
            found[made] = collected
        names[each.name] = made
    return found, names


def _inside(folder: bytes, above: bytes) -> bool:
    return folder == above or folder.startswith(above.rstrip(b"/") + b"/")


def _package(
    prefix: bytes, each: Distribution, owned: frozenset[str], names: Mapping[str, str]
) -> tuple[Package, bool]:
    """A distribution as a capsule knows it, before its wheel is made; and whether its address held a secret."""
    direct = each.direct
    address, secret = clean(direct.url) if direct else ("", False)
    return Package(
        each.name,
        each.version,
        _source(each, owned, address),
        records.content(each.entries, each.site, each.info) if each.entries else "",
        records.edited(prefix, each.entries, each.info),
        records.imports(each.entries, each.site),
        address,
        direct.vcs_info.commit_id if direct and direct.vcs_info else "",
        direct.subdirectory if direct else "",
        _hashes(direct),
        folder=shown(each.editable),
        repository=names.get(each.name, ""),
    ), secret


def _source(each: Distribution, owned: frozenset[str], address: str) -> Source:
    """Where it comes back from when no wheel of it is kept."""
    if each.info in owned:
        return "conda"
    if each.editable:
        return "sources"
    if each.direct is None:
        return "index"
    return "nowhere" if not address or local_folder(address) or address.startswith("file:") else "url"


def _hashes(direct: Direct | None) -> list[str]:
    """The SHA-256 of the archive that it was installed from, where the installer noted it."""
    if direct is None or direct.archive_info is None:
        return []
    told = direct.archive_info.hashes.get("sha256") or direct.archive_info.hash.removeprefix("sha256=")
    return [f"sha256:{told}"] if re.fullmatch(r"[0-9a-f]{64}", told) else []
