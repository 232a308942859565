"""Documents of `modelyard env`: capsules that were written, tried, and built again."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.looking import SCHEMA_VERSION


class Frozen(msgspec.Struct):
    """A capsule that was written. `environment` is the digest of packages and sources; `said` what to know of it."""

    path: str
    kind: str
    name: str
    python: str
    packages: int
    conda_packages: int
    wheels: int
    sources: list[str]
    size: int
    digest: str
    environment: str
    said: list[str]
    schema_version: int = SCHEMA_VERSION


class Rebuilt(msgspec.Struct):
    """An environment that was built from a capsule."""

    prefix: str
    capsule: str
    notes: list[str]
    schema_version: int = SCHEMA_VERSION


class Proved(msgspec.Struct):
    """What came of building an environment from its capsule: `proven` when nothing differed."""

    capsule: str
    proven: bool
    at: str
    differences: list[str]
    notes: list[str]
    seconds: float
    schema_version: int = SCHEMA_VERSION
