"""Asks a Docker engine, or Podman by Docker's API, for all it holds: nothing is started, pulled or removed."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

from modelyard.owners import engine_replies as replies
from modelyard.owners.docker_usage import Usage, usage_of
from modelyard.owners.engine import Container, Engine, Image, Step, Volume
from modelyard.owners.engine_api import NO_VERSION, api_of
from modelyard.owners.engine_line import SLOW, Line, connect, reach, within
from modelyard.owners.podman_usage import PREFIX as PODMAN
from modelyard.owners.podman_usage import podman_usage
from modelyard.problem import Problem
from modelyard.units import SECOND

FIRST = 4.0
LISTS = 8.0
INSPECTION = 10.0
ALL = 60.0
UNTAGGED, NOWHERE = "<none>:<none>", "<none>"
ANONYMOUS = "com.docker.volume.anonymous"
NAMELESS = re.compile("[0-9a-f]{64}")
CONTENT_STORE = "io.containerd.snapshotter.v1"


def look(address: str) -> Engine | Problem:
    """All that the engine at this address holds, or why that cannot be told. Takes a minute at most.

    Codes: `unreachable` when nothing listens there, `forbidden`, `missing-package`, and others for what answers badly.
    """
    refused = reach(address)
    if refused:
        return refused
    line = connect(address)
    if isinstance(line, Problem):
        return line
    late = line.problem("slow-engine", "no end of its answers", SLOW)
    version = within(FIRST + 1, lambda: line.ask("/version", replies.Version, FIRST), late)
    return version if isinstance(version, Problem) else within(ALL, lambda: _converse(line, version), late)


def _converse(line: Line, version: replies.Version) -> Engine | Problem:
    api = api_of(version)
    if api is None:
        return line.problem("strange-engine", f"/version: {NO_VERSION}")
    spoken, prefix, podman = api.spoken, api.prefix, api.podman
    # Without one of the lists the others mislead: an image would look unused because its container is not seen.
    if isinstance(info := line.ask(f"{prefix}/info", replies.Info, LISTS), Problem):
        return info
    if isinstance(images := line.ask(f"{prefix}/images/json", list[replies.ListedImage], LISTS), Problem):
        return images
    if isinstance(containers := listed_containers(line, prefix), Problem):
        return containers
    if isinstance(volumes := listed_volumes(line, prefix, podman), Problem):
        return volumes
    usage = podman_usage(line) if podman else usage_of(line, prefix, spoken)
    store = any(CONTENT_STORE in pair for pair in info.driver_status or ())
    folder = info.docker_root_dir or ""
    return Engine(
        "podman" if podman else "docker",
        version.version,
        api.offered,
        # Podman makes up a new ID for each answer, and two engines of one machine may share Docker's.
        f"podman {folder}" if podman else f"docker {info.id} {folder}",
        folder,
        _in_machine(info),
        store,
        _images(line, prefix, images, usage, store),
        tuple(_container(each, usage) for each in sorted(containers, key=lambda each: each.names or [each.id])),
        tuple(
            _volume(each, usage, marked=podman or spoken >= (1, 42))
            for each in sorted(volumes, key=lambda each: each.name)
        ),
        usage.records,
        usage.reclaimable,
        usage.problems,
    )


def _in_machine(info: replies.Info) -> bool:
    return info.operating_system == "Docker Desktop" or info.name == "docker-desktop"


def _images(line: Line, prefix: str, listed: list[replies.ListedImage], usage: Usage, store: bool) -> tuple[Image, ...]:
    """Every image, the largest first; those for which time was left with their layers."""
    until = time.monotonic() + INSPECTION
    found = []
    for each in sorted(listed, key=lambda image: (-(image.size or 0), image.id)):
        image = _image(each, usage, store)
        left = until - time.monotonic()
        found.append(_inspected(line, prefix, image, left) if left > 0 else image)
    return tuple(found)


def _image(listed: replies.ListedImage, usage: Usage, store: bool) -> Image:
    origins = {digest.rpartition("@")[0] for digest in listed.repo_digests or ()} - {NOWHERE}
    # Where images are kept as content, those built here have digests too; Podman gives them the host localhost.
    pulled = any(not origin.startswith("localhost/") for origin in origins) and not store
    tags = tuple(tag for tag in listed.repo_tags or () if tag != UNTAGGED)
    shared = usage.shared.get(plain(listed.id))
    created = None if not listed.created else listed.created * SECOND
    return Image(plain(listed.id), tags, pulled, created, max(0, listed.size or 0), shared)


def _inspected(line: Line, prefix: str, image: Image, seconds: float) -> Image:
    """The image with its layers; without them where the engine does not tell."""
    at = f"{prefix}/images/{quote(image.id)}"
    seen = line.ask(f"{at}/json", replies.InspectedImage, seconds)
    history = line.ask(f"{at}/history", list[replies.HistoryEntry], seconds)
    if isinstance(seen, Problem) or isinstance(history, Problem) or not seen.root_fs:
        return image
    steps = tuple(Step(max(0, each.size or 0), each.created_by or "") for each in reversed(history))
    pulled = image.pulled or bool(seen.identity and seen.identity.pull)
    layers = tuple(seen.root_fs.layers or ())
    return Image(image.id, image.tags, pulled, image.created, image.size, image.shared, layers, steps)


def plain(digest: str) -> str:
    """An id without the name of its algorithm, which Podman leaves out in some answers."""
    return digest.removeprefix("sha256:")


def _container(listed: replies.ListedContainer, usage: Usage) -> Container:
    mounts = listed.mounts or ()
    return Container(
        listed.id,
        (listed.names or [listed.id[:12]])[0].removeprefix("/"),
        plain(listed.image_id or ""),
        listed.image or "",
        listed.state or "",
        listed.status or "",
        None if not listed.created else listed.created * SECOND,
        usage.written.get(listed.id),
        tuple(sorted({mount.name for mount in mounts if mount.type == "volume" and mount.name})),
        tuple(f"{mount.source} at {mount.destination}" for mount in mounts if mount.type == "bind"),
    )


def listed_containers(line: Line, prefix: str) -> list[replies.ListedContainer] | Problem:
    """Every container, the stopped ones too."""
    return line.ask(f"{prefix}/containers/json", list[replies.ListedContainer], LISTS, all="1")


def listed_volumes(line: Line, prefix: str, podman: bool) -> list[replies.ListedVolume] | Problem:
    """The volumes; Podman says only in its own list which have no name."""
    if podman:
        return line.ask(f"{PODMAN}/volumes/json", list[replies.ListedVolume], LISTS)
    answer = line.ask(f"{prefix}/volumes", replies.Volumes, LISTS)
    return answer if isinstance(answer, Problem) else answer.volumes or []


def _volume(listed: replies.ListedVolume, usage: Usage, *, marked: bool) -> Volume:
    """Before API 1.42 Docker does not mark volumes without a name; it gives them 64 hexadecimal digits."""
    size, users = usage.volumes.get(listed.name, (None, None))
    anonymous = bool(listed.anonymous) or ANONYMOUS in (listed.labels or {})
    nameless = anonymous if marked else NAMELESS.fullmatch(listed.name) is not None
    return Volume(listed.name, size, users, nameless, listed.driver or "local", listed.created_at or "")
