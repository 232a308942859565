"""What a capsule says of an environment, as data: `capsule.json`, the first thing to read in it. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

SCHEMA_VERSION = 1
DOCUMENT = "capsule.json"
Kind = Literal["venv", "conda"]
Source = Literal["index", "inside", "url", "sources", "conda", "nowhere"]


class Package(msgspec.Struct, frozen=True, omit_defaults=True):
    """One installed Python distribution and where it comes back from.

    `index`: by name and version; `inside`: its wheel lies in the capsule; `url`: from where it was installed;
    `sources`: it is edited in a folder of its own; `conda`: a conda package brings it; `nowhere`: nothing brings it.
    """

    name: str
    version: str
    source: Source
    content: str = ""
    """SHA-256 of what its RECORD says of its files, empty where it has none."""
    edits: str = ""
    """SHA-256 of what somebody changed of its files after it was installed, empty where nobody did."""
    imports: list[str] = []
    """The names that its files make importable."""
    url: str = ""
    commit: str = ""
    subdirectory: str = ""
    hashes: list[str] = []
    """Of the archive that it was installed from, or of the wheel inside, as `sha256:…`."""
    wheel: str = ""
    """The member that holds its wheel."""
    folder: str = ""
    """Where an editable one was edited."""
    repository: str = ""
    """The name of the sources that it belongs to."""

    @property
    def pinned(self) -> str:
        """`name==version`."""
        return f"{self.name}=={self.version}"


class CondaPackage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One conda package, as conda-meta has it."""

    name: str
    version: str
    build: str
    url: str = ""
    md5: str = ""
    sha256: str = ""
    subdir: str = ""
    file: str = ""
    depends: list[str] = []
    noarch: str = ""
    """`python` or `generic`, empty for one of a platform."""
    site_packages: str = ""
    """Where a Python says that packages belong."""


class Sources(msgspec.Struct, frozen=True, omit_defaults=True):
    """Code that was edited in place: a repository with commit and patch, or the files themselves below `tree`."""

    name: str
    folder: str
    remote: str = ""
    commit: str = ""
    patch: str = ""
    tree: str = ""
    left_out: list[str] = []
    """What of it is in neither, and why."""


class Member(msgspec.Struct, frozen=True):
    """A file in the capsule."""

    name: str
    size: int
    sha256: str


class Capsule(msgspec.Struct, frozen=True):
    """An environment. `environment` is the digest of its packages and sources alone, `digest` that of all of this.

    `said` is what a person should know: what was left out, unreadable or taken out of addresses.
    """

    kind: Kind
    name: str
    created: str
    python: str
    implementation: str
    interpreter: str
    platform: str
    glibc: str
    cuda: str
    packages: list[Package]
    conda: list[CondaPackage]
    sources: list[Sources]
    members: list[Member]
    said: list[str]
    environment: str
    digest: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def id(self) -> str:
        """Short enough to type, long enough to be the only one."""
        return self.digest[:12]

    def sealed(self) -> Capsule:
        """The capsule with its digest."""
        return msgspec.structs.replace(self, digest=_digest(self))


def _digest(capsule: Capsule) -> str:
    content = msgspec.json.encode(msgspec.structs.replace(capsule, digest=""), order="sorted")
    return hashlib.sha256(content).hexdigest()


def environment_digest(
    python: str, packages: Sequence[Package], conda: Sequence[CondaPackage], sources: Sequence[tuple[str, str]]
) -> str:
    """One digest for what is installed: names, versions and contents; `sources` are names with digests."""
    lines = [f"python {'.'.join(python.split('.')[:2])}"]
    lines += sorted(f"package {each.name} {each.version} {each.content} {each.edits}" for each in packages)
    lines += sorted(f"conda {each.name} {each.version} {each.build} {each.sha256 or each.md5}" for each in conda)
    lines += sorted(f"sources {name} {digest}" for name, digest in sources)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def encode(capsule: Capsule) -> bytes:
    """The capsule as JSON for eyes."""
    return msgspec.json.format(msgspec.json.encode(capsule), indent=1)


def decode(text: bytes) -> Capsule:
    """The capsule of a JSON text. ValueError where it is none, of another version, or was changed."""
    try:
        capsule = msgspec.json.decode(text, type=Capsule)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"this is no capsule: {error}") from error
    if capsule.schema_version != SCHEMA_VERSION:
        raise ValueError(f"a capsule of version {capsule.schema_version}, and this modelyard knows {SCHEMA_VERSION}")
    if capsule.digest != _digest(capsule):
        raise ValueError("the capsule was changed after it was made: its digest does not fit its content")
    return capsule
