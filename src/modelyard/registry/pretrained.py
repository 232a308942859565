"""Folders that `save_pretrained` of transformers wrote: which files belong to the weights."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from modelyard.problem import Problem
from modelyard.walk.read import read_file

WEIGHTS = "model.safetensors"
CAP = 16 << 20
BELONG = (".json", ".txt", ".model", ".jinja", ".tiktoken")
"""Ends of the names of configurations, vocabularies and templates."""
OWN = frozenset(("metadata.json", "aliases.json"))
"""Names that a version has for itself."""


def beside(folder: str, names: Sequence[str]) -> dict[str, str]:
    """The files beside the weights that a model of transformers needs, by name; none for another kind of folder."""
    text = read_file(os.fsencode(os.path.join(folder, "config.json")), CAP)
    try:
        config = None if isinstance(text, Problem) else msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(config, dict) or "model_type" not in config or not isinstance(config.get("architectures"), list):
        return {}
    kept = [each for each in names if each.endswith(BELONG) and not os.path.islink(os.path.join(folder, each))]
    return {each: os.path.join(folder, each) for each in kept if each not in OWN}
