"""The layers of images as parts: each counted once, by the chain of layers that it completes, with its own size."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

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


def stepped(image: Image) -> list[Step] | None:
    """The line of history that made each layer of an image, lowest first; None where the two do not fit together.

    The history tells sizes, and says nothing of which of its lines without a size made a layer.
    """
    if image.layers is None:
        return None
    empty = sum(1 for step in image.steps if not step.size and not _words_only(step))
    spare = empty - (len(image.layers) - sum(1 for step in image.steps if step.size))
    if not 0 <= spare <= empty:
        return None
    found: list[Step] = []
    for step in image.steps:
        if _words_only(step):
            continue
        at_end = len(found) == len(image.layers)
        if not step.size and spare and (at_end or image.layers[len(found)] != NOTHING):
            spare -= 1
        else:
            found.append(step)
    return found if len(found) == len(image.layers) else None


def _words_only(step: Step) -> bool:
    words = step.command.partition("#(nop)")[2].split() or step.command.split()
    return not step.size and bool(words) and words[0] in WORDS_ONLY


class Layer(Struct, frozen=True):
    """A part of an image and the instruction that made it, empty where it is no layer."""

    part: Part
    command: str = ""
    packed: bool = False
    """Whether it stands for packed layers that the unpacked ones came from."""


def layers(engine: Engine) -> dict[str, tuple[Layer, ...]]:
    """The layers of each image by its id, lowest first, their parts named so that no other engine has the same.

    Images that do not agree on the size of a layer leave the smaller one, not exact.
    """
    sizes: dict[str, int] = {}
    doubtful: set[str] = set()
    chained: dict[str, dict[str, Step]] = {}
    for image in engine.images:
        steps = stepped(image)
        if steps is None:
            continue
        chained[image.id] = dict(zip(chains(image.layers or ()), steps, strict=True))
        for name, step in chained[image.id].items():
            if sizes.setdefault(name, step.size) != step.size:
                doubtful.add(name)
                sizes[name] = min(step.size, sizes[name])
    content = _content(engine, chained) if engine.content_store else {}
    found: dict[str, tuple[Layer, ...]] = {}
    for image in engine.images:
        if image.id not in chained:
            found[image.id] = (_alone(engine, image),)
            continue
        own = [
            Layer(Part(f"{engine.identity} {name}", sizes[name], name not in doubtful), step.command)
            for name, step in chained[image.id].items()
        ]
        found[image.id] = (*own, *content.get(image.id, ()))
    return found


def _alone(engine: Engine, image: Image) -> Layer:
    """What only this image has, where its layers are not known. Nothing is promised of what it shares."""
    size = image.size - image.shared if image.shared is not None else 0
    return Layer(Part(f"{engine.identity} image {image.id}", max(0, size), exact=image.shared == 0))


def _content(engine: Engine, chained: Collection[str]) -> dict[str, tuple[Layer, ...]]:
    """The packed layers that containerd keeps beside the unpacked ones.

    Their sizes are told by image only. Images with a layer in common share packed layers too, how much nobody says:
    the largest of such a family stands for all of it.
    """
    families = _families(engine.images)
    packed: dict[str, list[int]] = {}
    for image in engine.images:
        if image.id in chained:
            rest = image.size - sum(step.size for step in image.steps)
            packed.setdefault(families[image.id], []).append(max(0, rest))
    whole = {
        family: Layer(Part(f"{engine.identity} packed {family}", max(sizes), len(sizes) == 1), packed=True)
        for family, sizes in packed.items()
    }
    return {image: (whole[families[image]],) for image in chained}


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
