"""Models that a running Ollama server has loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelyard.inventory import Artifact, Use
from modelyard.owners import ollama
from modelyard.owners.ollama import Model
from modelyard.problem import Problem

SECONDS = 1.0


def loaded(env: Mapping[str, str]) -> list[Model] | None:
    """What the Ollama server of this machine has in memory; None where none answers. Another machine is not asked."""
    address = ollama.local_address(env)
    found = ollama.loaded(address, SECONDS) if address else None
    return None if isinstance(found, Problem) else found


def users(artifact: Artifact, models: list[Model]) -> Iterator[Use]:
    """The server, where it has this model loaded."""
    name = artifact.id.removeprefix("ollama:")
    for each in models:
        if artifact.store == "ollama" and name in (each.name, each.model):
            until = f" until {each.expires_at}" if each.expires_at else ""
            yield Use("server", "the Ollama server", f"has it loaded{until} (/api/ps)", "high")
