"""The layers of images as parts: each counted once, by the chain of layers that it completes, with its own size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from modelyard.inventory import Part
from modelyard.owners.engine import Engine, Image, Step

NOTHING = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
"""The digest of an empty archive: the layer of an instruction that changed no file."""
WORDS_ONLY = frozenset({
    "ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL", "STOPSIGNAL",
    "USER", "VOLUME",
})  # fmt: skip
"""Instructions that change the description of an image and never add a layer."""


def chains(layers: Sequence[str]) -> list[str]:
    """The chain ids of layers, lowest first, by the image specification of the Open Container Initiative."""
    found: list[str] = []
    for layer in layers:
        known = f"{found[-1]} {layer}".encode() if found else b""
        found.append(f"sha256:{hashlib.sha256(known).hexdigest()}" if found else layer)
    return found


def sized(image: Image) -> list[int] | None:
    """The size of each layer of an image, lowest first; None where history and layers do not fit together.

    The history tells sizes, and says nothing of which of its lines without a size made a layer.
    """
    if image.layers is None:
        return None
    empty = sum(1 for step in image.steps if not step.size and not _words_only(step))
    spare = empty - (len(image.layers) - sum(1 for step in image.steps if step.size))
    if not 0 <= spare <= empty:
        return None
    sizes = []
    layers = iter(image.layers)
    layer = next(layers, None)
    for step in image.steps:
        if _words_only(step):
            continue
        if not step.size and spare and layer != NOTHING:
            spare -= 1
            continue
        sizes.append(step.size)
        layer = next(layers, None)
    return sizes if len(sizes) == len(image.layers) else None


def _words_only(step: Step) -> bool:
    words = step.command.partition("#(nop)")[2].split() or step.command.split()
    return not step.size and bool(words) and words[0] in WORDS_ONLY


def parts(engine: Engine) -> dict[str, tuple[Part, ...]]:
    """The parts of each image by its id, named so that no other engine has parts of these names."""
    sizes: dict[str, int] = {}
    doubtful: set[str] = set()
    chained: dict[str, list[str]] = {}
    for image in engine.images:
        found = sized(image)
        if found is None:
            continue
        names = chained[image.id] = chains(image.layers or ())
        for name, size in zip(names, found, strict=True):
            if sizes.setdefault(name, size) != size:
                doubtful.add(name)
                sizes[name] = min(size, sizes[name])
    content = _content(engine, chained) if engine.content_store else {}
    return {
        image.id: (
            *(
                Part(f"{engine.identity} {name}", sizes[name], name not in doubtful)
                for name in dict.fromkeys(chained.get(image.id, ()))
                if sizes[name]
            ),
            *content.get(image.id, ()),
            *(() if image.id in chained else _alone(engine, image)),
        )
        for image in engine.images
    }


def _alone(engine: Engine, image: Image) -> tuple[Part, ...]:
    """What only this image has, where its layers are not known. Nothing is promised of what it shares."""
    size = image.size - image.shared if image.shared is not None else 0
    return (Part(f"{engine.identity} image {image.id}", max(0, size), exact=image.shared == 0),)


def _content(engine: Engine, chained: Mapping[str, list[str]]) -> dict[str, tuple[Part, ...]]:
    """The packed layers that containerd keeps beside the unpacked ones.

    Their sizes are told by image only. Images with a layer in common share packed layers too, how much nobody says:
    the largest of such a family stands for all of it.
    """
    families = _families(engine.images)
    packed: dict[str, int] = {}
    members: dict[str, int] = {}
    for image in engine.images:
        if image.id in chained:
            rest = max(0, image.size - sum(step.size for step in image.steps))
            family = families[image.id]
            packed[family] = max(rest, packed.get(family, 0))
            members[family] = members.get(family, 0) + 1
    return {
        image: (
            Part(f"{engine.identity} packed {families[image]}", packed[families[image]], members[families[image]] == 1),
        )
        for image in chained
    }


def _families(images: Iterable[Image]) -> dict[str, str]:
    """For each image the name of its family: all images that a common layer joins, directly or through others."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = name = above[above[name]]
        return name

    for image in images:
        for layer in image.layers or ():
            if layer != NOTHING:
                above[top(layer)] = top(image.id)
    return {image.id: top(image.id) for image in images}
