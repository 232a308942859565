"""Saves a model as the next version: written aside, digested, named at the end, all of it or nothing."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from msgspec import Struct, field

from modelyard import __version__
from modelyard.apply.disk import Disk
from modelyard.apply.folder import Folder, folder
from modelyard.registry import config as configs
from modelyard.registry import metadata as texts
from modelyard.registry.codec import Saved
from modelyard.registry.errors import RegistryError
from modelyard.registry.layout import CONFIG, METADATA, SUMS, checked, folder_of, versions_in
from modelyard.registry.metadata import FileEntry, Git, Metadata, Port
from modelyard.registry.references import Reference
from modelyard.registry.sums import sums
from modelyard.registry.twins import share_twins
from modelyard.registry.versions import Version, following, parse
from modelyard.units import rfc3339

TRIES = 100
"""Versions that others may take while one is written."""


class Facts(Struct, frozen=True):
    """What the person says of a version."""

    task: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    datasets: Sequence[texts.Dataset] = ()
    tags: Sequence[str] = ()
    license: str = ""
    parent: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    git: Git | None = None
    inputs: Sequence[Port] = ()
    outputs: Sequence[Port] = ()


def describe(name: str, codec: str, saved: Saved, facts: Facts) -> Metadata:
    """The metadata of a version that has no number and no files yet."""
    return Metadata(
        name=name,
        version="",
        created=rfc3339(time.time_ns()),
        codec=saved.codec or codec,
        framework=saved.framework,
        packages={each: found for each in saved.packages if (found := _version_of(each))},
        python=platform.python_version(),
        platform=f"{platform.system()}-{platform.machine()}".lower(),
        modelyard=__version__,
        task=facts.task,
        metrics={key: float(value) for key, value in facts.metrics.items()},
        training=dict(facts.training),
        datasets=list(facts.datasets),
        git=facts.git,
        inputs=list(facts.inputs),
        outputs=list(facts.outputs),
        parent=facts.parent,
        license=facts.license,
        tags=list(facts.tags),
        extra=dict(facts.extra),
    )


def _version_of(package: str) -> str:
    from importlib.metadata import PackageNotFoundError  # late: a load needs none
    from importlib.metadata import version as version_of

    try:
        return version_of(package)
    except PackageNotFoundError:
        return ""


def refuse_unwritable(facts: Facts) -> None:
    """RegistryError for metrics, training and extra that JSON cannot hold, before any work is done."""
    for what, value in (("metrics", facts.metrics), ("training", facts.training), ("extra", facts.extra)):
        for name, each in _leaves(value, what):
            if isinstance(each, float) and not math.isfinite(each):
                raise RegistryError(
                    f"{name} is {each}, which JSON cannot hold", "bad-metadata", "leave it away, or say it in words"
                )
        if what == "metrics":
            continue
        configs.encode(value)
    for name, metric in facts.metrics.items():
        if isinstance(metric, str) or not hasattr(metric, "__float__"):
            raise RegistryError(f"metrics.{name} is no number", "bad-metadata", "put texts into extra=")


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each, name)
    else:
        yield name, float(value) if hasattr(value, "__float__") and not isinstance(value, bool | int) else value


def given(text: str | Version | None) -> Version | None:
    """The version that a person asks for. RegistryError for a text that is none."""
    if text is None or isinstance(text, Version):
        return text
    found = parse(text)
    if found is None:
        hint = "versions are MAJOR.MINOR.PATCH, with -rc.1 for a pre-release"
        raise RegistryError(f"{text[:80]!r} is no semantic version", "bad-version", hint)
    return found


def drafted(disk: Disk, root: str, name: str) -> AbstractContextManager[Folder]:
    """A draft in the folder of a model, to be given to `publish`; both folders are made where they are missing."""
    place = os.fsencode(folder_of(root, checked(name)))
    _refuse_links(root, name)
    return folder(disk, place)


def _refuse_links(root: str, name: str) -> None:
    """A link in the place of a folder would lead out of the registry."""
    path = root
    for part in name.split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path):
            raise RegistryError(f"{path} is a link; a registry follows none", "link", "put a folder there")


def publish(root: str, made: Folder, metadata: Metadata, version: Version | None) -> Reference:
    """Writes metadata and sums into a draft and gives it the version, or the next free one.

    RegistryError where that version is there already.
    """
    place = folder_of(root, metadata.name)
    known = versions_in(place)
    share_twins(place, known, made)
    for _ in range(TRIES):
        number = version or following(known)
        metadata.version = str(number)
        seal(made, metadata)
        try:
            made.keep(os.fsencode(folder_of(root, metadata.name, number)))
        except FileExistsError as error:
            if version is not None:
                raise _taken(metadata.name, number) from error
            known = [*versions_in(place), number]
        else:
            return Reference(metadata.name, number)
    raise RegistryError(f"others took every version of {metadata.name!r} for {TRIES} times", "busy", "try again")


def _taken(name: str, version: Version) -> RegistryError:
    hint = "versions never change: leave version= away for the next one"
    return RegistryError(f"{name!r} has a version {version} already", "version-exists", hint)


def refuse_taken(root: str, name: str, version: Version | None) -> None:
    """Tells before the work what `publish` would tell after it."""
    if version is not None and os.path.lexists(folder_of(root, checked(name), version)):
        raise _taken(name, version)


def seal(made: Folder, metadata: Metadata) -> None:
    """Writes the two files that tell of all others into a draft."""
    for each in (METADATA, SUMS):
        made.discard(each)
    known = {each.path: each for each in metadata.files}
    metadata.files = [
        known.get(each.path) or FileEntry(path=each.path, size=each.size, sha256=each.sha256)
        for each in sorted(made.files.values(), key=lambda each: each.path)
    ]
    made.write(METADATA, texts.encode(metadata))
    made.write(SUMS, sums({each.path: each.sha256 for each in made.files.values()}))


def write_config(made: Folder, saved: Saved) -> None:
    """`config.json`, where the codec has something to say and did not write it by itself."""
    if saved.config is not None:
        made.write(CONFIG, configs.encode(saved.config))
