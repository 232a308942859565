"""Which layers of images the build cache keeps alive: the engine tells that a record is shared, and not with what.

Seen on Docker 20.10: after `docker image prune -a` nothing came back while the cache held the layers, the record of a
base image holds its layers with a size of 0, and stops being called shared when the image is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from modelyard.inventory import Part
from modelyard.owners.engine import Engine, Record
from modelyard.stores.engine_layers import Layer

DEEPEST = 512
"""More ancestors than a record can have: storage drivers allow about 125 layers."""
PLACE = re.compile(r"^\[[^\]]*\d+/\d+\] ")
FROM = ("pulled from ", "from local ")


class Cache(Struct, frozen=True):
    """Who holds what: `images` each image, `own` each record by itself, `shared` all other records together."""

    images: Mapping[str, tuple[Part, ...]]
    own: Mapping[str, tuple[Part, ...]]
    shared: tuple[Part, ...]


class _Held(Struct, frozen=True):
    """Layers that a record holds, by name; not certain where others would fit as well."""

    names: frozenset[str]
    certain: bool


Way = tuple[str, ...]
"""The names of layers from the lowest one upwards."""


def cache(engine: Engine, images: Mapping[str, tuple[Layer, ...]]) -> Cache:
    """Who holds which layers. Where the engine leaves a doubt the cache holds them all, and they are not exact."""
    everything = _Held(frozenset(layer.part.name for layers in images.values() for layer in layers), certain=False)
    records = {record.id: record for record in engine.records or ()}
    held = _held(engine, records, images, everything)
    distinct = set(held.values()) | ({everything} if engine.records is None else set())
    doubtful = {name for each in distinct if not each.certain for name in each.names}
    parts = {layer.part.name: layer.part for layers in images.values() for layer in layers}
    known = {name: replace(part, exact=part.exact and name not in doubtful) for name, part in parts.items()}
    marked = {image: _counting(known[layer.part.name] for layer in layers) for image, layers in images.items()}
    shared = [known[name] for name in sorted({name for each in distinct for name in each.names})]
    known |= {each.id: _bytes(engine, each) for each in records.values()}
    own = {}
    for record in records.values():
        found = None if record.shared else _own(record, records, held, known)
        if found is None and not record.shared:
            shared.append(known[record.id])
        elif found is not None:
            own[record.id] = found
    return Cache(marked, own, _counting(shared))


def _counting(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Each part once, without those that are known to take no space."""
    return tuple({part.name: part for part in parts if part.size or not part.exact}.values())


def _held(
    engine: Engine, records: Mapping[str, Record], images: Mapping[str, tuple[Layer, ...]], everything: _Held
) -> dict[str, _Held]:
    """The layers behind each shared record.

    Those up to a layer of its size or instruction, else those below the layers of its children, else those of the
    image that it names, else all.
    """
    sizes, instructions = _ways(images.values())
    fits: dict[str, list[Way]] = {}
    below: dict[str, list[Way]] = {}
    for record in records.values():
        if record.shared:
            told = _instruction(record.description)
            # Where images are kept packed too, records count both forms and no size fits.
            fits[record.id] = sizes.get(record.size or -1) or instructions.get(told or " ", [])
            for parent in record.parents:
                below.setdefault(parent, []).extend(way[:-1] for way in fits[record.id])
    packed = _packed(images.values()) if engine.content_store else {}
    tagged = {tag: tuple(layer.part.name for layer in images[each.id]) for each in engine.images for tag in each.tags}
    found = {}
    for each, fitting in fits.items():
        ways = fitting or below.get(each) or _named(tagged, records[each])
        names = {name for way in ways for name in way}
        names |= {packed[name] for name in names if name in packed}
        found[each] = _Held(frozenset(names), len(set(ways)) == 1) if ways else everything
    return found


def _ways(images: Iterable[Sequence[Layer]]) -> tuple[dict[int, list[Way]], dict[str, list[Way]]]:
    """The ways to each layer, by its size and by the instruction that made it."""
    sizes: dict[int, list[Way]] = {}
    instructions: dict[str, list[Way]] = {}
    seen = set()
    for layers in images:
        names = tuple(layer.part.name for layer in layers)
        for depth, layer in enumerate(layers, start=1):
            if layer.part.name not in seen and not layer.packed:
                seen.add(layer.part.name)
                sizes.setdefault(layer.part.size, []).append(names[:depth])
                instructions.setdefault(_instruction(layer.command), []).append(names[:depth])
    return sizes, instructions


def _packed(images: Iterable[Sequence[Layer]]) -> dict[str, str]:
    """For each layer the part that stands for its packed form, and that of the others of its images."""
    return {
        layer.part.name: whole.part.name for layers in images for whole in layers if whole.packed for layer in layers
    }


def _instruction(text: str) -> str:
    """What a record's description and a line of history have in common: `[2/3] COPY a /a`, `COPY a /a # buildkit`."""
    text = PLACE.sub("", text.strip()).removesuffix("# buildkit")
    return " ".join(text.removeprefix("mount / from exec ").removeprefix("RUN ").split())


def _named(tagged: Mapping[str, Way], record: Record) -> list[Way]:
    """All layers of the image that a record says it came from."""
    origin = next((record.description[len(word) :] for word in FROM if record.description.startswith(word)), "")
    name = origin.partition("@")[0].removeprefix("docker.io/").removeprefix("library/").strip()
    return [tagged[name]] if name in tagged else []


def _bytes(engine: Engine, record: Record) -> Part:
    """What a record takes. That of an image that is gone says 0 and keeps its layers."""
    exact = record.size > 0 or not record.description.startswith(FROM)
    return Part(f"{engine.identity} record {record.id}", record.size, exact)


def _own(
    record: Record, records: Mapping[str, Record], held: Mapping[str, _Held], known: Mapping[str, Part]
) -> tuple[Part, ...] | None:
    """The bytes of a record and of all that it is built on, which stay as long as it does; None where there is no end.

    A shared record below it whose layers are in doubt holds all of them itself, so they are left out here.
    """
    found: dict[str, Part] = {}
    waiting, passed = [record], {record.id}
    while waiting:
        each = waiting.pop()
        if each.shared:
            if held[each.id].certain:
                found |= {name: known[name] for name in held[each.id].names}
            continue
        found[each.id] = known[each.id]
        for parent in each.parents:
            if parent in records and parent not in passed:
                passed.add(parent)
                waiting.append(records[parent])
        if len(passed) > DEEPEST:
            return None
    return tuple(found.values())
