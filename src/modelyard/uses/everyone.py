"""One look at who uses what: everything that tells it, gathered once and asked for each artifact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from modelyard.inventory import Artifact, Platform, Use
from modelyard.owners.ollama import Model, local_address
from modelyard.uses import files, processes, references, servers
from modelyard.walk.claims import Claims
from modelyard.walk.tree import Tree


class Everyone(Struct, frozen=True):
    """Processes, servers, kernels, adapters and code, as they were at one moment."""

    tree: Tree
    claims: Claims
    artifacts: Sequence[Artifact]
    held: list[processes.Held]
    untold: int
    loaded: list[Model]
    kernels: list[tuple[int, str]]
    adapters: list[tuple[int, str]]
    code: references.References
    ollama: str = ""
    """The address of this machine's Ollama server, whether it answers or not; empty where none may be asked."""

    def of(self, number: int) -> list[Use]:
        """Who uses the artifact of this number; an empty list means that no use was seen, not that there is none."""
        return list(self._of(number, self.artifacts[number]))

    def _of(self, number: int, artifact: Artifact) -> Iterator[Use]:
        yield from processes.users(number, self.held, self.tree, self.claims)
        yield from servers.users(artifact, self.loaded)
        yield from self._containers(artifact)
        yield from files.kernel_users(number, self.kernels, self.claims)
        yield from files.project_users(artifact, self.tree)
        yield from files.adapter_users(artifact, number, self.adapters, self.tree, self.claims)
        yield from self.code.of(artifact, number, self.tree, self.claims)

    def _containers(self, artifact: Artifact) -> Iterator[Use]:
        """The containers that stand on an image, and hold all its layers, or that have a volume."""
        held = {part.name for part in artifact.parts}
        for other in self.artifacts if artifact.kind in ("image", "volume") else ():
            if other.kind == "container" and held and held <= {part.name for part in other.parts}:
                word = "of it" if artifact.kind == "image" else "with it"
                yield Use("container", other.id, f"a container {word}, {other.detail}".rstrip(", "), "high")

    def gaps(self) -> list[str]:
        """What could not be looked at."""
        found = []
        if self.untold:
            word = "process" if self.untold == 1 else "processes"
            found.append(f"{self.untold} {word} could not be looked at: another user's, or protected")
        if not self.code.complete:
            found.append(f"only the first {self.code.files:,} files of code were looked through")
        return found


def everyone(
    tree: Tree,
    claims: Claims,
    artifacts: Sequence[Artifact],
    env: Mapping[str, str],
    home: Path,
    platform: Platform,
    *,
    system: bool,
) -> Everyone:
    """Looks once. Without `system` no server is asked: it has nothing to do with another home."""
    held, untold = processes.held(tree)
    return Everyone(
        tree,
        claims,
        artifacts,
        held,
        untold,
        (servers.loaded(env) or []) if system else [],
        list(files.kernels(tree, files.kernel_folders(env, home, platform))),
        list(files.adapters(tree)),
        references.index(tree, claims),
        (local_address(env) or "") if system else "",
    )
