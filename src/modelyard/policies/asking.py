"""What services can be asked to remove: which of their things, at which address, and in which order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from modelyard.inventory import Artifact, Holding, Kind
from modelyard.plan import Ask, Path, Step
from modelyard.policies.clean import Candidate
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

MANIFEST_CAP = 16 << 20
KINDS: Mapping[Kind, Literal["image", "container", "volume", "build cache"]] = {
    "container": "container",
    "image": "image",
    "other": "build cache",
    "volume": "volume",
}
"""What engines keep, in the order in which it is asked for: an image goes after the containers made of it."""
NAME = re.compile(r"[\w.:/-]+")
OUT_OF_REACH = "its service removes it, not modelyard"
SHARED = "its layers are those of images, and the engine lets it go after them"
BUILT_ON = "something that stays is built on it"
NO_SERVER = "its files belong to user {user}, and no Ollama server of this machine can be asked"
UNREADABLE = "its server would take what an unreadable manifest beside it needs"


class Doors(Struct, frozen=True):
    """Where services answer: engines by the root of their artifacts, the Ollama server; and the number of the user."""

    engines: Mapping[str, str]
    ollama: str
    user: int
    unreadable: Collection[str] = ()
    """Folders of models in which a manifest cannot be read."""


class Asked(Struct, frozen=True):
    """A thing to ask for, and the address to ask at."""

    address: str
    ask: Ask


def doors(holdings: Iterable[Holding], artifacts: Iterable[Artifact], ollama: str, user: int) -> Doors:
    """The doors of a survey: sockets and pipes that answered, never another machine."""
    roots = [root for each in holdings for root in each.roots if root.endpoint and root.answered and not root.remote]
    engines = {
        shown(root.path): f"npipe://{root.path}" if root.path[:2] == "//" else f"unix://{root.path}" for root in roots
    }
    unreadable = {each.root for each in artifacts if each.store == "ollama" and each.state == "corrupt"}
    return Doors(engines, ollama, user, unreadable)


def asked(artifact: Artifact, tree: Tree, found: Doors) -> Asked | str | None:
    """How to ask for an artifact, or why it cannot be asked for; None where its files are moved as any others."""
    if not artifact.rows:
        return _of_engine(artifact, found)
    if artifact.store != "ollama" or artifact.kind != "model":
        return None
    owners = {seen.uid for row in artifact.rows if (seen := tree.entry(row))} - {found.user}
    if not owners or len(artifact.pins) != 1:
        return None
    return _of_ollama(artifact, tree, found, min(owners))


def _of_engine(artifact: Artifact, found: Doors) -> Asked | str:
    address, kind = found.engines.get(artifact.root), KINDS.get(artifact.kind)
    if address is None or kind is None or artifact.store not in ("docker", "podman"):
        return OUT_OF_REACH
    if not artifact.revision:
        return SHARED if kind == "build cache" else OUT_OF_REACH
    seen = "\n".join(sorted(artifact.tags)) if kind == "image" else dict(artifact.facts).get("created", "")
    owner: Literal["docker", "podman"] = "podman" if artifact.store == "podman" else "docker"
    return Asked(address, Ask(owner, kind, artifact.revision, seen if kind in ("image", "volume") else ""))


def _of_ollama(artifact: Artifact, tree: Tree, found: Doors, owner: int) -> Asked | str:
    """A model whose files are another user's. Its server would not spare what an unreadable manifest needs."""
    name = artifact.id.removeprefix("ollama:")
    manifest = tree.read(artifact.pins[0], MANIFEST_CAP)
    if not found.ollama or not NAME.fullmatch(name) or not isinstance(manifest, bytes):
        return NO_SERVER.format(user=owner)
    if artifact.root in found.unreadable:
        return UNREADABLE
    return Asked(found.ollama, Ask("ollama", "model", name, hashlib.sha256(manifest).hexdigest(), artifact.root))


def built_on(artifacts: Sequence[Artifact], numbers: Collection[int]) -> dict[int, str]:
    """The records of build cache among these that something else holds: the engine would keep them."""
    holders: dict[str, list[int]] = {}
    for number, each in enumerate(artifacts):
        for part in each.parts:
            holders.setdefault(part.name, []).append(number)
    going = set(numbers)
    kept: dict[int, str] = {}
    for number in sorted(going, key=lambda each: len(artifacts[each].parts)):
        each = artifacts[number]
        if each.kind == "other" and each.parts and each.revision and not going.issuperset(holders[each.parts[0].name]):
            kept[number] = BUILT_ON
    return kept


def steps(artifacts: Sequence[Artifact], found: Mapping[int, Asked], proofs: Mapping[str, Candidate]) -> Iterator[Step]:
    """One step a thing, what is built on others before them: it holds more parts than they do."""
    order = list(KINDS.values())

    def rank(number: int) -> tuple[int, int, int]:
        kind = found[number].ask.kind
        return (order.index(kind) if kind in order else 0, -len(artifacts[number].parts), number)

    for number in sorted(found, key=rank):
        each, wanted = artifacts[number], found[number]
        proof = proofs[each.id]
        words = f"{proof.proof}: {proof.evidence}"
        path = Path.of(wanted.address.encode("utf-8", "surrogateescape"))
        yield Step("ask", path, None, each.id, each.recovery, words, each.sizes.freed, ask=wanted.ask)
