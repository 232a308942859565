"""Which layers of images the build cache keeps alive: the engine tells that a record is shared, and not with what.

Seen on Docker 20.10: after `docker image prune -a` nothing came back while the cache held the layers, the record of a
base image holds its layers with a size of 0, and stops being called shared when the image is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from modelyard.inventory import Part
from modelyard.owners.engine import Engine, Image, Record

DEEPEST = 512
"""More ancestors than any record has: storage drivers allow about 125 layers."""
FROM = ("pulled from ", "from local ")


@dataclass(frozen=True, slots=True)
class Cache:
    """What is held: `shared` by records that share with images, `own` by each other record, `images` by images."""

    images: Mapping[str, tuple[Part, ...]]
    shared: tuple[Part, ...]
    own: Mapping[str, tuple[Part, ...]]


@dataclass(frozen=True, slots=True)
class _Held:
    """Layers that a record holds, by name; not certain where others would fit as well."""

    names: frozenset[str]
    certain: bool


def cache(engine: Engine, images: Mapping[str, tuple[Part, ...]]) -> Cache:
    """Who holds which layers. Where the engine leaves a doubt the cache holds them all, and they are not exact."""
    everything = _Held(frozenset(part.name for parts in images.values() for part in parts), certain=False)
    records = {record.id: record for record in engine.records or ()}
    held = _held(engine, records, images, everything)
    if engine.records is None:
        held[""] = everything
    doubtful = {name for each in held.values() if not each.certain for name in each.names}
    marked = {
        image: tuple(replace(part, exact=part.exact and part.name not in doubtful) for part in parts)
        for image, parts in images.items()
    }
    known = {part.name: part for parts in marked.values() for part in parts}
    shared = {name for each in held.values() for name in each.names}
    own = {record.id: _own(engine, record, records, held, known) for record in records.values() if not record.shared}
    return Cache(marked, tuple(known[name] for name in sorted(shared)), own)


def _held(
    engine: Engine, records: Mapping[str, Record], images: Mapping[str, tuple[Part, ...]], everything: _Held
) -> dict[str, _Held]:
    """The layers behind each shared record: those of its size, those below its children's, or those it names."""
    prefixes = _prefixes(images.values())
    children: dict[str, list[Record]] = {}
    for record in records.values():
        for parent in record.parents:
            children.setdefault(parent, []).append(record)
    found = {}
    for record in records.values():
        if not record.shared:
            continue
        fits = prefixes.get(record.size, []) if record.size else []
        if not fits:
            fits = [
                fit[:-1]
                for child in children.get(record.id, ())
                if child.shared
                for fit in prefixes.get(child.size, [])
            ]
        if not fits:
            fits = [tuple(part.name for part in images[image.id]) for image in _named(engine.images, record)]
        names = frozenset(name for fit in fits for name in fit)
        found[record.id] = _Held(names, len(set(fits)) == 1) if fits else everything
    return found


def _prefixes(images: Iterable[Sequence[Part]]) -> dict[int, list[tuple[str, ...]]]:
    """For each size of a layer the ways from the lowest layer to one of that size, by the names of parts."""
    found: dict[int, dict[tuple[str, ...], None]] = {}
    for parts in images:
        names = tuple(part.name for part in parts)
        for depth, part in enumerate(parts, start=1):
            found.setdefault(part.size, {})[names[:depth]] = None
    return {size: list(ways) for size, ways in found.items()}


def _named(images: Iterable[Image], record: Record) -> list[Image]:
    """The images that a record says it came from."""
    origin = next((record.description[len(word) :] for word in FROM if record.description.startswith(word)), "")
    name = origin.partition("@")[0].removeprefix("docker.io/").removeprefix("library/").strip()
    return [image for image in images if name and name in image.tags]


def _own(
    engine: Engine,
    record: Record,
    records: Mapping[str, Record],
    held: Mapping[str, _Held],
    known: Mapping[str, Part],
) -> tuple[Part, ...]:
    """The bytes of a record, and of all that it is built on, which stay as long as it does."""
    found: dict[str, Part] = {}
    waiting, passed = [record], {record.id}
    while waiting and len(passed) < DEEPEST:
        each = waiting.pop()
        if each.shared:
            found |= {name: known[name] for name in held[each.id].names}
            continue
        # The record of an image that is gone says 0 and keeps its layers.
        exact = each.size > 0 or not each.description.startswith(FROM)
        name = f"{engine.identity} record {each.id}"
        found[name] = Part(name, each.size, exact)
        for parent in each.parents:
            if parent in records and parent not in passed:
                passed.add(parent)
                waiting.append(records[parent])
    return tuple(found.values())
