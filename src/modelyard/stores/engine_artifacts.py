"""The images, containers, volumes and build cache of an engine as artifacts of a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from modelyard.inventory import Artifact, LastUsed, Part
from modelyard.owners.engine import Container, Engine, Image, Record, Volume
from modelyard.stores.engine_cache import Cache
from modelyard.units import rfc3339, size
from modelyard.walk.text import shown

SHARED = "build-cache/shared-with-images"
NAMES = 5


class Place(Struct, frozen=True):
    """Where artifacts belong: their store, the address of their engine, and how their ids begin."""

    store: str
    root: str
    prefix: str

    def image(self, image: Image) -> str:
        """The id of an image's artifact: its first tag, or the beginning of its digest."""
        return f"{self.prefix}image/{shown(image.tags[0]) if image.tags else image.id[:12]}"

    def container(self, container: Container) -> str:
        """The id of a container's artifact."""
        return f"{self.prefix}container/{shown(container.name)}"

    def volume(self, volume: Volume) -> str:
        """The id of a volume's artifact."""
        return f"{self.prefix}volume/{shown(volume.name)}"

    def record(self, record: Record, held: Cache) -> str:
        """The id of a build-cache record's artifact; those that share with images are one."""
        return f"{self.prefix}build-cache/{shown(record.id)}" if record.id in held.own else f"{self.prefix}{SHARED}"


def artifacts(engine: Engine, held: Cache, place: Place) -> Iterator[Artifact]:
    """All that an engine holds; what several hold is a part of each."""
    users: dict[str, list[str]] = {}
    for container in engine.containers:
        for used in (container.image, *container.volumes):
            users.setdefault(used, []).append(shown(container.name))
    volumes = {volume.name: _volume_part(engine, volume) for volume in engine.volumes}
    for image in engine.images:
        yield _image(image, place, held.images[image.id], users.get(image.id, ()))
    for container in engine.containers:
        yield _container(engine, container, place, held.images, volumes)
    for volume in engine.volumes:
        yield _volume(volume, place, volumes[volume.name], users.get(volume.name, ()))
    yield from _records(engine, place, held)


def listed(names: Sequence[str]) -> str:
    """The first names of many."""
    more = len(names) - NAMES
    return ", ".join(names[:NAMES]) + (f" and {more} more" if more > 0 else "")


def _image(image: Image, place: Place, held: tuple[Part, ...], users: Sequence[str]) -> Artifact:
    tags = tuple(shown(tag) for tag in image.tags)
    facts = [("id", image.id), ("tags", listed(tags) or "none")]
    if image.created:
        facts.append(("created", rfc3339(image.created)))
    facts.append(("containers", listed(users) or "none"))
    if image.shared:
        facts.append(("shared with other images", size(image.shared)))
    return Artifact(
        place.image(image),
        "image",
        place.store,
        tags[0] if tags else f"untagged {image.id[:12]}",
        place.root,
        (),
        revision=image.id,
        tags=tags,
        state="complete" if tags else "orphan",
        recovery="re-get" if image.pulled else "none",
        detail="a registry had it" if image.pulled else "made on this machine: no registry is known to have it",
        facts=tuple(facts),
        parts=held,
    )


def _container(
    engine: Engine,
    container: Container,
    place: Place,
    images: Mapping[str, tuple[Part, ...]],
    volumes: Mapping[str, Part],
) -> Artifact:
    name = shown(container.name)
    own = Part(f"{engine.identity} container {container.id}", container.written or 0, container.written is not None)
    mounted = [volumes[each] for each in container.volumes if each in volumes]
    facts = [("image", shown(container.image_name)), ("state", shown(container.status or container.state))]
    if container.created:
        facts.append(("created", rfc3339(container.created)))
    facts += [("volume", shown(each)) for each in container.volumes[:NAMES]]
    facts += [("mount", shown(each)) for each in container.mounts[:NAMES]]
    return Artifact(
        place.container(container),
        "container",
        place.store,
        name,
        place.root,
        (),
        revision=container.id,
        group=shown(container.image_name),
        detail=f"{'runs' if container.active else 'stopped'}; holds its image and volumes; logs are not counted",
        facts=tuple(facts),
        parts=(own, *images.get(container.image, ()), *mounted),
    )


def _volume_part(engine: Engine, volume: Volume) -> Part:
    return Part(f"{engine.identity} volume {volume.name}", volume.size or 0, volume.size is not None)


def _volume(volume: Volume, place: Place, part: Part, users: Sequence[str]) -> Artifact:
    facts = [("driver", shown(volume.driver)), ("containers", listed(users) or "none")]
    if volume.created:
        facts.append(("created", shown(volume.created)))
    named = "without a name of its own" if volume.anonymous else "named"
    detail = f"{named}; nothing else has what is in it"
    name = shown(volume.name)
    return Artifact(
        place.volume(volume),
        "volume",
        place.store,
        name,
        place.root,
        (),
        revision=name,
        detail=detail,
        facts=tuple(facts),
        parts=(part,),
    )


def _records(engine: Engine, place: Place, held: Cache) -> Iterator[Artifact]:
    records = engine.records or ()
    for record in records:
        if record.id in held.own:
            yield _record(record, place, held)
    shared = [record for record in records if record.id not in held.own]
    if not shared and engine.records is not None:
        return
    yield Artifact(
        f"{place.prefix}{SHARED}",
        "other",
        place.store,
        "build cache that shares layers with images",
        place.root,
        (),
        recovery="re-make",
        detail="as long as it is there, removing those images frees nothing"
        if engine.records is not None
        else "the engine did not tell what its build cache holds: it may hold the layers of every image",
        last_used=_last_used(record.last_used for record in shared),
        facts=(("records", str(len(shared)) if engine.records is not None else "unknown"),),
        parts=held.shared,
    )


def _last_used(times: Iterator[int | None]) -> LastUsed | None:
    latest = max((at for at in times if at is not None), default=None)
    return None if latest is None else LastUsed(latest, "the engine's own record", "high")


def _record(record: Record, place: Place, held: Cache) -> Artifact:
    return Artifact(
        place.record(record, held),
        "other",
        place.store,
        shown(" ".join(record.description.split())[:120]) or f"build cache {record.id[:12]}",
        place.root,
        (),
        revision=shown(record.id),
        tags=("in use",) if record.in_use else (),
        recovery="re-make",
        detail="a build uses it now" if record.in_use else "",
        last_used=_last_used(iter((record.last_used,))),
        facts=(("type", shown(record.type)), ("used", f"{record.times} times")),
        parts=held.own[record.id],
    )
