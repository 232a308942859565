"""Compile caches that outlived the version they were made for: only where another version is installed instead."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from modelyard.inventory import Artifact
from modelyard.policies.clean import Evidence

FLASHINFER = ("flashinfer-python", "flashinfer")
EXTENSION = re.compile(r"py(\d)(\d+)_(?:cpu|cu\w+|rocm\w+)")


def outlived(
    artifacts: Sequence[Artifact], versions: Mapping[str, set[str]], pythons: Mapping[str, set[str]]
) -> dict[str, Evidence]:
    """By id. Nothing where an environment does not run any more or could not be read whole: it may come back."""
    if any(each.kind == "environment" and each.state in ("corrupt", "partial") for each in artifacts):
        return {}
    found = {}
    for each in artifacts:
        if each.kind == "compile cache" and each.state == "complete":
            words = _flashinfer(each, versions) or _extension(each, pythons)
            if words:
                found[each.id] = Evidence("superseded", words)
    return found


def _flashinfer(artifact: Artifact, versions: Mapping[str, set[str]]) -> str:
    store, _, version = artifact.id.partition(":")
    others = set().union(*(versions.get(name, set()) for name in FLASHINFER))
    if store != "flashinfer" or version == "cubins" or not others or version in others:
        return ""
    return f"FlashInfer {version} is not installed any more; {', '.join(sorted(others))} is"


def _extension(artifact: Artifact, pythons: Mapping[str, set[str]]) -> str:
    """A folder of torch extensions is named by Python and CUDA version: `py311_cu124`."""
    store, _, name = artifact.id.partition(":")
    made = EXTENSION.fullmatch(name)
    having = pythons.get("torch", set())
    if store != "torch-extensions" or not made or not having or f"{made[1]}.{made[2]}" in having:
        return ""
    return f"no Python {made[1]}.{made[2]} has PyTorch any more; {', '.join(sorted(having))} has it"
