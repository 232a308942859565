"""The services of this machine that can be asked to remove what is theirs: Docker, Podman, Ollama."""

from __future__ import annotations

import os

from modelyard.owners import docker_removal, ollama, ollama_making
from modelyard.plan import Answer, Step

ENGINES = ("docker", "podman")
ELSEWHERE = "only services of this machine are asked"


class Services:
    """Asks the service at a step's address, which is `unix:///…` or `npipe://…` for engines and `http://…` for Ollama.

    A plan may come from a file that anybody wrote: an address that leads to another machine is refused.
    """

    def remove(self, step: Step) -> Answer:
        """Asks for one removal and waits for the answer."""
        if step.ask is None:
            return Answer(False, why="the step does not say what to ask for")
        address = os.fsdecode(bytes(step.path))
        if step.ask.owner in ENGINES and step.ask.kind != "model":
            return docker_removal.removed(address, step.ask) if _local(address) else Answer(False, why=ELSEWHERE)
        if step.ask.make:
            return ollama_making.unmade(address, step.ask)
        if step.ask.owner == "ollama" and step.ask.kind == "model":
            return ollama.removed(address, step.ask)
        return Answer(False, why=f"{step.ask.owner} keeps nothing of this kind")

    def make(self, step: Step) -> str:
        """Asks Ollama for a model of a file that it has; why it made none, empty when it did."""
        if step.ask is None or step.ask.owner != "ollama" or step.ask.kind != "model":
            return "no service makes this of a file"
        return ollama_making.made(os.fsdecode(bytes(step.path)), step.ask)

    def present(self, step: Step) -> bool | None:
        """Whether the service still has the thing; None when it does not answer."""
        if step.ask is None:
            return None
        address = os.fsdecode(bytes(step.path))
        if step.ask.owner in ENGINES:
            return docker_removal.present(address, step.ask) if _local(address) else None
        if step.ask.make:
            return ollama_making.present(address, step.ask)
        return ollama.present(address, step.ask)


def _local(address: str) -> bool:
    return address.startswith(("unix:///", "npipe:"))
