"""An engine's own cleaning commands: what each would remove, what its `system df` promises, and why that differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelyard.inventory import Prune
from modelyard.owners.engine import Engine, Image, Record, Volume
from modelyard.stores.engine_artifacts import Place
from modelyard.stores.engine_cache import Cache

KEPT_TYPES = frozenset({"internal", "frontend"})
"""Records that `builder prune` leaves without `-a`; moby/buildkit cache/manager.go."""
OLD = (
    "RECLAIMABLE is the size of all layers without those that images with containers have alone, "
    "so layers that only used images share are promised too"
)
NEW = (
    "RECLAIMABLE adds what each image without containers has alone, "
    "so layers that unused images share are left out though they go with the last of them"
)
PODMAN_OLD = (
    "RECLAIMABLE adds the whole sizes of images without containers, so shared layers are promised again and again"
)
DANGLING = "; and this command removes images without a tag only"
HELD = "; and nothing comes back of layers that the build cache holds"
CONTAINERS = "RECLAIMABLE adds what stopped containers wrote; their logs go too and are not counted"
NAMED = "RECLAIMABLE adds all volumes without containers; before API 1.42 this command removes named ones too"
NAMELESS = (
    "RECLAIMABLE adds all volumes without containers; this command removes only those without a name of their own"
)
EVERY = "RECLAIMABLE adds all volumes without containers, and this command removes them all, named ones too"
CACHE = "RECLAIMABLE adds all records that are not in use and share no layer with an image"
SOME = "; without -a this command leaves frontends and internal records"
ALL = "; records that share layers free them only when the images are gone too"


def prunes(engine: Engine, held: Cache, place: Place) -> Iterator[Prune]:
    """Each cleaning command with the artifacts that it would remove as things are."""
    told, command = engine.reclaimable, engine.kind
    untagged = [image for image in engine.images if not image.tags]
    unused = _unused(engine)
    stopped = [container for container in engine.containers if not container.active]
    why = _images(engine)
    yield Prune(
        "untagged images",
        f"{command} image prune",
        _ids(place.image(image) for image in untagged if image in unused),
        told.images,
        why + DANGLING + (HELD if engine.kind == "docker" else ""),
    )
    yield Prune(
        "images without containers",
        f"{command} image prune -a",
        _ids(place.image(image) for image in unused),
        told.images,
        why + (HELD if engine.kind == "docker" else ""),
    )
    yield Prune(
        "stopped containers",
        f"{command} container prune",
        _ids(place.container(container) for container in stopped),
        told.containers,
        CONTAINERS,
    )
    removed, words = _volumes(engine)
    yield Prune(
        "volumes without containers",
        f"{command} volume prune",
        _ids(place.volume(volume) for volume in removed),
        told.volumes,
        words,
    )
    if engine.kind == "docker":
        yield from _cache(engine, held, place)


def _cache(engine: Engine, held: Cache, place: Place) -> Iterator[Prune]:
    records = engine.records or ()
    for title, option, removed, words in (
        ("build cache", "", [record for record in _pruned(records) if record.id in held.own], SOME),
        ("all build cache", " -a", [record for record in records if not record.in_use], ALL),
    ):
        ids = _ids(place.record(record, held) for record in removed)
        yield Prune(title, f"{engine.kind} builder prune{option}", ids, engine.reclaimable.cache, CACHE + words)


def _ids(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _unused(engine: Engine) -> list[Image]:
    """Images that no container was made of, a stopped one neither."""
    used = {container.image for container in engine.containers}
    return [image for image in engine.images if image.id not in used]


def _images(engine: Engine) -> str:
    if engine.kind == "podman":
        return (
            OLD if engine.version.split(".")[0].isdecimal() and int(engine.version.split(".")[0]) >= 5 else PODMAN_OLD
        )
    return NEW if engine.api >= (1, 52) else OLD


def _volumes(engine: Engine) -> tuple[list[Volume], str]:
    """Which volumes the command removes, by version: named ones stay since Docker's API 1.42 and Podman 6."""
    used = {name for container in engine.containers for name in container.volumes}
    unused = [volume for volume in engine.volumes if volume.name not in used and not volume.users]
    if engine.kind == "podman":
        keeps = int(f"0{engine.version.split('.')[0]}") >= 6 if engine.version[:1].isdecimal() else True
    else:
        keeps = engine.api >= (1, 42)
    if keeps:
        return [volume for volume in unused if volume.anonymous], NAMELESS
    return unused, EVERY if engine.kind == "podman" else NAMED


def _pruned(records: Iterable[Record]) -> list[Record]:
    """What goes without `-a`: neither what is kept by its kind nor anything that a kept record is built on."""
    every = {record.id: record for record in records}
    kept = {each.id for each in every.values() if each.shared or each.in_use or each.type in KEPT_TYPES}
    waiting = list(kept)
    while waiting:
        for parent in every[waiting.pop()].parents:
            if parent in every and parent not in kept:
                kept.add(parent)
                waiting.append(parent)
    return [record for record in every.values() if record.id not in kept]
