"""Which layers of images the build cache keeps alive: the engine tells that a record is shared, and not with what.

Seen on Docker 20.10: after `docker image prune -a` nothing came back while the cache held the layers, the record of a
base image holds its layers with a size of 0, and stops being called shared when the image is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from modelyard.inventory import Part
from modelyard.owners.engine import Engine, Image, Record
from modelyard.stores.engine_layers import Layer

DEEPEST = 512
"""More ancestors than any record has: storage drivers allow about 125 layers."""
PLACE = re.compile(r"^\[[^\]]*\d+/\d+\] ")
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


def cache(engine: Engine, images: Mapping[str, tuple[Layer, ...]]) -> Cache:
    """Who holds which layers. Where the engine leaves a doubt the cache holds them all, and they are not exact."""
    everything = _Held(frozenset(layer.part.name for layers in images.values() for layer in layers), certain=False)
    records = {record.id: record for record in engine.records or ()}
    held = _held(engine, records, images, everything)
    if engine.records is None:
        held[""] = everything
    if engine.content_store:
        held = {each: _packed(one, images) for each, one in held.items()}
    doubtful = {name for each in held.values() if not each.certain for name in each.names}
    parts = {layer.part.name: layer.part for layers in images.values() for layer in layers}
    known = {name: replace(part, exact=part.exact and name not in doubtful) for name, part in parts.items()}
    shared = {name for each in held.values() for name in each.names}
    own = {each.id: _own(engine, each, records, held, known) for each in records.values() if not each.shared}
    marked = {image: _counting(known[layer.part.name] for layer in layers) for image, layers in images.items()}
    return Cache(marked, _counting(known[name] for name in sorted(shared)), own)


def _counting(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Each part once, without those that are known to take no space."""
    return tuple({part.name: part for part in parts if part.size or not part.exact}.values())


def _held(
    engine: Engine, records: Mapping[str, Record], images: Mapping[str, tuple[Layer, ...]], everything: _Held
) -> dict[str, _Held]:
    """The layers behind each shared record: those of its size or instruction, those below its children's, or of its

    image.
    """
    ways = list(_ways(images.values()))
    fits = {record.id: _fits(record, ways) for record in records.values() if record.shared}
    below: dict[str, list[tuple[str, ...]]] = {}
    for record in records.values():
        for parent in record.parents:
            below.setdefault(parent, []).extend(way[:-1] for way in fits.get(record.id, ()))
    found = {}
    for each, fitting in fits.items():
        way = fitting or below.get(each) or _named(engine.images, images, records[each])
        names = frozenset(name for names in way for name in names)
        found[each] = _Held(names, len(set(way)) == 1) if way else everything
    return found


def _packed(held: _Held, images: Mapping[str, tuple[Layer, ...]]) -> _Held:
    """With the packed form of the layers, which no image tells apart from that of its other layers."""
    more = {
        layer.part.name
        for layers in images.values()
        if any(layer.part.name in held.names for layer in layers)
        for layer in layers
        if layer.packed
    }
    return _Held(held.names | more, held.certain)


def _ways(images: Iterable[Sequence[Layer]]) -> Iterator[tuple[Layer, tuple[str, ...]]]:
    """Each layer of any image once, with the names of all layers from the lowest to it."""
    seen = set()
    for layers in images:
        names = tuple(layer.part.name for layer in layers)
        for depth, layer in enumerate(layers, start=1):
            if layer.part.name not in seen:
                seen.add(layer.part.name)
                yield layer, names[:depth]


def _fits(record: Record, ways: Iterable[tuple[Layer, tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """The ways to layers of exactly its size; without any those to layers that its instruction made.

    Where images are kept packed too, records count both forms and no size fits.
    """
    same = [way for layer, way in ways if record.size and layer.part.size == record.size]
    told = _instruction(record.description)
    return same or [way for layer, way in ways if told and _instruction(layer.command) == told]


def _instruction(text: str) -> str:
    """What a record's description and a line of history have in common: `[2/3] COPY a /a`, `COPY a /a # buildkit`."""
    text = PLACE.sub("", text.strip()).removesuffix("# buildkit")
    return " ".join(text.removeprefix("mount / from exec ").removeprefix("RUN ").split())


def _named(listed: Iterable[Image], images: Mapping[str, tuple[Layer, ...]], record: Record) -> list[tuple[str, ...]]:
    """All layers of each image that a record says it came from."""
    origin = next((record.description[len(word) :] for word in FROM if record.description.startswith(word)), "")
    name = origin.partition("@")[0].removeprefix("docker.io/").removeprefix("library/").strip()
    return [tuple(layer.part.name for layer in images[each.id]) for each in listed if name and name in each.tags]


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
